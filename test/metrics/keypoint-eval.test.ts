// Keypoint evaluation against an independent reference and a known outcome of pycocotools; speed.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { evaluateKeypoints } from "../../src/metrics/keypoint-eval.ts";
import { fixture, hasShared, shared } from "../helpers/shared.ts";

const COCO_SIGMAS = [26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89].map(
  (s) => s / 1000,
);

interface CocoAnnotation {
  image_id: number;
  category_id: number;
  keypoints: number[];
  area: number;
  bbox: number[];
  iscrowd: number;
  num_keypoints: number;
}
interface CocoResult {
  image_id: number;
  category_id: number;
  keypoints: number[];
  score: number;
}
interface RandomCase {
  seed: number;
  sigmas: number[];
  categoryIds: number[];
  imageIds: number[];
  maxDetections: number;
  groundTruth: CocoAnnotation[];
  results: CocoResult[];
  expected: Record<string, number>;
}

const readJson = (path: string) => JSON.parse(readFileSync(path, "utf8"));
const toTruth = (a: CocoAnnotation) => ({
  imageId: a.image_id,
  categoryId: a.category_id,
  keypoints: a.keypoints,
  area: a.area,
  box: a.bbox,
  crowd: a.iscrowd === 1,
  keypointCount: a.num_keypoints,
});
const toResult = (r: CocoResult) => ({
  imageId: r.image_id,
  categoryId: r.category_id,
  keypoints: r.keypoints,
  score: r.score,
});

const cases = readJson(fixture("coco-eval", "random.json")) as RandomCase[];
test.each(cases)("equals the numpy reference to 1e-9, random case $seed", (random) => {
  const { stats } = evaluateKeypoints(
    {
      imageIds: random.imageIds,
      categoryIds: random.categoryIds,
      annotations: random.groundTruth.map(toTruth),
    },
    random.results.map(toResult),
    { sigmas: random.sigmas, maxDetections: random.maxDetections },
  );
  for (const [name, value] of Object.entries(random.expected)) {
    expect(stats[name as keyof typeof stats], name).toBeCloseTo(value, 9);
  }
});

test.skipIf(!hasShared("data", "coco-eval"))("a sample whose figures pycocotools 2.0.11 gave", () => {
  const set = readJson(shared("data", "coco-eval", "example_coco_val.json"));
  const results = readJson(shared("data", "coco-eval", "example_coco_preds.json")) as CocoResult[];
  const { stats } = evaluateKeypoints(
    {
      imageIds: set.images.map((image: { id: number }) => image.id),
      annotations: (set.annotations as CocoAnnotation[]).map(toTruth),
    },
    results.map(toResult),
    { sigmas: COCO_SIGMAS },
  );
  const known = [0.861, 0.993, 0.911, 0.776, 0.937, 0.875, 1, 0.917, 0.78, 0.943];
  expect(Object.values(stats).map((value) => Math.round(value * 1000) / 1000)).toEqual(known);
  expect(stats.AP).toBeCloseTo(0.8608896054440609, 12); // the numpy reference of fixtures/coco-eval on the same files
});

test("a split of val2017's size, 5,000 images with 11,004 persons and 100,000 results, takes seconds", () => {
  let state = 1;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const imageIds = Array.from({ length: 5000 }, (_, i) => i + 1);
  const pose = (x: number, y: number, noise: number) =>
    Array.from({ length: 51 }, (_, i) =>
      i % 3 === 2 ? 2 : (i % 3 === 0 ? x : y) + 10 * (i % 7) + noise * random(),
    );
  const annotations = Array.from({ length: 11_004 }, (_, i) => {
    const [x, y] = [500 * random(), 400 * random()];
    return {
      imageId: (i % 5000) + 1,
      keypoints: pose(x, y, 0),
      area: 8000 * random() + 1100,
      box: [x, y, 70, 70],
    };
  });
  const results = Array.from({ length: 100_000 }, (_, i) => {
    const { keypoints } = annotations[i % 11_004]!;
    const noise = 30 * random();
    return {
      imageId: ((i % 11_004) % 5000) + 1,
      keypoints: keypoints.map((value, n) => (n % 3 === 2 ? 1 : value + noise * random())),
      score: random(),
    };
  });
  const start = performance.now();
  const { stats, counts } = evaluateKeypoints({ imageIds, annotations }, results, { sigmas: COCO_SIGMAS });
  const seconds = (performance.now() - start) / 1000;
  console.log(`evaluated ${counts.results} results in ${seconds.toFixed(2)} s, AP ${stats.AP.toFixed(3)}`);
  expect(seconds).toBeLessThan(20);
});
