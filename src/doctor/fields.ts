// Reads fields of untrusted JSON without refusing anything: the value if it is usable, else a fault that is noted.

import type { DoctorAnnotation, DoctorImage, Hit } from "./types.ts";

/** A JSON object, fields unknown. */
export type Json = Readonly<Record<string, unknown>>;

/** Whether a value is an object with fields. */
export function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether a value is an array of finite numbers. */
export function isNumbers(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === "number" && Number.isFinite(entry));
}

/** A value as a message shows it: JSON, at most 60 characters. */
export function shown(value: unknown): string {
  if (value === undefined) return "missing";
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

/** Collects faults while a file is read. */
export class LenientFields {
  readonly faults: Hit[] = [];

  fault(where: string, text: string, of: { image?: DoctorImage; annotation?: DoctorAnnotation } = {}): void {
    this.faults.push({ text: `${where}: ${text}`, ...of });
  }

  /** A whole number; a text of digits counts, and is noted. */
  integer(entry: Json, key: string, where: string, required: boolean): number | undefined {
    const value = entry[key];
    if (Number.isSafeInteger(value)) return value as number;
    if (value == null && !required) return undefined;
    this.fault(where, `${key} is ${shown(value)}, expected a whole number`);
    return typeof value === "string" && /^\d{1,15}$/.test(value) ? Number(value) : undefined;
  }

  /** A finite number. */
  number(entry: Json, key: string, where: string): number | undefined {
    const value = entry[key];
    if (value == null) return undefined;
    if (typeof value === "number" && Number.isFinite(value)) return value;
    this.fault(where, `${key} is ${shown(value)}, expected a number`);
    return undefined;
  }

  /** A text that is not empty. */
  text(entry: Json, key: string, where: string): string | undefined {
    const value = entry[key];
    if (typeof value === "string" && value !== "") return value;
    this.fault(where, `${key} is ${shown(value)}, expected a text`);
    return undefined;
  }

  /** Finite numbers, of this count if one is given. */
  numbers(entry: Json, key: string, where: string, count?: number): readonly number[] | undefined {
    const value = entry[key];
    if (value == null) return undefined;
    if (isNumbers(value) && (count === undefined || value.length === count)) return value;
    this.fault(where, `${key} is ${shown(value)}, expected ${count ?? "a list of"} finite numbers`);
    return undefined;
  }

  /** The objects of a list, with their places; anything else in it is noted. */
  objects(value: unknown, what: string): { entry: Json; index: number }[] {
    if (!Array.isArray(value)) {
      if (value !== undefined) this.fault("the file", `${what} is ${shown(value)}, expected a list`);
      return [];
    }
    return value.flatMap((entry: unknown, index) => {
      if (isObject(entry)) return [{ entry, index }];
      this.fault(`${what}[${index}]`, `is ${shown(entry)}, expected an object`);
      return [];
    });
  }
}

/** How many v of K×3 numbers are above 0. */
export function countLabelled(keypoints: readonly number[] | undefined): number {
  let count = 0;
  if (keypoints) for (let i = 2; i < keypoints.length; i += 3) if (keypoints[i]! > 0) count++;
  return count;
}
