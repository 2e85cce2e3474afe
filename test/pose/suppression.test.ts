// Rescoring and OKS-NMS against the official code's outputs.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { oksVariances } from "../../src/metrics/oks.ts";
import { oksNms, poseSimilarity, softOksNms } from "../../src/pose/oks-nms.ts";
import { rescore } from "../../src/pose/rescore.ts";
import { expectNear } from "../helpers/near.ts";
import { fixture } from "../helpers/shared.ts";

/** As the COCO evaluation code has them. */
const COCO_SIGMAS = [
  0.26, 0.25, 0.25, 0.35, 0.35, 0.79, 0.79, 0.72, 0.72, 0.62, 0.62, 1.07, 1.07, 0.87, 0.87, 0.89, 0.89,
].map((sigma) => sigma / 10);

const read = <T>(name: string): T => JSON.parse(readFileSync(fixture("prepost", name), "utf8")) as T;

describe("OKS-NMS", () => {
  const { cases } = read<{
    cases: {
      keypoints: number[][][];
      scores: number[];
      areas: number[];
      oks_iou_matrix: number[][];
      keep: Record<string, number[]>;
      soft_keep: Record<string, number[]>;
    }[];
  }>("oks.json");
  const withPoses = cases.map((given) => ({
    given,
    poses: given.keypoints.map((joints, i) => ({
      keypoints: joints.flat(),
      score: given.scores[i]!,
      area: given.areas[i]!,
    })),
  }));

  test.each(withPoses)("$poses.length poses: similarities", ({ given, poses }) => {
    for (const [i, row] of given.oks_iou_matrix.entries()) {
      expectNear(
        poses.map((pose) => poseSimilarity(poses[i]!, pose, oksVariances(COCO_SIGMAS))),
        row,
        1e-9,
      );
    }
  });

  test.each(withPoses)("$poses.length poses: kept", ({ given, poses }) => {
    for (const [threshold, kept] of Object.entries(given.keep)) {
      expect(oksNms(poses, COCO_SIGMAS, Number(threshold))).toEqual(kept);
    }
    for (const [threshold, kept] of Object.entries(given.soft_keep)) {
      expect(softOksNms(poses, COCO_SIGMAS, Number(threshold))).toEqual(kept);
    }
  });

  test("no poses, none kept", () => {
    expect(oksNms([], COCO_SIGMAS)).toEqual([]);
    expect(softOksNms([], COCO_SIGMAS)).toEqual([]);
  });
});

test("rescoring, then OKS-NMS per image, gives the official results in their order", () => {
  const given = read<{
    preds: number[][][];
    all_boxes: number[][];
    image_ids: number[];
    results: { image_id: number; score: number; keypoints: number[] }[];
  }>("coco_rescore.json");
  const poses = given.preds.map((joints, i) => {
    const keypoints = joints.flat();
    const box = given.all_boxes[i]!;
    return { keypoints, area: box[4]!, score: rescore(keypoints, box[5]!), imageId: given.image_ids[i]! };
  });
  const results = [...new Set(given.image_ids)].flatMap((imageId) => {
    const ofImage = poses.filter((pose) => pose.imageId === imageId);
    return oksNms(ofImage, COCO_SIGMAS).map((kept) => ofImage[kept]!);
  });
  expect(results.map(({ imageId }) => imageId)).toEqual(given.results.map(({ image_id }) => image_id));
  for (const [i, result] of results.entries()) {
    expectNear([result.score], [given.results[i]!.score], 1e-7);
    expect(result.keypoints).toEqual(given.results[i]!.keypoints);
  }
});

test("rescoring counts only keypoints above the threshold", () => {
  expect(rescore([0, 0, 0.2, 0, 0, 0.4, 0, 0, 0.8], 0.5)).toBeCloseTo(0.3, 12);
  expect(rescore([0, 0, 0.1, 0, 0, 0.2], 0.9)).toBe(0);
});
