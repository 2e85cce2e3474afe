// Persons found by a detector and given to the pose network, in one pipeline.
import { describe, expect, test } from "vitest";
import { Detector } from "../../src/estimators/detector.ts";
import { personsOf } from "../../src/estimators/person-detector.ts";
import { PoseEstimator } from "../../src/estimators/pose-estimator.ts";
import { boxIou } from "../../src/metrics/box-iou.ts";
import { defaultDetector } from "../../src/model-file/embedded.ts";
import type { Model } from "../../src/model-file/import-checkpoint.ts";
import { toOnnx } from "../../src/model-file/onnx-model.ts";
import { defineClassTable } from "../../src/segmentation/class-table.ts";
import { COCO_17 } from "../../src/skeleton/skeletons.ts";
import { syntheticScene } from "../../src/synthetic/scene.ts";
import { randomDetectionModel } from "../helpers/detection-model.ts";
import { randomPoseModel } from "../helpers/pose-model.ts";
import { squares } from "../helpers/segmentation-model.ts";

const options = { device: "cpu", threads: 1 } as const;

/** The detector of animals, whose classes go by these names. */
function detectorOf(names: readonly [string, string]): Promise<Detector> {
  const model = randomDetectionModel(4);
  const classes = defineClassTable({ name: "some", classes: names });
  const renamed: Model = { ...model, description: { ...model.description, classes } };
  return Detector.load(renamed, { ...options, minScore: 0, most: 60 });
}

test("the boxes of the class person are the persons", async () => {
  await using detector = await detectorOf(["dog", "Person"]);
  const image = squares(160, 120);
  const all = await detector.detect(image);
  const persons = all.filter(({ label }) => label === "Person");
  expect(persons.length).toBeGreaterThan(0);
  expect(persons.length).toBeLessThan(all.length);
  await using estimator = await PoseEstimator.load(toOnnx(randomPoseModel()), {
    ...options,
    detector: personsOf(detector),
    oksThreshold: 1,
  });
  const found = await estimator.estimate(image);
  // In another order: the best poses come first.
  const rounded = (list: readonly { readonly box: readonly number[] }[]): string[] =>
    list.map(({ box }) => box.map((side) => Math.round(side)).join()).sort();
  expect(rounded(found)).toEqual(rounded(persons));
});

test("a detector of several classes without persons is refused", async () => {
  await using detector = await detectorOf(["cat", "dog"]);
  expect(() => personsOf(detector)).toThrow(/finds cat, dog, but no persons/);
});

describe("the detector of the package", () => {
  const missing = defaultDetector() === undefined;
  const scene = syntheticScene({ width: 480, height: 360, people: 2, difficulty: 0, seed: 4 });

  test.skipIf(missing)("finds drawn people where no boxes are given", async () => {
    await using estimator = await PoseEstimator.load(toOnnx(randomPoseModel()), options);
    const found = await estimator.estimate(scene.image);
    for (const { box } of scene.persons) {
      const nearest = Math.max(...found.map((person) => boxIou(box, person.box)));
      expect(nearest, box.join()).toBeGreaterThan(0.5);
    }
    expect(found.length).toBeLessThanOrEqual(scene.persons.length + 1);
  });

  test("is not asked by models of other things than persons, nor where null says so", async () => {
    const model = toOnnx(randomPoseModel());
    const skeleton = { ...COCO_17, name: "spiders" };
    const spiders = { ...model, description: { ...model.description, skeleton } };
    for (const [source, detector] of [
      [spiders, undefined],
      [model, null],
    ] as const) {
      await using estimator = await PoseEstimator.load(source, { ...options, detector });
      const found = await estimator.estimate(scene.image);
      expect(found.map(({ box }) => box)).toEqual([[0, 0, 480, 360]]);
    }
  });
});
