// Thinning out, smoothing, and the charts of a training run.
import { expect, test } from "vitest";
import { downsample, smoothed, sortedPoints, trainingSeries } from "../../src/report/curves.ts";
import type { MetricsRecord } from "../../src/report/metrics-log.ts";
import type { Point } from "../../src/report/run-report.ts";

test("points are sorted, and the last of one x counts", () => {
  const points: Point[] = [
    [3, 1],
    [1, 5],
    [Number.NaN, 2],
    [3, 4],
  ];
  expect(sortedPoints(points)).toEqual([
    [1, 5],
    [3, 4],
  ]);
});

test("thinning out keeps ends, peaks and gaps, in order and within the limit", () => {
  const points = Array.from({ length: 54_321 }, (_, x): Point => [x, Math.sin(x)]);
  points[20_000] = [20_000, 99];
  points[20_001] = [20_001, -99];
  for (let x = 30_000; x < 31_000; x++) points[x] = [x, Number.NaN];
  const thin = downsample(points, 2000);
  expect(thin.length).toBeLessThanOrEqual(2000);
  expect(thin.length).toBeGreaterThan(1500);
  expect(thin[0]).toEqual(points[0]);
  expect(thin.at(-1)).toEqual(points.at(-1));
  expect(thin).toContainEqual([20_000, 99]);
  expect(thin).toContainEqual([20_001, -99]);
  expect(thin.some(([x, y]) => x >= 30_000 && x < 31_000 && Number.isNaN(y))).toBe(true);
  expect(thin.every(([x], i) => i === 0 || x > thin[i - 1]![0])).toBe(true);
});

test("few points stay as they are", () => {
  const points: Point[] = [
    [1, 2],
    [2, Number.NaN],
  ];
  expect(downsample(points)).toEqual(points);
});

test("smoothing weighs values by e^(−age/span), whatever the number so far", () => {
  const points: Point[] = [
    [1, 4],
    [2, Number.NaN],
    [3, 8],
    [4, -1],
  ];
  const weight = Math.exp(-1 / 5);
  const means = [
    4,
    (8 + 4 * weight) / (1 + weight),
    (-1 + 8 * weight + 4 * weight ** 2) / (1 + weight + weight ** 2),
  ];
  const result = smoothed(points, 5);
  expect(result.map(([x]) => x)).toEqual([1, 3, 4]);
  for (const [i, [, y]] of result.entries()) expect(y).toBeCloseTo(means[i]!, 12);
});

test("charts of a run: what has no values is left out, metrics of other ranges stand alone", () => {
  const records: MetricsRecord[] = [
    ...[1, 2, 3].map(
      (step): MetricsRecord => ({
        kind: "step",
        step,
        epoch: 1,
        loss: 1 / step,
        learningRate: 0.1,
        imagesPerSecond: 50,
        waitShare: 0.02,
        gradientNorm: Number.NaN,
      }),
    ),
    { kind: "validation", step: 3, epoch: 1, metrics: { AP: 0.4, AR: 0.5, error: 12, loss: 0.3 } },
  ];
  const charts = trainingSeries(records);
  expect(charts.map(({ title }) => title)).toEqual([
    "Loss",
    "Validation",
    "Validation: error",
    "Validation: loss",
    "Learning rate",
    "Speed",
    "Waiting for data",
  ]);
  expect(charts[1]!.lines).toEqual([
    { name: "AP", points: [[3, 0.4]] },
    { name: "AR", points: [[3, 0.5]] },
  ]);
  expect(charts[6]!.lines[0]!.points[0]).toEqual([1, 2]);
  expect(trainingSeries(records, { metrics: ["AR"] })[1]!.lines.map(({ name }) => name)).toEqual(["AR"]);
  expect(trainingSeries([]).map(({ title }) => title)).toEqual(["Loss"]);
});
