// The corner cases of the COCO evaluation, one by one, with expectations worked out by hand.
import { describe, expect, test } from "vitest";
import { boxIou, boxSimilarity } from "../../src/metrics/box-iou.ts";
import { evaluateCoco } from "../../src/metrics/coco-eval.ts";
import { matchImage } from "../../src/metrics/coco-matching.ts";
import { BOX_PARAMS, BOX_SUMMARY, COCO_THRESHOLDS } from "../../src/metrics/coco-params.ts";
import { summarize } from "../../src/metrics/coco-summary.ts";
import {
  evaluateKeypoints,
  type KeypointResult,
  type KeypointTruth,
} from "../../src/metrics/keypoint-eval.ts";
import { oks, oksVariances } from "../../src/metrics/oks.ts";

// Four keypoints with σ 0.05. Areas of 2,000 square pixels are "medium".
const sigmas = [0.05, 0.05, 0.05, 0.05];
const at = (x: number, y: number, v = 2) => [x, y, v, x + 40, y, v, x, y + 50, v, x + 40, y + 50, v];
const truth = (imageId: number, x: number, more: Partial<KeypointTruth> = {}): KeypointTruth => ({
  imageId,
  keypoints: at(x, 0),
  area: 2000,
  box: [x, 0, 40, 50],
  ...more,
});
const result = (
  imageId: number,
  x: number,
  score: number,
  more: Partial<KeypointResult> = {},
): KeypointResult => ({
  imageId,
  keypoints: at(x, 0, 1),
  score,
  ...more,
});
const stats = (
  annotations: readonly KeypointTruth[],
  results: readonly KeypointResult[],
  more: { imageIds?: number[]; categoryIds?: number[]; maxDetections?: number } = {},
) => {
  const { imageIds = [1, 2], categoryIds = [1], maxDetections } = more;
  return evaluateKeypoints({ imageIds, categoryIds, annotations }, results, { sigmas, maxDetections }).stats;
};

test("thresholds are numpy's linspace to the last bit", () => {
  expect(COCO_THRESHOLDS).toEqual([0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.8999999999999999, 0.95]);
});

test("equal scores keep the order of the images, whatever the order of the results", () => {
  // Both results have score 0.5. Image 1's is right, image 2's is wrong; image 1 comes first: the curve starts with the
  // right one. One of two persons is found: precision 1 up to recall 0.5 (51 of 101 recall thresholds), 0 above.
  const annotations = [truth(1, 0), truth(2, 0)];
  const expected = 51 / 101;
  expect(stats(annotations, [result(2, 900, 0.5), result(1, 0, 0.5)]).AP).toBeCloseTo(expected, 12);
  // With image 2 the one that is right, the wrong one comes first: precision is 1/2 up to recall 0.5.
  expect(stats(annotations, [result(2, 0, 0.5), result(1, 900, 0.5)]).AP).toBeCloseTo(expected / 2, 12);
});

test("equal scores within an image keep their order: the first of two takes the only person", () => {
  // OKS 1 for x = 0. A shift of 10 gives exp(−100 / (0.1² · 2000 · 2)) = exp(−2.5) = 0.08: matches nothing.
  const annotations = [truth(1, 0)];
  expect(stats(annotations, [result(1, 0, 0.5), result(1, 10, 0.5)]).AP).toBeCloseTo(1, 12);
  // Wrong first: precision 1/2 at every recall.
  expect(stats(annotations, [result(1, 10, 0.5), result(1, 0, 0.5)]).AP).toBeCloseTo(0.5, 12);
});

