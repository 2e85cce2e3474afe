// Which keys of a recipe hold paths, and what relative ones start from.

import { isAbsolute, join, resolve } from "node:path";
import type { PoseData } from "./pose-schema.ts";

/** Keys that hold a file, a folder or, where that is allowed, a name. Those of data sets start from `data.root`. */
const PATH_KEYS = ["initialize.from", "teacher.model", "skeleton", "data.root"] as const;

/** Keys of {@link PATH_KEYS} that may hold a name instead. */
const MAY_BE_NAMES: ReadonlySet<string> = new Set(["initialize.from", "teacher.model", "skeleton"]);

/** Any JSON value, not yet checked. */
export type Json = unknown;

/** Whether a text that may be a name or a file is a file: it has a folder or the ending of a file. */
export function isFileName(text: string): boolean {
  return /[\\/]/.test(text) || /\.(?:json|onnx|safetensors|pth|pt|tar|bin|ckpt|pkl)$/i.test(text);
}

/** Whether the value is a JSON object. */
export const isObject = (value: Json): value is Readonly<Record<string, Json>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The member of a JSON object or list; `undefined` where there is none. */
export function memberOf(value: Json, key: string): Json {
  const held = isObject(value) || Array.isArray(value);
  return held && Object.hasOwn(value, key) ? (value as Readonly<Record<string, Json>>)[key] : undefined;
}

/** The value with what lies at `path` replaced by `change` of it; the same value when nothing lies there. */
function changeAt(value: Json, path: readonly string[], change: (old: Json) => Json): Json {
  const [head, ...rest] = path;
  if (head === undefined) return change(value);
  const old = memberOf(value, head);
  return isObject(value) && old !== undefined ? { ...value, [head]: changeAt(old, rest, change) } : value;
}

/**
 * A recipe, or the part of one at `at`, with relative paths made absolute against `folder`.
 * @param at where in a recipe the value stands: "" for a whole one, "initialize" or "initialize.from" for a part
 */
export function resolvePaths(value: Json, folder: string, at = ""): Json {
  return PATH_KEYS.reduce((result: Json, key) => {
    const inside = at === "" || key === at || key.startsWith(`${at}.`);
    if (!inside) return result;
    const rest = key.slice(at === "" ? 0 : at.length + 1);
    return changeAt(result, rest === "" ? [] : rest.split("."), (old) => {
      if (typeof old !== "string" || (MAY_BE_NAMES.has(key) && !isFileName(old))) return old;
      return resolve(folder, old);
    });
  }, value);
}

/** A path of a data set: it starts from the root of the recipe's data. */
export const belowRoot = (root: string | null, path: string): string =>
  isAbsolute(path) ? path : join(root ?? "", path);

/** The data of a pose recipe with every path whole: those of data sets and boxes start from the root. */
export function resolveData(data: PoseData): PoseData {
  const whole = (path: string): string => belowRoot(data.root, path);
  const places = <T extends { annotations: string; images: string }>(set: T): T => ({
    ...set,
    annotations: whole(set.annotations),
    images: whole(set.images),
  });
  const { train, validation, validationBoxes } = data;
  return {
    ...data,
    train: train.map(places),
    validation:
      validation?.format === "mpii"
        ? { ...places(validation), truth: whole(validation.truth) }
        : validation && places(validation),
    validationBoxes: validationBoxes && whole(validationBoxes),
  };
}
