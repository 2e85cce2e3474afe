// Box and mask evaluation: against a reference in numpy on random cases, and what is refused.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { runLengthMask } from "../../src/masks/run-length.ts";
import { BOX_SUMMARY } from "../../src/metrics/coco-params.ts";
import {
  type DetectionEvalOptions,
  type DetectionResult,
  type DetectionTruth,
  evaluateDetections,
} from "../../src/metrics/detection-eval.ts";
import { fixture } from "../helpers/shared.ts";

interface Stored {
  readonly seed: number;
  readonly width: number;
  readonly height: number;
  readonly imageIds: number[];
  readonly categoryIds: number[];
  readonly annotations: (DetectionTruth & { counts: number[] })[];
  readonly results: (DetectionResult & { counts: number[] })[];
  readonly box: number[];
  readonly mask: number[];
  readonly maskByBoxArea: number[];
}

const cases = JSON.parse(
  readFileSync(fixture("coco-eval", "random-detections.json"), "utf8"),
) as readonly Stored[];

const KINDS: readonly (readonly ["box" | "mask" | "maskByBoxArea", DetectionEvalOptions])[] = [
  ["box", {}],
  ["mask", { kind: "mask" }],
  ["maskByBoxArea", { kind: "mask", maskAreaFrom: "box" }],
];

describe.each(KINDS)("%s", (name, options) => {
  test.each(cases.map((stored) => [stored.seed, stored] as const))("case %i", (_, stored) => {
    const { width, height, imageIds, categoryIds } = stored;
    const withMask = <T extends { counts: number[] }>(object: T) => ({
      ...object,
      mask: runLengthMask(width, height, object.counts),
    });
    const set = { imageIds, categoryIds, annotations: stored.annotations.map(withMask) };
    const { stats, perCategory, counts } = evaluateDetections(set, stored.results.map(withMask), options);
    BOX_SUMMARY.forEach(({ name: figure }, i) => {
      expect(stats[figure], figure).toBeCloseTo(stored[name][i]!, 10);
    });
    // The mean over the categories that have something to find.
    const found = perCategory.map(({ AP }) => AP).filter((AP) => AP >= 0);
    expect(found.reduce((sum, AP) => sum + AP, 0) / found.length).toBeCloseTo(stats.AP, 10);
    expect(counts.objects + counts.crowds).toBe(stored.annotations.length);
    expect(perCategory.reduce((sum, { results }) => sum + results, 0)).toBe(stored.results.length);
  });
});

const BOX = [10, 10, 20, 20];
const truth: DetectionTruth = { imageId: 1, categoryId: 1, box: BOX, area: 400 };
const result: DetectionResult = { imageId: 1, categoryId: 1, box: BOX, score: 0.5 };
const set = { imageIds: [1], categoryIds: [1], annotations: [truth] };

test("no results at all are figures of 0; a perfect one of 1", () => {
  expect(evaluateDetections(set, []).stats).toMatchObject({ AP: 0, AR100: 0, APl: -1 });
  const { AP, AR1, APs } = evaluateDetections(set, [result]).stats;
  for (const figure of [AP, AR1, APs]) expect(figure).toBeCloseTo(1, 12); // tp / (tp + ε)
});

describe("refuses", () => {
  test.each([
    [
      "a box of three numbers",
      set,
      [{ ...result, box: [1, 2, 3] }],
      {},
      /results\[0\] \(image 1\) has the box/,
    ],
    ["a score that is none", set, [{ ...result, score: Number.NaN }], {}, /the score NaN/],
    ["another split's images", set, [{ ...result, imageId: 9 }], {}, /not in the set: 9/],
    ["masks that are missing", set, [result], { kind: "mask" }, /annotations\[0\] .* has no mask/],
    [
      "an area that is none",
      { ...set, annotations: [{ ...truth, area: Number.NaN }] },
      [],
      {},
      /the area NaN/,
    ],
  ] as const)("%s", (_, truths, results, options, message) => {
    expect(() => evaluateDetections(truths, results, options)).toThrow(message);
  });

  test("thresholds without meaning", () => {
    expect(() => evaluateDetections(set, [result], { thresholds: [0.7, 0.5] })).toThrow(/thresholds/);
  });
});

test("a set of 5,000 pictures and 80 categories takes seconds", () => {
  const annotations: DetectionTruth[] = [];
  const results: DetectionResult[] = [];
  for (let imageId = 1; imageId <= 5000; imageId++) {
    for (let n = 0; n < 7; n++) {
      const categoryId = 1 + ((imageId * 7 + n * 13) % 80);
      const box = [(imageId * 31 + n * 57) % 500, (imageId * 17 + n * 29) % 400, 20 + n * 15, 30 + n * 10];
      annotations.push({ imageId, categoryId, box, area: box[2]! * box[3]! });
      for (let d = 0; d < 4; d++)
        results.push({
          imageId,
          categoryId,
          box: [box[0]! + d * 3, box[1]!, box[2]!, box[3]!],
          score: 1 / (1 + d + n),
        });
    }
  }
  const categoryIds = Array.from({ length: 80 }, (_, i) => i + 1);
  const imageIds = Array.from({ length: 5000 }, (_, i) => i + 1);
  const { counts, stats } = evaluateDetections({ imageIds, categoryIds, annotations }, results);
  expect(counts).toEqual({ images: 5000, objects: 35_000, crowds: 0, results: 140_000 });
  expect(stats.AR100).toBe(1);
});
