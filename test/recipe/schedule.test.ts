// Learning rates against the formulas of the papers and numbers of the official code.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { learningRateAt } from "../../src/recipe/schedule.ts";
import type { ScheduleRecipe } from "../../src/recipe/training-schema.ts";
import { hasShared, shared } from "../helpers/shared.ts";

const position = (step: number) => ({ step, stepsPerEpoch: 10, epochs: 210 });

test("step: the official pose schedule", () => {
  const schedule: ScheduleRecipe = { type: "step", milestones: [170, 200], factor: 0.1 };
  const at = (step: number) => learningRateAt(schedule, null, 1e-3, position(step));
  expect([0, 1699, 1700, 1999, 2000, 2099].map(at)).toEqual(
    [1e-3, 1e-3, 1e-4, 1e-4, 1e-5, 1e-5].map((rate) => expect.closeTo(rate, 12)),
  );
});

test("poly: formula and minimum", () => {
  const schedule = { type: "poly", power: 0.9, minimum: 1e-4 } as const;
  const at = (step: number) => learningRateAt(schedule, null, 0.01, position(step));
  expect(at(0)).toBe(0.01);
  expect(at(525)).toBeCloseTo(1e-4 + 0.0099 * 0.75 ** 0.9, 12);
  expect(at(2100)).toBeCloseTo(1e-4, 12);
});

test.skipIf(!hasShared("fixtures", "seg_ops", "lr.json"))("poly: rates of the official code", () => {
  const { poly } = JSON.parse(readFileSync(shared("fixtures", "seg_ops", "lr.json"), "utf8")) as {
    poly: { rows: [number, number][] };
  };
  const schedule = { type: "poly", power: 0.9, minimum: 0 } as const;
  expect(poly.rows.length).toBeGreaterThan(3);
  for (const [step, rate] of poly.rows) {
    expect(learningRateAt(schedule, null, 0.01, { step, stepsPerEpoch: 100, epochs: 10 })).toBeCloseTo(
      rate,
      14,
    );
  }
});

test("cosine: half way is the mean, a third is three quarters of the way down the arc", () => {
  const schedule = { type: "cosine", minimum: 0.2 } as const;
  const at = (step: number) => learningRateAt(schedule, null, 1, position(step));
  expect(at(0)).toBe(1);
  expect(at(700)).toBeCloseTo(0.2 + 0.8 * 0.75, 12);
  expect(at(1050)).toBeCloseTo(0.6, 12);
  expect(at(2100)).toBeCloseTo(0.2, 12);
  expect(at(5000)).toBeCloseTo(0.2, 12);
});

test("warm-up: mmcv's line from the ratio, on whatever the schedule says", () => {
  const warmUp = { steps: 500, from: 0.001 };
  const constant = (step: number) => learningRateAt({ type: "constant" }, warmUp, 2e-3, position(step));
  expect(constant(0)).toBeCloseTo(2e-6, 12);
  expect(constant(250)).toBeCloseTo(2e-3 * (1 - 0.5 * 0.999), 12);
  expect(constant(499)).toBeLessThan(2e-3);
  expect(constant(500)).toBe(2e-3);
  const step: ScheduleRecipe = { type: "step", milestones: [10], factor: 0.1 };
  expect(learningRateAt(step, warmUp, 1, position(100))).toBeCloseTo(0.1 * (1 - 0.8 * 0.999), 12);
});
