// What the inputs of gradient cases are drawn from: numbers that stay where a function is smooth when they are moved.
import { type Random, shuffle } from "../../src/random/random.ts";

/** Inputs are moved by up to this much in either direction; samples stay farther from where a function has a kink. */
export const LARGEST_STEP = 1 / 8;

/** An input: its shape and what its elements are drawn from. */
export interface Source {
  readonly shape: readonly number[];
  readonly draw: (random: Random, count: number) => Float32Array;
}

const within = (low: number, high: number) => (random: Random, count: number) =>
  Float32Array.from({ length: count }, () => low + (high - low) * random());

/** Numbers from −1.5 to 1.5. */
export const any = (...size: number[]): Source => ({ shape: size, draw: within(-1.5, 1.5) });
/** Numbers from 1 to 2.5. */
export const positive = (...size: number[]): Source => ({ shape: size, draw: within(1, 2.5) });

/** Numbers around the kinks, on both sides, none near. */
export const besides = (kinks: readonly number[], ...size: number[]): Source => ({
  shape: size,
  draw: (random, count) =>
    Float32Array.from({ length: count }, (_, i) => {
      const distance = 1.5 * LARGEST_STEP + random();
      return kinks[i % kinks.length]! + (random() < 0.5 ? -distance : distance);
    }),
});

/** Numbers that keep their order when moved. */
export const ordered = (...size: number[]): Source => ({
  shape: size,
  draw: (random, count) =>
    shuffle(
      Float32Array.from({ length: count }, (_, i) => 3 * LARGEST_STEP * (i - count / 2)),
      random,
    ),
});

/** −1 or 1. */
export const signs = (...size: number[]): Source => ({
  shape: size,
  draw: (random, count) => Float32Array.from({ length: count }, () => (random() < 0.5 ? -1 : 1)),
});
