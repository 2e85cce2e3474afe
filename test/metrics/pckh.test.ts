// PCKh, PCK and the training log's accuracy against the original code's figures and by hand.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { heatmapAccuracy } from "../../src/metrics/heatmap-accuracy.ts";
import { evaluatePck, torsoLength } from "../../src/metrics/pck.ts";
import { evaluatePckh, type PckhTruth } from "../../src/metrics/pckh.ts";
import { fixture } from "../helpers/shared.ts";

const readJson = (name: string) => JSON.parse(readFileSync(fixture("prepost", name), "utf8"));

test("PCKh equals MPIIDataset.evaluate", () => {
  const { pos_gt_src, jnt_missing, headboxes_src, preds, result } = readJson("pckh.json");
  const persons = preds.length as number;
  const truths = Array.from(
    { length: persons },
    (_, n): PckhTruth => ({
      joints: pos_gt_src.flatMap((joint: number[][]) => [joint[0]![n]!, joint[1]![n]!]),
      missing: jnt_missing.map((joint: number[]) => joint[n]!),
      headBox: headboxes_src.flatMap((corner: number[][]) => [corner[0]![n]!, corner[1]![n]!]),
    }),
  );
  const ours = evaluatePckh(
    truths,
    preds.map((person: number[][]) => person.flat()),
    3,
  );
  for (const [name, value] of Object.entries(ours.groups)) expect(value, name).toBeCloseTo(result[name], 10);
  expect(ours.mean50).toBeCloseTo(result["Mean"], 10);
  expect(ours.mean11).toBeCloseTo(result["Mean@0.1"], 10); // the original's "0.1" is 0.11
  expect(ours.mean10).toBeLessThanOrEqual(ours.mean11);
});

test("PCKh by hand: distances in head sizes, coordinates counted from 1, excluded joints", () => {
  // The head box 30 × 40 has the diagonal 50: a head size of 0.6 · 50 = 30. At 0.5 a joint may be off by 15, at 0.11 by
  // 3.3, at 0.10 by 3.
  const truth = { joints: [101, 101, 201, 201, 301, 301], missing: [0, 0, 0], headBox: [10, 10, 40, 50] };
  const off = (first: number) => [100 + first, 100, 200, 215, 315.5, 300];
  const result = evaluatePckh([truth, truth], [off(3.2), off(0)], 2, {
    groups: { All: [0, 1] },
    excluded: [2],
  });
  expect(result.joints).toEqual([100, 100, 0]);
  expect(result.mean50).toBe(100);
  expect(result.mean11).toBe(50); // joint 0 of both, joint 1 of none
  expect(result.mean10).toBe(25); // 3.2 > 3
  expect(result.groups).toEqual({ All: 100 });
});

test("PCKh refuses what it cannot measure", () => {
  const truth = { joints: [1, 1], missing: [0], headBox: [1, 1, 1, 1] };
  expect(() => evaluatePckh([truth], [[0, 0]], 2)).toThrow(/Person 0 has the head box \[1, 1, 1, 1\]/);
  const right = { ...truth, headBox: [0, 0, 3, 4] };
  expect(() => evaluatePckh([right], [[Number.NaN, 0]], 2)).toThrow(/joint 0 that is not finite/);
  expect(() => evaluatePckh([right], [], 2)).toThrow(/0 predictions for 1/);
  expect(() => evaluatePckh([right], [[0, 0, 0]], 2)).toThrow(/Person 0/);
});

test("accuracy equals the original's accuracy()", () => {
  const { shape, pred_peaks, target_peaks, acc, avg, cnt } = readJson("accuracy.json");
  const [, J, height, width] = shape;
  // An empty target map (value 0) has its maximum at 0, 0.
  const positions = (peaks: number[][][]) =>
    peaks.flat().flatMap(([x, y, v]) => (v! > 0 ? [x!, y!] : [0, 0]));
  const ours = heatmapAccuracy(positions(pred_peaks), positions(target_peaks), J, [width, height]);
  expect(ours.mean).toBeCloseTo(avg, 12);
  expect(ours.validJoints).toBe(cnt);
  for (const [j, value] of ours.joints.entries()) expect(value).toBeCloseTo(acc[j + 1], 12);
});

test("PCK by hand", () => {
  // Torso from the shoulder (0, 0) to the hip (30, 40): 50 long, so 0.2 allows 10.
  const truth = [0, 0, 1, 30, 40, 1, 100, 100, 1, 0, 0, 0];
  expect(torsoLength(truth, 0, 1)).toBe(50);
  expect(torsoLength(truth, 0, 3)).toBeUndefined();
  const prediction = [6, 8, 1, 30, 50.1, 1, 100, 100, 1, 99, 99, 1];
  const result = evaluatePck([{ truth, prediction, size: 50 }], 0.2);
  expect(result.annotated).toEqual([1, 1, 1, 0]);
  expect(result.keypoints).toEqual([1, 0, 1, Number.NaN]);
  expect(result.pck).toBeCloseTo(2 / 3, 12);
  expect(() => evaluatePck([{ truth, prediction, size: 0 }], 0.2)).toThrow(/Person 0/);
});
