// Random streams: distribution, independence of seeds, and shuffles.
import { expect, test } from "vitest";
import {
  hashSeed,
  normalRandom,
  shuffle,
  truncatedNormalRandom,
  uniformRandom,
} from "../../src/random/random.ts";

const draw = (next: () => number, count = 20_000): number[] => Array.from({ length: count }, next);
const mean = (values: readonly number[]): number => values.reduce((sum, v) => sum + v, 0) / values.length;
const deviation = (values: readonly number[]): number => {
  const middle = mean(values);
  return Math.sqrt(mean(values.map((v) => (v - middle) ** 2)));
};

test("uniform and normal numbers have their distributions' moments", () => {
  const uniform = draw(uniformRandom(1));
  expect(Math.min(...uniform)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...uniform)).toBeLessThan(1);
  expect(mean(uniform)).toBeCloseTo(0.5, 1);
  expect(deviation(uniform)).toBeCloseTo(Math.sqrt(1 / 12), 2);
  const normal = draw(normalRandom(uniformRandom(2)));
  expect(Math.abs(mean(normal))).toBeLessThan(0.03);
  expect(deviation(normal)).toBeCloseTo(1, 1);
});

test("the truncated normal distribution within ±1 has a deviation of 0.5396", () => {
  const values = draw(truncatedNormalRandom(uniformRandom(3), 1));
  expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(1);
  // Var = 1 − 2·φ(1)/(2Φ(1) − 1) = 1 − 0.4839/0.6827
  expect(Math.abs(deviation(values) - 0.5396)).toBeLessThan(0.01);
});

test("first numbers of neighbouring seeds are spread like independent ones", () => {
  const seeds = new Set<number>();
  const firsts: number[] = [];
  for (let epoch = 0; epoch < 20; epoch++) {
    for (let place = 0; place < 1000; place++) {
      const seed = hashSeed(7, epoch, place);
      seeds.add(seed);
      firsts.push(uniformRandom(seed)());
    }
  }
  expect(seeds.size).toBeGreaterThan(19_990);
  expect(Math.abs(mean(firsts) - 0.5)).toBeLessThan(0.01);
  const products = firsts.slice(1).map((value, i) => (value - 0.5) * (firsts[i]! - 0.5));
  expect(Math.abs(mean(products))).toBeLessThan(0.003); // 5σ of the mean
  expect(hashSeed(2 ** 40)).not.toBe(hashSeed(0));
  expect(hashSeed(1, 2)).not.toBe(hashSeed(2, 1));
});

test("a shuffle keeps every number, and each comes to each place about equally often", () => {
  const counts = Array.from({ length: 16 }, () => 0);
  for (let seed = 0; seed < 4000; seed++) {
    const order = shuffle([0, 1, 2, 3], uniformRandom(hashSeed(seed)));
    expect([...order].sort()).toEqual([0, 1, 2, 3]);
    order.forEach((value, place) => {
      counts[4 * value + place]!++;
    });
  }
  for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(140); // 5σ
});
