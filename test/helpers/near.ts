// Comparison of number arrays within a tolerance.
import { expect } from "vitest";

/** Largest absolute difference of two equally long arrays; NaN anywhere counts as infinitely far. */
export function maxDifference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  expect(actual.length).toBe(expected.length);
  let largest = 0;
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs(actual[i]! - expected[i]!);
    if (!(difference <= largest)) largest = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
  }
  return largest;
}

/** Largest difference as a share of the largest reference value. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  const largest = Array.from(expected).reduce((max, value) => Math.max(max, Math.abs(value)), 0);
  return maxDifference(actual, expected) / largest;
}

/** Fails unless every element is within `tolerance`. */
export function expectNear(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  expect(maxDifference(actual, expected)).toBeLessThanOrEqual(tolerance);
}
