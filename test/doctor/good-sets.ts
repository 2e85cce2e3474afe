// Sets without any fault, for tests that break one thing at a time.
import { interpretForDoctor } from "../../src/doctor/read-dataset.ts";
import type { Examined, PictureFacts } from "../../src/doctor/types.ts";
import { COCO_17 } from "../../src/skeleton/skeletons.ts";

/** Anything may be broken. */
// biome-ignore lint/suspicious/noExplicitAny: tests write fields of every wrong type
export type Loose = any;

/** A standing person facing the camera, in a box of 60 × 120. */
export const POSE: readonly (readonly [number, number])[] = [
  [30, 14],
  [35, 10],
  [25, 10],
  [40, 12],
  [20, 12],
  [45, 30],
  [15, 30],
  [50, 50],
  [10, 50],
  [52, 68],
  [8, 68],
  [40, 68],
  [20, 68],
  [41, 92],
  [19, 92],
  [42, 116],
  [18, 116],
];

/** Keypoints at an offset; the right ankle is hidden. */
export const poseAt = (x: number, y: number): number[] =>
  POSE.flatMap(([px, py], k) => [px + x, py + y, k === 16 ? 1 : 2]);

/** 60 pictures of 200 × 280 with four persons each, COCO's 17 keypoints. */
export function goodCoco(): Loose {
  const images = Array.from({ length: 60 }, (_, i) => ({
    id: i + 1,
    file_name: `${i + 1}.jpg`,
    width: 200,
    height: 280,
  }));
  const annotations = images.flatMap(({ id }) =>
    [0, 1, 2, 3].map((n) => {
      const [x, y] = [10 + 90 * (n % 2), 10 + 130 * Math.floor(n / 2)];
      return {
        id: 4 * id + n,
        image_id: id,
        category_id: 1,
        bbox: [x, y, 60, 120],
        area: 3816,
        iscrowd: 0,
        num_keypoints: 17,
        keypoints: poseAt(x, y),
      };
    }),
  );
  const categories = [{ id: 1, name: "person", keypoints: [...COCO_17.keypoints], skeleton: [[1, 2]] }];
  return { images, annotations, categories };
}

/** 60 pictures of 200 × 280 with four objects each, half of them outlined by polygons, half by run lengths. */
export function goodInstances(): Loose {
  const { images } = goodCoco();
  const annotations = images.flatMap(({ id }: { id: number }) =>
    [0, 1, 2, 3].map((n) => {
      const [x, y] = [10 + 90 * (n % 2), 10 + 130 * Math.floor(n / 2)];
      return {
        id: 4 * id + n,
        image_id: id,
        category_id: 1 + (n % 3),
        bbox: [x, y, 60, 120],
        area: 7200,
        iscrowd: 0,
        segmentation: n < 2 ? rectanglePolygon(x, y) : rectangleRuns(x, y),
      };
    }),
  );
  const categories = ["cat", "dog", "bird"].map((name, i) => ({ id: i + 1, name }));
  return { images, annotations, categories };
}

const rectanglePolygon = (x: number, y: number): number[][] => [
  [x, y, x + 60, y, x + 60, y + 120, x, y + 120],
];
/** Columns of 280 pixels, 120 of them inside in 60 columns. */
const rectangleRuns = (x: number, y: number) => {
  const between = Array.from({ length: 59 }, () => [160, 120]).flat();
  return { size: [280, 200], counts: [280 * x + y, 120, ...between, 280 * (200 - x - 60) + 280 - y - 120] };
};

/** 240 persons in MPII's form: pixels counted from 1. */
export function goodMpii(): Loose {
  return Array.from({ length: 240 }, (_, i) => ({
    image: `${i}.jpg`,
    center: [41, 71],
    scale: 0.6,
    joints: MPII_ORDER.map((k) => [POSE[k]![0] + 11, POSE[k]![1] + 11]),
    joints_vis: Array(16).fill(1),
  }));
}

/** COCO's keypoints that stand for MPII's joints. */
const MPII_ORDER = [16, 14, 12, 11, 13, 15, 12, 5, 0, 1, 10, 8, 6, 5, 7, 9];

/** Facts of pictures as annotated (200 × 280 where nothing is annotated), changed by `change`. */
export function examined(
  json: unknown,
  change: Readonly<Record<string, Partial<PictureFacts>>> = {},
  others: Examined["others"] = [],
): Examined {
  const dataset = interpretForDoctor(json, "set.json");
  const pictures = new Map(
    dataset.images.map((image, i): [number, PictureFacts] => [
      image.index,
      {
        path: `/pictures/${image.fileName}`,
        state: "ok",
        width: image.width ?? 200,
        height: image.height ?? 280,
        bytes: 1000 + i,
        digest: `digest ${image.index}`,
        ...change[image.fileName ?? ""],
      },
    ]),
  );
  return { dataset, imageFolder: "/pictures", pictures, others };
}