test("of equally similar ground truths the later one is matched", () => {
  const object = { imageId: 1, categoryId: 1, area: 100, ignore: false, crowd: false };
  const detection = { imageId: 1, categoryId: 1, area: 100, score: 1 };
  const all = { name: "all", min: 0, max: 1e10 };
  expect([...matchImage([object, object], [detection], [0.8, 0.8], [0.5], all).matches]).toEqual([1]);
  // … and a similarity of exactly the threshold matches; one bit less does not.
  expect([...matchImage([object], [detection], [0.5], [0.5], all).matches]).toEqual([0]);
  expect([...matchImage([object], [detection], [0.49999999999999994], [0.5], all).matches]).toEqual([-1]);
  // min(t, 1 − 1e-10): a similarity a little below 1 still matches at threshold 1.
  expect([...matchImage([object], [detection], [1 - 5e-11], [1], all).matches]).toEqual([0]);
});

test("a ground truth that counts is preferred to an ignored one that is more similar", () => {
  const object = { imageId: 1, categoryId: 1, area: 100, ignore: false, crowd: false };
  const detection = { imageId: 1, categoryId: 1, area: 100, score: 1 };
  const all = { name: "all", min: 0, max: 1e10 };
  const matches = matchImage([{ ...object, ignore: true }, object], [detection], [0.9, 0.6], [0.5], all);
  expect([...matches.matches]).toEqual([1]);
  expect([...matches.ignored]).toEqual([0]);
});

test("a crowd takes any number of results, which then count neither way; two crowds take them too", () => {
  const crowd = { crowd: true };
  const two = [truth(1, 0), truth(1, 500, crowd), truth(1, 500, crowd)];
  const results = [result(1, 500, 0.9), result(1, 500, 0.8), result(1, 500, 0.7), result(1, 0, 0.6)];
  // Without crowds there would be three wrong results before the right one: AP 1/4.
  expect(stats(two, results).AP).toBeCloseTo(1, 12);
  expect(stats([truth(1, 0)], results).AP).toBeCloseTo(0.25, 12);
});

test("an area exactly on a boundary belongs to both ranges", () => {
  const area = 9216; // medium ends and large begins here
  const boundary = stats([truth(1, 0, { area })], [result(1, 0, 1)]);
  expect([boundary.APm, boundary.APl]).toEqual([expect.closeTo(1, 12), expect.closeTo(1, 12)]);
  const above = stats([truth(1, 0, { area: area + 0.01 })], [result(1, 0, 1)]);
  expect([above.APm, above.APl]).toEqual([-1, expect.closeTo(1, 12)]);
});

test("a category with results but no ground truth has no figure and does not lower the mean", () => {
  const annotations = [truth(1, 0, { categoryId: 1 })];
  const results = [result(1, 0, 1), result(1, 0, 1, { categoryId: 7 })];
  expect(stats(annotations, results, { categoryIds: [1, 7] }).AP).toBeCloseTo(1, 12);
  expect(stats([], results, { categoryIds: [7] })).toMatchObject({ AP: -1, AR: -1, APl: -1 });
});

test("a result on an image without ground truth is wrong", () => {
  // It comes first by score: precision 1/2 everywhere; recall is not hurt.
  const figures = stats([truth(1, 0)], [result(2, 0, 0.9), result(1, 0, 0.8)]);
  expect(figures.AP).toBeCloseTo(0.5, 12);
  expect(figures.AR).toBe(1);
});

test("results beyond maxDetections are not looked at, the best-scored ones are", () => {
  const wrong = Array.from({ length: 20 }, (_, i) => result(1, 5000 + 200 * i, 0.9));
  expect(stats([truth(1, 0)], [result(1, 0, 0.5), ...wrong]).AR).toBe(0);
  expect(stats([truth(1, 0)], [result(1, 0, 0.95), ...wrong]).AR).toBe(1);
  expect(stats([truth(1, 0)], [result(1, 0, 0.5), ...wrong], { maxDetections: 21 }).AR).toBe(1);
});

test("an unmatched result whose own area is out of the range is ignored there", () => {
  // The wrong result spans 40 × 50 = 2,000: medium. For "large" it does not exist, for "medium" it is wrong.
  const annotations = [truth(1, 0), truth(1, 2000, { area: 20000 })];
  const figures = stats(annotations, [result(1, 900, 0.9), result(1, 0, 0.8), result(1, 2000, 0.7)]);
  expect(figures.APl).toBeCloseTo(1, 12);
  expect(figures.APm).toBeCloseTo(0.5, 12);
});

