// Affine matrices against their definitions.
import { expect, test } from "vitest";
import {
  type Affine,
  affineFromPoints,
  applyAffine,
  composeAffine,
  IDENTITY,
  invertAffine,
} from "../../src/image/affine.ts";

const M: Affine = [0.8, -0.3, 12, 0.4, 1.1, -7];

test("apply, compose and invert agree", () => {
  expect(applyAffine(M, 2, 3)).toEqual([0.8 * 2 - 0.3 * 3 + 12, 0.4 * 2 + 1.1 * 3 - 7]);
  composeAffine(invertAffine(M), M).forEach((value, i) => {
    expect(value).toBeCloseTo(IDENTITY[i]!, 12);
  });
  const shift: Affine = [1, 0, 5, 0, 1, 6];
  for (const [second, first] of [
    [shift, M],
    [M, shift],
  ] as const) {
    const expected = applyAffine(second, ...applyAffine(first, 1, 1));
    applyAffine(composeAffine(second, first), 1, 1).forEach((value, i) => {
      expect(value).toBeCloseTo(expected[i]!, 12);
    });
  }
});

test("three points fix the map", () => {
  const from = [
    [1, 2],
    [10, 3],
    [4, 9],
  ] as const; // prettier-ignore
  const to = from.map(([x, y]) => applyAffine(M, x, y));
  affineFromPoints(from, [to[0]!, to[1]!, to[2]!]).forEach((value, i) => {
    expect(value).toBeCloseTo(M[i]!, 10);
  });
});

test("maps without an inverse are refused with their numbers", () => {
  expect(() => invertAffine([1, 2, 0, 2, 4, 0])).toThrow(/\[1, 2, 0, 2, 4, 0\] has no inverse/);
  expect(() => invertAffine([Number.NaN, 0, 0, 0, 1, 0])).toThrow(/no inverse/);
  expect(() => invertAffine([1, 0, Number.NaN, 0, 1, 0])).toThrow(/no inverse/);
  expect(() =>
    affineFromPoints(
      [
        [0, 0],
        [1, 1],
        [2, 2],
      ],
      [
        [0, 0],
        [1, 0],
        [0, 1],
      ],
    ),
  ).toThrow(/on one line/); // prettier-ignore
});
