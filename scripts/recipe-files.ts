// Writes what is made from the recipes' schema: recipes/recipe.schema.json and the table of keys in docs/recipes.md.
// Run with: npm run recipe-files

import { readFileSync, writeFileSync } from "node:fs";
import { recipeJsonSchema, recipeKeysTable } from "../src/recipe/describe.ts";

const SCHEMA = "recipes/recipe.schema.json";
const PAGE = "docs/recipes.md";
const [BEGIN, END] = ["<!-- keys: made by npm run recipe-files -->", "<!-- end of keys -->"];

writeFileSync(SCHEMA, `${JSON.stringify(recipeJsonSchema(), null, 2)}\n`);

const page = readFileSync(PAGE, "utf8");
const [before, after] = [page.indexOf(BEGIN), page.indexOf(END)];
if (before < 0 || after < before) throw new Error(`${PAGE} must hold "${BEGIN}" and "${END}"`);
writeFileSync(
  PAGE,
  `${page.slice(0, before + BEGIN.length)}\n\n${recipeKeysTable()}\n\n${page.slice(after)}`,
);
