// How the tests of the doctor break one thing of a good set.
import type { Examined } from "../../src/doctor/types.ts";
import { examined, goodCoco, goodInstances, goodMpii, type Loose } from "./good-sets.ts";

/** A broken copy of the good set. */
export const broken = (change: (json: Loose) => void): Loose => {
  const json = goodCoco();
  change(json);
  return json;
};
export const coco = (change: (json: Loose) => void): Examined => examined(broken(change));
export const instances = (change: (json: Loose) => void): Examined => {
  const json = goodInstances();
  change(json);
  return examined(json);
};
export const mpii = (change: (json: Loose) => void): Examined => {
  const json = goodMpii();
  change(json);
  return examined(json);
};
export const each = (json: Loose, change: (annotation: Loose, i: number) => void): void =>
  json.annotations.forEach(change);
/** Keypoints `k` of a person become something else. */
export const edit = (annotation: Loose, k: number, values: readonly number[]): void => {
  values.forEach((value, i) => {
    annotation.keypoints[3 * k + i] = value;
  });
};
/** Exchanges two keypoints of a person. */
export const exchange = (annotation: Loose, a: number, b: number): void => {
  const at = (k: number): number[] => annotation.keypoints.slice(3 * k, 3 * k + 3);
  const [one, other] = [at(a), at(b)];
  edit(annotation, a, other);
  edit(annotation, b, one);
};

export interface Case {
  /** All findings that the fault brings, the one under test first. */
  readonly finds: readonly string[];
  readonly set: () => Examined;
  /** How many places, of the first. */
  readonly count?: number;
  /** In the text of its first example. */
  readonly says?: string;
}

export const MPII_MIRROR = [5, 4, 3, 2, 1, 0, 6, 7, 8, 9, 15, 14, 13, 12, 11, 10];

export function names(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${i + 1}.jpg`);
}

export function exchangeAll(annotation: Loose): void {
  for (let k = 1; k < 17; k += 2) exchange(annotation, k, k + 1);
}

/** Gives the category a name that no published set has, and returns it. */
export function own(json: Loose): Loose {
  json.categories[0].keypoints[0] = "beak";
  return json.categories[0];
}
