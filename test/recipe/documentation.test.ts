// Every key is described, and what is made from the schema is as the schema is.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { describeRecipe, recipeJsonSchema, recipeKeysTable } from "../../src/recipe/describe.ts";
import { listRecipes, readRecipe } from "../../src/recipe/read-recipe.ts";

const file = (...parts: string[]): string =>
  readFileSync(join(import.meta.dirname, "../..", ...parts), "utf8");

test("every key has a text, once", () => {
  const keys = describeRecipe();
  expect(keys.length).toBeGreaterThan(100);
  for (const { key, text } of keys) expect(text, key).not.toBe("");
  const labels = keys.map(({ key, when }) => `${key} ${when?.kinds.join()}`);
  expect(new Set(labels).size).toBe(labels.length);
});

test("values, defaults and kinds come from the schema", () => {
  const find = (wanted: string) => describeRecipe().filter(({ key }) => key === wanted);
  expect(find("epochs")).toMatchObject([{ values: "whole number from 1 to 1000000", required: true }]);
  expect(find("seed")).toMatchObject([{ preset: "0", required: false, when: null }]);
  expect(find("optimizer.betas")).toMatchObject([
    { preset: "[0.9,0.999]", when: { key: "optimizer.type", kinds: ["adam", "adamw"] } },
  ]);
  expect(find("optimizer.weightDecay").map(({ when, preset }) => [when!.kinds, preset])).toEqual([
    [["adam"], "0"],
    [["adamw"], "0.01"],
    [["sgd"], "0"],
  ]);
});

test("docs/recipes.md has the table of keys (npm run recipe-files writes it)", () => {
  expect(file("docs", "recipes.md")).toContain(`\n${recipeKeysTable()}\n`);
});

test("recipe.schema.json is that of the schema (npm run recipe-files writes it)", () => {
  expect(JSON.parse(file("recipes", "recipe.schema.json"))).toEqual(
    JSON.parse(JSON.stringify(recipeJsonSchema())),
  );
  expect(file("recipes", "recipe.schema.json")).not.toContain('"required": [');
});

test("docs/recipes.md lists every published recipe with its figure", async () => {
  const page = file("docs", "recipes.md");
  const rows = [...page.matchAll(/^\| `([a-z0-9-]+)` \| (mask AP|AP|PCKh|mIoU) ([\d.]+) \|$/gm)];
  const all = await Promise.all((await listRecipes()).map((name) => readRecipe(name)));
  const recipes = all.filter(({ paper }) => paper !== null);
  expect(rows.map(([, name, metric, value]) => [name, metric, Number(value)])).toEqual(
    recipes.map(({ name, paper }) => [name, paper!.metric, paper!.value]),
  );
});
