// Checks the fields of parsed JSON files, with errors that name the entry.

import { HRNetError } from "../errors.ts";

/** Characters of a faulty value that an error message shows. */
const SHOWN_CHARACTERS = 80;

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