describe("persons without a labelled keypoint", () => {
  const unlabelled = truth(1, 0, { keypoints: at(0, 0, 0) });

  test("are ignored, and so are the results that match them by their box made three times as large", () => {
    // The box is 40 × 50 at 0, 0: enlarged it reaches from −40 to 80 and from −50 to 100. A pose inside has OKS 1.
    const variances = oksVariances(sigmas);
    expect(oks(unlabelled, { keypoints: at(-40, 50) }, variances)).toBe(1);
    // 10 pixels to the right of it, two of the four keypoints (x = 90) are 10 away:
    // exp(−100 / (0.1² · 2000 · 2)) = exp(−2.5) each.
    expect(oks(unlabelled, { keypoints: at(50, 0) }, variances)).toBeCloseTo(
      (2 + 2 * Math.exp(-2.5)) / 4,
      12,
    );
    const other = truth(1, 900);
    expect(stats([unlabelled, other], [result(1, 20, 0.9), result(1, 900, 0.8)]).AP).toBeCloseTo(1, 12);
  });

  test("are told by num_keypoints where it is given, else by counting", () => {
    expect(stats([truth(1, 0, { keypointCount: 0 })], []).AP).toBe(-1);
    expect(stats([unlabelled], []).AP).toBe(-1);
  });
});

test("only labelled keypoints count towards OKS", () => {
  // Keypoints 0 and 1 labelled; keypoint 1 is 5 off: exp(−25 / (0.1² · 2000 · 2)) = exp(−0.625).
  const half = { keypoints: [0, 0, 2, 40, 0, 1, 0, 0, 0, 0, 0, 0], area: 2000, box: [0, 0, 40, 50] };
  const pose = { keypoints: [0, 0, 1, 45, 0, 1, 777, 7, 1, 7, 777, 1] };
  expect(oks(half, pose, oksVariances(sigmas))).toBeCloseTo((1 + Math.exp(-0.625)) / 2, 12);
});

test("objects without area: the similarity is 1 on the spot and 0 elsewhere, never NaN", () => {
  const flat = { keypoints: at(0, 0), area: 0, box: [0, 0, 0, 0] };
  expect(oks(flat, { keypoints: at(0, 0) }, oksVariances(sigmas))).toBe(1);
  expect(oks(flat, { keypoints: at(1, 1) }, oksVariances(sigmas))).toBe(0);
  expect(boxIou([5, 5, 0, 0], [5, 5, 0, 0])).toBe(0);
  expect(boxIou([5, 5, 10, 0], [0, 0, 20, 20])).toBe(0);
});

test("an empty list of results gives zeros, and −1 where there is nothing to find", () => {
  const figures = stats([truth(1, 0)], []);
  expect(figures).toMatchObject({ AP: 0, AP50: 0, AP75: 0, APm: 0, APl: -1, AR: 0, ARm: 0, ARl: -1 });
});

test("any number of sigmas", () => {
  for (const K of [1, 2, 14, 133]) {
    const keypoints = Array.from({ length: 3 * K }, (_, i) => (i % 3 === 2 ? 2 : i * 3));
    const { stats } = evaluateKeypoints(
      { imageIds: [1], annotations: [{ imageId: 1, keypoints, area: 5000, box: [0, 0, 50, 100] }] },
      [{ imageId: 1, keypoints, score: 0.3 }],
      { sigmas: Array.from({ length: K }, () => 0.07) },
    );
    expect(stats.AP).toBeCloseTo(1, 12);
  }
});

