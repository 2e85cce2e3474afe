// Crop geometry against the official code's outputs (test/fixtures/prepost).
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { cleanBox } from "../../src/data/coco-records.ts";
import { applyAffine, invertAffine } from "../../src/image/affine.ts";
import {
  boxToCenterScale,
  centerScaleFromOfficial,
  cropMatrix,
  mirrorKeypoints,
  mpiiCenterScale,
  OFFICIAL_SCALE_UNIT,
  toImageCoords,
} from "../../src/pose/transforms.ts";
import type { Box } from "../../src/pose/types.ts";
import { expectNear } from "../helpers/near.ts";
import { fixture } from "../helpers/shared.ts";

type Pair = [number, number];
const read = <T>(name: string): T => JSON.parse(readFileSync(fixture("prepost", name), "utf8")) as T;
const official = (scale: readonly number[]): number[] => scale.map((side) => side / OFFICIAL_SCALE_UNIT);

describe("boxToCenterScale", () => {
  const { cases } = read<{
    cases: { aspect_ratio: number; box_xywh: Box; center: Pair; scale: Pair }[];
  }>("box2cs.json");

  test.each(cases)("$box_xywh at aspect $aspect_ratio", ({ aspect_ratio, box_xywh, center, scale }) => {
    const region = boxToCenterScale(box_xywh, { aspect: aspect_ratio });
    expectNear(region.center, center, 1e-4); // the fixture is rounded to float32
    expectNear(official(region.scale), scale, 1e-6);
  });

  test("padding 1 keeps the longer side", () => {
    expect(boxToCenterScale([10, 20, 30, 80], { aspect: 0.75, padding: 1 })).toEqual({
      center: [25, 60],
      scale: [60, 80],
    });
  });
});

describe("cropMatrix, three-point", () => {
  const { cases } = read<{
    cases: {
      center: Pair;
      scale: Pair;
      rot: number;
      output_size: Pair;
      trans: number[][];
      points: Pair[];
      points_forward: Pair[];
      points_inverse: Pair[];
    }[];
  }>("affine.json");

  test.each(cases)("centre $center, scale $scale, rotation $rot", (given) => {
    const region = centerScaleFromOfficial(given.center, given.scale);
    const matrix = cropMatrix(region, given.rot, given.output_size, "three-point");
    // Linear part: the official corner points are rounded to float32, hence no closer.
    expectNear(
      [matrix[0], matrix[1], matrix[3], matrix[4]],
      given.trans.flatMap((row) => row.slice(0, 2)),
      1e-5,
    );
    for (const [i, [x, y]] of given.points.entries()) {
      expectNear(applyAffine(matrix, x, y), given.points_forward[i]!, 5e-3);
      expectNear(toImageCoords([x, y], matrix), given.points_inverse[i]!, 5e-3);
    }
  });
});

describe("cropMatrix, udp", () => {
  const region = { center: [100, 80], scale: [60, 80] } as const;

  test("corners of the region are the middles of the corner pixels", () => {
    const matrix = cropMatrix(region, 0, [192, 256], "udp");
    expectNear(applyAffine(matrix, 70, 40), [0, 0], 1e-10);
    expectNear(applyAffine(matrix, 130, 120), [191, 255], 1e-10);
  });

  test("turns the content the same way as three-point", () => {
    const matrix = cropMatrix(region, 90, [192, 256], "udp");
    const original = cropMatrix(region, 90, [192, 256], "three-point");
    // The point right of the centre comes to lie above the middle in both.
    const [u, v] = applyAffine(matrix, 110, 80);
    expectNear([u], [191 / 2], 1e-9);
    expect(v).toBeLessThan(255 / 2);
    expect(applyAffine(original, 110, 80)[1]).toBeLessThan(128);
  });

  test("the way back undoes rotation, scale and place", () => {
    const matrix = cropMatrix(region, -33, [192, 256], "udp");
    const [u, v] = applyAffine(matrix, 91.25, 17.5);
    expectNear(toImageCoords([u, v], matrix), [91.25, 17.5], 1e-9);
    expectNear(applyAffine(invertAffine(matrix), u, v), [91.25, 17.5], 1e-9);
  });
});

test.each([
  { center: [Number.NaN, 0], scale: [10, 10] },
  { center: [0, 0], scale: [0, 10] },
  { center: [0, 0], scale: [10, Number.POSITIVE_INFINITY] },
] as const)("a region without extent is refused: %o", (region) => {
  expect(() => cropMatrix(region, 0, [192, 256], "three-point")).toThrow(
    expect.objectContaining({ code: "invalid-data" }),
  );
});

test("MPII annotations become the official centre and scale", () => {
  const { annot, db } = read<{
    annot: { center: Pair; scale: number }[];
    db: { center: Pair; scale: Pair }[];
  }>("mpii_db.json");
  for (const [i, { center, scale }] of annot.entries()) {
    const region = mpiiCenterScale(center, scale);
    expectNear(region.center, db[i]!.center, 1e-9);
    expectNear(official(region.scale), db[i]!.scale, 1e-9);
  }
});

test("ground-truth boxes become the official centre and scale", () => {
  const { image_size, annotations, records } = read<{
    image_size: Pair;
    annotations: { bbox: Box; area: number; keypoints: number[] }[];
    records: { center: Pair; scale: Pair }[];
  }>("coco_db.json");
  const boxes = annotations
    .filter(({ keypoints }) => Math.max(...keypoints) > 0)
    .map(({ bbox, area }) =>
      area > 0 ? cleanBox(bbox, { width: image_size[0], height: image_size[1] }) : undefined,
    )
    .filter((box) => box !== undefined);
  expect(boxes.length).toBe(records.length);
  for (const [i, box] of boxes.entries()) {
    const region = boxToCenterScale(box, { aspect: 192 / 256 });
    expectNear(region.center, records[i]!.center, 1e-4);
    expectNear(official(region.scale), records[i]!.scale, 1e-6);
  }
});

test("mirrored keypoints equal the official ones", () => {
  const given = read<{
    joints: number[][];
    joints_vis: number[][];
    width: number;
    flip_pairs: Pair[];
    out_joints: number[][];
    out_vis: number[][];
  }>("fliplr_joints.json");
  const permutation = given.joints.map((_, i) => i);
  for (const [a, b] of given.flip_pairs) {
    permutation[a] = b;
    permutation[b] = a;
  }
  const mirrored = mirrorKeypoints(
    Float64Array.from(given.joints.flatMap((joint) => joint.slice(0, 2))),
    Float32Array.from(given.joints_vis.map((joint) => joint[0]!)),
    given.width,
    permutation,
  );
  expectNear(
    mirrored.keypoints,
    given.out_joints.flatMap((joint) => joint.slice(0, 2)),
    1e-9,
  );
  expectNear(
    mirrored.visibility,
    given.out_vis.map((joint) => joint[0]!),
    0,
  );
});
