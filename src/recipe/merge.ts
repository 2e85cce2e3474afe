// One recipe over another, and `key=value` overrides over both. Nothing here knows the schema.

import { HRNetError } from "../errors.ts";
import { isObject, type Json, memberOf, resolvePaths } from "./recipe-paths.ts";

/** Keys that say which kind of thing an object is: with another kind, the other kind's keys mean nothing. */
const KIND_KEYS: readonly string[] = ["type", "format", "family"];

const differsInKind = (base: Json, over: Json): boolean =>
  KIND_KEYS.some((key) => {
    const kind = memberOf(over, key);
    return kind !== undefined && kind !== memberOf(base, key);
  });

/**
 * `over` laid on `base`: objects key by key; lists, numbers, texts and null replace. An object of another kind
 * (`type`, `format`, `family`) replaces too.
 */
export function mergeRecipes(base: Json, over: Json): Json {
  if (!isObject(base) || !isObject(over) || differsInKind(base, over)) return over;
  const merged: Record<string, Json> = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const old = memberOf(base, key);
    Object.defineProperty(merged, key, {
      value: old === undefined ? value : mergeRecipes(old, value),
      enumerable: true,
      writable: true,
      configurable: true,
    });
  }
  return merged;
}

interface Override {
  readonly path: readonly string[];
  readonly value: Json;
}

/** @throws HRNetError `usage` when it is no `key=value` */
function parseOverride(text: string): Override {
  const equals = text.indexOf("=");
  const key = text.slice(0, equals).trim();
  if (equals < 1 || key === "" || key.split(".").includes("")) {
    throw new HRNetError(
      "usage",
      `"${text}" is no change to a recipe; expected key=value, as in epochs=5 or optimizer.learningRate=2e-4.`,
    );
  }
  const raw = text.slice(equals + 1);
  return { path: key.split("."), value: parseValue(raw) };
}

/** JSON where it is JSON, text otherwise. */
function parseValue(raw: string): Json {
  try {
    return JSON.parse(raw);
  } catch {
    return raw;
  }
}

/**
 * A recipe with `key=value` changes. Keys are dotted paths, list entries by number (one past the end appends); values are
 * JSON, or else text. Changes of kind (`optimizer.type=sgd`) come first and drop the keys of the old kind; the rest follows
 * in order. Relative paths start from `folder`.
 * @throws HRNetError `usage` for what is no `key=value`, `invalid-config` for a path through something that has no keys
 */
export function applyOverrides(recipe: Json, overrides: readonly string[], folder: string): Json {
  const parsed = overrides.map(parseOverride);
  const isKind = ({ path }: Override): boolean => KIND_KEYS.includes(path.at(-1)!);
  const ordered = [...parsed.filter(isKind), ...parsed.filter((override) => !isKind(override))];
  return ordered.reduce(
    (tree, { path, value }) => setAt(tree, path, resolvePaths(value, folder, path.join(".")), []),
    recipe,
  );
}

/** The tree with `value` at `path`; objects on the way are made. `done` is the way so far, for messages. */
function setAt(tree: Json, path: readonly string[], value: Json, done: readonly string[]): Json {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  const inner = setAt(memberOf(tree, key), rest, value, [...done, key]);
  if (Array.isArray(tree)) {
    const index = Number(key);
    if (!Number.isInteger(index) || index < 0 || index > tree.length) {
      throw new HRNetError(
        "invalid-config",
        `${[...done, key].join(".")}: ${done.join(".")} is a list of ${tree.length}; expected the number of an entry, ` +
          `0 to ${tree.length}.`,
      );
    }
    return [...tree.slice(0, index), inner, ...tree.slice(index + 1)];
  }
  if (tree === undefined || tree === null) return { [key]: inner };
  if (!isObject(tree)) {
    throw new HRNetError(
      "invalid-config",
      `${[...done, key].join(".")}: ${done.join(".")} is ${JSON.stringify(tree)}, which has no keys. ` +
        `Set ${done.join(".")} as a whole, as JSON.`,
    );
  }
  const changesKind = rest.length === 0 && KIND_KEYS.includes(key) && tree[key] !== value;
  return changesKind ? { [key]: inner } : { ...tree, [key]: inner };
}