test("figures per keypoint, by their definition", () => {
  // Person 1 is found, with keypoint 1 off by 4: similarity exp(−16 / (0.1² · 2000 · 2)) = exp(−0.4) = 0.67 ≥ 0.5, and
  // keypoint 2 off by 8: exp(−1.6) = 0.2. Person 2 is not found.
  const keypoints = at(0, 0, 1);
  keypoints[3]! += 4;
  keypoints[6]! += 8;
  const { perKeypoint, counts } = evaluateKeypoints(
    { imageIds: [1, 2], annotations: [truth(1, 0), truth(2, 0), truth(2, 500, { crowd: true })] },
    [{ imageId: 1, keypoints, score: 1 }],
    { sigmas },
  );
  expect(perKeypoint[0]).toEqual({ labelled: 2, found: 1, similar: 1, meanError: 0 });
  expect(perKeypoint[1]).toEqual({
    labelled: 2,
    found: 1,
    similar: 1,
    meanError: expect.closeTo(4 / Math.sqrt(2000), 12),
  });
  expect(perKeypoint[2]).toMatchObject({
    found: 1,
    similar: 0,
    meanError: expect.closeTo(8 / Math.sqrt(2000), 12),
  });
  expect(counts).toEqual({ images: 2, persons: 2, ignored: 1, results: 1, found: 1 });
});

describe("what is refused", () => {
  const annotations = [truth(1, 0)];
  test("numbers that are not finite", () => {
    expect(() => stats(annotations, [result(1, 0, Number.NaN)])).toThrow(
      /results\[0\] \(image 1\).*score NaN/,
    );
    expect(() => stats(annotations, [result(1, Number.NaN, 1)])).toThrow(
      /results\[0\].*keypoint 0 has x = NaN/,
    );
    expect(() => stats([truth(1, 0, { area: Number.NaN })], [])).toThrow(/annotations\[0\].*area NaN/);
  });
  test("images that the set does not know, by id", () => {
    expect(() => stats(annotations, [result(77, 0, 1), result(78, 0, 1)])).toThrow(/2 image ids.*77, 78/);
  });
  test("another number of keypoints", () => {
    expect(() => stats(annotations, [result(1, 0, 1, { keypoints: [1, 2, 3] })])).toThrow(
      /3 keypoint numbers; expected 12/,
    );
  });
  test("sigmas that are none", () => {
    expect(() => evaluateKeypoints({ imageIds: [1], annotations: [] }, [], { sigmas: [0] })).toThrow(
      /sigmas is \[0\]/,
    );
  });
});

test("boxes join with a similarity function and two tables: twelve figures worked out by hand", () => {
  const object = (x: number, side: number, crowd = false) => ({
    imageId: 1,
    categoryId: 3,
    box: [x, 0, side, side],
    area: side * side,
    crowd,
    ignore: crowd,
  });
  const found = (x: number, side: number, score: number) => ({ ...object(x, side), score });
  // A small (20²) and a large (200²) object, and a crowd. The first two results hit exactly, the third lies in the
  // crowd (IoU with a crowd = part of the result inside it = 1), the fourth shifts the large one by 50:
  // it finds no free object and is wrong, but last.
  const truths = [object(0, 20), object(1000, 200), object(3000, 400, true)];
  const results = [found(0, 20, 0.9), found(1000, 200, 0.8), found(3100, 50, 0.95), found(1050, 200, 0.1)];
  expect(boxIou([3100, 0, 50, 50], [3000, 0, 400, 400], true)).toBe(1);
  expect(boxIou([1050, 0, 200, 200], [1000, 0, 200, 200])).toBeCloseTo(150 / 250, 12);
  const evaluation = evaluateCoco(
    { imageIds: [1], categoryIds: [3], truths },
    results,
    boxSimilarity,
    BOX_PARAMS,
  );
  const one = expect.closeTo(1, 12);
  expect(summarize(evaluation, BOX_SUMMARY)).toEqual({
    AP: one,
    AP50: one,
    AP75: one,
    APs: one,
    APm: -1,
    APl: one,
    AR1: 0, // the only result looked at, score 0.95, is the one in the crowd
    AR10: 1,
    AR100: 1,
    ARs: 1,
    ARm: -1,
    ARl: 1,
  });
});
