// What is wrong with a recipe, in words: the key, what was given, what was expected, and the key that may have been meant.

import type { z } from "zod";
import { nearestNames } from "../errors.ts";
import { describeRecipe, type RecipeKey } from "./describe.ts";
import { type Json, memberOf } from "./recipe-paths.ts";

/** Longest text of a given value in a message. */
const MAX_GIVEN = 80;

/** A place with this many keys or fewer has all of them listed. */
const FEW_KEYS = 6;

type Path = readonly (string | number)[];

const valueAt = (value: Json, path: Path): Json =>
  path.reduce((inner: Json, key) => memberOf(inner, String(key)), value);

/** `data.train.0.format` → `data.train.N.format`. */
const general = (path: Path): string =>
  path.map((part) => (/^\d+$/.test(String(part)) ? "N" : part)).join(".");

function given(value: Json): string {
  if (value === undefined) return "is missing";
  const text = JSON.stringify(value);
  return `is ${text.length > MAX_GIVEN ? `${text.slice(0, MAX_GIVEN)}…` : text}`;
}

/** The keys that an object at `path` may have, of whatever kind it is. */
function keysAt(keys: readonly RecipeKey[], path: Path): readonly RecipeKey[] {
  const parent = general(path);
  return keys.filter(({ key }) => key.slice(0, Math.max(0, key.lastIndexOf("."))) === parent);
}

const fits = ({ when }: RecipeKey, kind: Json): boolean => when === null || when.kinds.includes(String(kind));

/** What kind the object at `path`, or one that it lies in, says it is, by the key that `row` names. */
function kindOf({ when }: RecipeKey, path: Path, recipe: Json): Json {
  if (when === null) return undefined;
  const parts = when.key.split(".");
  return valueAt(recipe, [...path.slice(0, parts.length - 1), parts.at(-1)!]);
}

function unknownKey(keys: readonly RecipeKey[], path: Path, name: string, recipe: Json): string {
  const here = keysAt(keys, path);
  const full = [...path, name].join(".");
  const lastOf = ({ key }: RecipeKey): string => key.split(".").at(-1)!;
  const elsewhere = here.find((row) => lastOf(row) === name);
  if (elsewhere?.when) {
    const { key, kinds } = elsewhere.when;
    return `${full}: there is no such key when ${key} is ${JSON.stringify(kindOf(elsewhere, path, recipe))}; it is for ${kinds.join(" and ")}.`;
  }
  const usable = [...new Set(here.filter((row) => fits(row, kindOf(row, path, recipe))).map(lastOf))];
  const deeper = keys.filter((row) => lastOf(row) === name).map(({ key }) => key);
  const meant = deeper.length > 0 ? deeper : nearestNames(name, usable, 1);
  const all = usable.length <= FEW_KEYS ? ` The keys are ${usable.join(", ")}.` : "";
  const question = meant.length > 0 ? ` Did you mean ${meant.join(" or ")}?` : "";
  return `${full}: there is no such key.${question}${all}`;
}

/** One line of whole sentences per thing that is wrong. */
export function explainIssues(issues: readonly z.core.$ZodIssue[], recipe: Json): string[] {
  const keys = describeRecipe();
  return issues.flatMap((issue) => {
    const path = issue.path.map((part) => (typeof part === "symbol" ? String(part) : part));
    if (issue.code === "unrecognized_keys") {
      return issue.keys.map((name) => unknownKey(keys, path, name, recipe));
    }
    const parent = path.slice(0, -1);
    const rows = keys.filter((row) => row.key === general(path) && fits(row, kindOf(row, parent, recipe)));
    const expected = [...new Set(rows.map((row) => row.values))].join(" or ");
    const where = path.join(".") || "the recipe";
    const what = `${where} ${given(valueAt(recipe, path))}`;
    if (issue.code === "custom") return [`${what}: ${issue.message.replace(/\.$/, "")}.`];
    return [`${what}; expected ${expected || issue.message}.`];
  });
}
