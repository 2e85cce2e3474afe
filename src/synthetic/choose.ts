// What drawn scenes draw from random numbers: ranges, choices, chances.

import type { Random } from "../random/random.ts";

/** Lowest and highest value. */
export type Range = readonly [low: number, high: number];

export const between = (random: Random, [low, high]: Range): number => low + (high - low) * random();
export const chance = (random: Random, probability: number): boolean => random() < probability;
export const pick = <T>(random: Random, values: readonly T[]): T =>
  values[Math.floor(random() * values.length)]!;
/** A whole number from `low` to `high`, both possible. */
export const whole = (random: Random, [low, high]: Range): number =>
  Math.floor(between(random, [low, high + 1]));
/** A random key, each as likely as its weight says. */
export function pickWeighted<K extends string>(
  random: Random,
  weights: readonly (readonly [K, number])[],
): K {
  let left = random() * weights.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [key, weight] of weights) {
    left -= weight;
    if (left < 0) return key;
  }
  return weights.at(-1)![0];
}
