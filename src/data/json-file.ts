// Reads JSON files of data sets, within a limit, and checks their fields with errors that name the entry.

import { readFile, stat } from "node:fs/promises";
import { HRNetError, messageOf } from "../errors.ts";

/**
 * Largest JSON file accepted, in bytes: what fits in one string of the JavaScript engine (2²⁹ characters). COCO's largest
 * annotation file has 240 MB.
 */
export const MAX_JSON_BYTES = 500_000_000;

/** Characters of a faulty value that an error message shows. */
const SHOWN_CHARACTERS = 80;

/**
 * A parsed JSON file.
 * @param what what the file is, for messages: "annotation file"
 * @throws HRNetError `file-not-found`, `read-failed`, `limit-exceeded`, or `invalid-data` when it is not JSON
 */
export async function readJsonFile(path: string, what: string): Promise<unknown> {
  const { size } = await stat(path).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT") {
      throw new HRNetError("file-not-found", `There is no ${what} ${path}. Check the path.`, { cause });
    }
    throw new HRNetError("read-failed", `The ${what} ${path} cannot be read: ${cause.message}.`, { cause });
  });
  if (size > MAX_JSON_BYTES) {
    throw new HRNetError(
      "limit-exceeded",
      `The ${what} ${path} has ${size} bytes; at most ${MAX_JSON_BYTES} are accepted. Split it, or leave out fields not needed.`,
    );
  }
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new HRNetError("read-failed", `The ${what} ${path} cannot be read: ${messageOf(cause)}.`, {
      cause,
    });
  });
  try {
    return JSON.parse(text);
  } catch (cause) {
    const hint = /\b(?:NaN|Infinity)\b/.test(text)
      ? " It holds NaN or Infinity, which Python writes but JSON does not know."
      : "";
    throw new HRNetError("invalid-data", `The ${what} ${path} is not JSON: ${messageOf(cause)}.${hint}`, {
      cause,
    });
  }
}

/** A JSON object whose fields are not known yet. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Checks fields of one file's entries; every error says the file, the entry, the field, its value and what was expected. */
export class FieldReader {
  /** The file, as messages call it. */
  readonly source: string;

  constructor(source: string) {
    this.source = source;
  }

  fail(where: string, fault: string): never {
    throw new HRNetError("invalid-data", `${this.source}: ${where} ${fault}.`);
  }

  object(value: unknown, where: string): JsonObject {
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject;
    return this.fail(where, `is ${shown(value)}; expected an object`);
  }

  array(value: unknown, where: string): readonly unknown[] {
    return Array.isArray(value) ? value : this.fail(where, `is ${shown(value)}; expected an array`);
  }

  text(entry: JsonObject, key: string, where: string): string {
    const value = entry[key];
    return typeof value === "string" && value !== "" ? value : this.#wrong(where, key, value, "a text");
  }

  integer(entry: JsonObject, key: string, where: string): number {
    const value = entry[key];
    return Number.isSafeInteger(value) ? (value as number) : this.#wrong(where, key, value, "a whole number");
  }

  number(entry: JsonObject, key: string, where: string): number {
    const value = entry[key];
    return isFiniteNumber(value) ? value : this.#wrong(where, key, value, "a finite number");
  }

  /** An array of finite numbers, of this length when one is given. */
  numbers(entry: JsonObject, key: string, where: string, length?: number): readonly number[] {
    const value = entry[key];
    const right =
      Array.isArray(value) &&
      (length === undefined || value.length === length) &&
      value.every(isFiniteNumber);
    return right ? value : this.#wrong(where, key, value, `${length ?? ""} finite numbers`.trimStart());
  }

  /** `[x, y, width, height]` with sides not below 0. */
  box(entry: JsonObject, key: string, where: string): readonly [number, number, number, number] {
    const value = this.numbers(entry, key, where, 4);
    if (value[2]! >= 0 && value[3]! >= 0)
      return value as unknown as readonly [number, number, number, number];
    return this.#wrong(where, key, value, "[x, y, width, height] with a width and height of at least 0");
  }

  #wrong(where: string, key: string, value: unknown, expected: string): never {
    const size = Array.isArray(value) ? ` (${value.length} entries)` : "";
    return this.fail(where, `has the ${key} ${shown(value)}${size}; expected ${expected}`);
  }
}

function isFiniteNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

function shown(value: unknown): string {
  if (typeof value === "number" || value === undefined) return String(value);
  const text = JSON.stringify(value) ?? String(value);
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
}
