// A random choice for contact sheets.

import { shuffle, uniformRandom } from "../random/random.ts";
import { SHEET_CELLS } from "./contact-sheet.ts";

/** As many entries as a sheet shows, drawn at random, in their order; the same for the same seed. */
export function sampleOf<T>(entries: readonly T[], seed: number): T[] {
  const order = shuffle(
    entries.map((_, index) => index),
    uniformRandom(seed),
  );
  return Array.from(order.slice(0, SHEET_CELLS))
    .sort((a, b) => a - b)
    .map((index) => entries[index]!);
}
