// Recipes from files and by name: inheritance, overrides, validation.

import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { HRNetError, messageOf, nearestNames } from "../errors.ts";
import { readFileWithin } from "../files/read-file.ts";
import { optionalKeys } from "./describe.ts";
import { explainIssues } from "./explain.ts";
import { applyOverrides, mergeRecipes } from "./merge.ts";
import { isFileName, isObject, type Json, resolvePaths } from "./recipe-paths.ts";
import { type Recipe, recipeSchema } from "./schema.ts";

/** The recipes that come with the package: two folders above, in the source tree as in the built package. */
const RECIPES = fileURLToPath(new URL("../../recipes/", import.meta.url));

/** The JSON schema lies among them. */
const SCHEMA_FILE = "recipe.schema.json";

/** Far above any recipe. */
const MAX_BYTES = 1_000_000;

/** Recipes that may extend one another in a row. */
const MAX_DEPTH = 10;

/** Keys that say what one recipe is; those that extend it are something else. */
const OWN_KEYS: readonly string[] = ["$schema", "extends", "name", "about", "paper"];

/** The names of the recipes that come with the package, sorted. */
export async function listRecipes(): Promise<string[]> {
  const files = await readdir(RECIPES);
  return files
    .filter((file) => file.endsWith(".json") && file !== SCHEMA_FILE)
    .map((file) => basename(file, ".json"))
    .sort();
}

/** The file of a recipe given by name or path; relative paths start from `folder`. */
async function locate(nameOrPath: string, folder: string): Promise<string> {
  const path = resolve(folder, nameOrPath);
  if (isFileName(nameOrPath)) return path;
  const names = await listRecipes();
  if (names.includes(nameOrPath)) return join(RECIPES, `${nameOrPath}.json`);
  if (existsSync(path)) return path;
  throw new HRNetError(
    "file-not-found",
    `No recipe is called "${nameOrPath.slice(0, 100)}", and there is no such file. ` +
      `Closest: ${nearestNames(nameOrPath, names).join(", ")}. Own recipes are JSON files, given by their path.`,
  );
}

async function readObject(path: string): Promise<Readonly<Record<string, Json>>> {
  const text = (await readFileWithin(path, "recipe", MAX_BYTES)).toString("utf8");
  let value: Json;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new HRNetError("invalid-config", `The recipe ${path} is not JSON: ${messageOf(cause)}.`, { cause });
  }
  if (isObject(value)) return value;
  throw new HRNetError("invalid-config", `The recipe ${path} is no JSON object: { "task": …, … }.`);
}

/**
 * A recipe's file laid on those it extends, its paths absolute: from the file's folder, or from the current one for recipes
 * of the package, where nobody's data lies.
 * @param below the files that led here
 */
async function load(path: string, current: string, below: readonly string[]): Promise<Json> {
  if (below.includes(path) || below.length >= MAX_DEPTH) {
    throw new HRNetError(
      "invalid-config",
      `The recipes ${[...below, path].join(" → ")} extend one another in a circle or more than ${MAX_DEPTH} deep.`,
    );
  }
  const { $schema: _, extends: parent, ...own } = await readObject(path);
  const folder = dirname(path);
  const ships = folder === resolve(RECIPES);
  const resolved = resolvePaths({ name: basename(path, ".json"), ...own }, ships ? current : folder);
  if (parent === undefined) return resolved;
  if (typeof parent !== "string" || parent === "") {
    throw new HRNetError(
      "invalid-config",
      `The recipe ${path}: extends is ${JSON.stringify(parent)}; expected the name or path of one recipe.`,
    );
  }
  const inherited = (await load(await locate(parent, folder), current, [...below, path])) as Record<
    string,
    Json
  >;
  const kept = Object.fromEntries(Object.entries(inherited).filter(([key]) => !OWN_KEYS.includes(key)));
  return mergeRecipes(kept, resolved);
}

/** The recipe without keys that are null where only leaving them out means none: so a recipe can undo what it inherits. */
function withoutEmpty(recipe: Json): Json {
  return optionalKeys().reduce((tree: Json, key) => dropNull(tree, key.split(".")), recipe);
}

function dropNull(tree: Json, [key, ...rest]: readonly string[]): Json {
  if (key === undefined || !isObject(tree)) return tree;
  const { [key]: old, ...others } = tree;
  if (old === undefined || (rest.length === 0 && old !== null)) return tree;
  return rest.length === 0 ? others : { ...tree, [key]: dropNull(old, rest) };
}

/**
 * A recipe checked and completed with its defaults. Nothing is read, no path changed: for what `readRecipe` gave before, as
 * a run's folder and checkpoints hold it.
 * @param source what it is, for messages
 * @throws HRNetError `invalid-config` with every wrong key: what was given, what was expected, the key that may be meant
 */
export function parseRecipe(value: unknown, source = "The recipe"): Recipe {
  const result = recipeSchema.safeParse(value);
  if (result.success) return result.data;
  const problems = explainIssues(result.error.issues, value);
  const lines = problems.length === 1 ? ` ${problems[0]}` : problems.map((line) => `\n  ${line}`).join("");
  const end = problems.length === 1 ? " " : "\n";
  throw new HRNetError(
    "invalid-config",
    `${source} is not valid:${lines}${end}docs/recipes.md lists every key.`,
  );
}

/** Where {@link readRecipe} looks. */
export interface ReadRecipeOptions {
  /** What relative paths on the command line start from; the current folder by default. */
  readonly folder?: string;
}

/**
 * A complete recipe.
 *
 * ```ts
 * const recipe = await readRecipe("hrnet-w32-coco-256x192", ["data.root=/data/coco", "epochs=5"]);
 * ```
 *
 * Paths in the result are absolute, except those of data sets: they start from `data.root` (see `resolveData`).
 * @param nameOrPath one of {@link listRecipes}, or a JSON file
 * @param overrides `key=value`, see `applyOverrides`
 * @throws HRNetError `file-not-found`, `read-failed`, `limit-exceeded`; `usage` for what is no `key=value`;
 * `invalid-config` with every wrong key
 */
export async function readRecipe(
  nameOrPath: string,
  overrides: readonly string[] = [],
  { folder = process.cwd() }: ReadRecipeOptions = {},
): Promise<Recipe> {
  const path = await locate(nameOrPath, folder);
  const loaded = await load(path, folder, []);
  const changed = applyOverrides(loaded, overrides, folder);
  const recipe = parseRecipe(withoutEmpty(changed), `The recipe ${path}`);
  const root = recipe.data.root ?? folder;
  // Each kind of recipe apart, so that it stays with its own data.
  switch (recipe.task) {
    case "pose":
      return { ...recipe, data: { ...recipe.data, root } };
    case "segmentation":
      return { ...recipe, data: { ...recipe.data, root } };
    case "detection":
      return { ...recipe, data: { ...recipe.data, root } };
  }
}
