// What CenterNet is to find in a sample: heatmaps of corners and centres, where in their cells they lie, and which corners belong together.

import { shuffle } from "../random/random.ts";
import type { TargetWriter } from "./target-writer.ts";
import type { PlacedObject } from "./vary-picture.ts";

/** How many of what a sample holds. Plain data. */
export interface TripletTargetOptions {
  readonly classes: number;
  /** Objects of a picture whose corners are brought together; of more, some are drawn by lot. */
  readonly objects: number;
}

/** Pixels of a cell. */
const STRIDE = 4;
/** IoU with the object that a box with corners within the radius still has. Source: `gaussian_iou` of CornerNet's configurations. */
const LEAST_IOU = 0.7;

/**
 * The distance in cells by which both corners of a box may be off without its IoU with the true one falling below {@link LEAST_IOU}: the
 * smallest of the cases that the box shifts, shrinks and grows. Source: Law & Deng 2018 (arXiv:1808.01244), §3.2; `gaussian_radius` of its
 * released code (the corrected roots).
 */
export function cornerRadius(width: number, height: number): number {
  const [sum, area, o] = [width + height, width * height, LEAST_IOU];
  const smaller = (a: number, b: number, c: number): number =>
    (b - Math.sqrt(Math.max(0, b * b - 4 * a * c))) / (2 * a);
  const shifted = smaller(1, sum, (area * (1 - o)) / (1 + o));
  const shrunk = smaller(4, 2 * sum, (1 - o) * area);
  const [a, b, c] = [4 * o, -2 * o * sum, (o - 1) * area];
  const grown = (b + Math.sqrt(b * b - 4 * a * c)) / (2 * a);
  return Math.max(0, Math.floor(Math.min(shifted, shrunk, grown)));
}

/** Lays a Gaussian of that radius (σ a sixth of its width) over a map, the larger value staying. */
function drawPeak(
  map: Float32Array,
  width: number,
  height: number,
  x: number,
  y: number,
  radius: number,
): void {
  const variance = 2 * ((2 * radius + 1) / 6) ** 2;
  for (let row = Math.max(0, y - radius); row <= Math.min(height - 1, y + radius); row++) {
    for (let column = Math.max(0, x - radius); column <= Math.min(width - 1, x + radius); column++) {
      const value = Math.exp(-((row - y) ** 2 + (column - x) ** 2) / variance);
      const at = row * width + column;
      map[at] = Math.max(map[at]!, value);
    }
  }
}

/** Top left, bottom right, centre of a box, in cells. */
const keypoints = ({ corners: [x1, y1, x2, y2] }: PlacedObject): readonly (readonly [number, number])[] => [
  [x1 / STRIDE, y1 / STRIDE],
  [x2 / STRIDE, y2 / STRIDE],
  [(x1 + x2) / 2 / STRIDE, (y1 + y2) / 2 / STRIDE],
];

/**
 * Fields for maps of h×w cells: `heatmaps` float32 3×K×h×w, `offsets` 3×2×h×w, `marks` 3×h×w (1 where there is a keypoint), `asked` h×w (0
 * where nobody knows), `corners` G×2 (cells of both corners of an object; −1: none).
 */
export function createTripletTargets(
  input: readonly [number, number],
  { classes, objects: most }: TripletTargetOptions,
): TargetWriter {
  const [height, width] = input.map((side) => Math.ceil(Math.ceil(side / 2) / 2)) as [number, number];
  const area = height * width;
  return {
    fields: [
      { name: "heatmaps", dtype: "float32", shape: [3, classes, height, width] },
      { name: "offsets", dtype: "float32", shape: [3, 2, height, width] },
      { name: "marks", dtype: "float32", shape: [3, height, width] },
      { name: "asked", dtype: "float32", shape: [height, width] },
      { name: "corners", dtype: "float32", shape: [most, 2] },
    ],
    write({ objects, random }, into) {
      const [heatmaps, offsets, marks] = [into["heatmaps"]!, into["offsets"]!, into["marks"]!];
      into["asked"]!.fill(1);
      for (const { asked, corners } of objects) if (!asked) hide(into["asked"]!, width, height, corners);
      into["corners"]!.fill(-1);
      const wanted = objects.filter(({ asked }) => asked);
      const order = shuffle(
        wanted.map((_, i) => i),
        random,
      );
      order.forEach((index, place) => {
        const object = wanted[index]!;
        const [x1, y1, x2, y2] = object.corners;
        const radius = cornerRadius(Math.ceil((x2 - x1) / STRIDE), Math.ceil((y2 - y1) / STRIDE));
        const cells = keypoints(object).map(([x, y], kind) => {
          const column = Math.min(width - 1, Math.floor(x));
          const row = Math.min(height - 1, Math.floor(y));
          const first = (kind * classes + object.class) * area;
          drawPeak(
            heatmaps.subarray(first, first + area) as Float32Array,
            width,
            height,
            column,
            row,
            radius,
          );
          const at = row * width + column;
          offsets[2 * kind * area + at] = x - column;
          offsets[(2 * kind + 1) * area + at] = y - row;
          marks[kind * area + at] = 1;
          return at;
        });
        if (place < most) into["corners"]!.set(cells.slice(0, 2), 2 * place);
      });
    },
  };
}

/** Nothing is asked of the cells of a box. */
function hide(
  asked: Float32Array | Uint8Array,
  width: number,
  height: number,
  [x1, y1, x2, y2]: readonly [number, number, number, number],
): void {
  for (let row = Math.floor(y1 / STRIDE); row < Math.min(height, Math.ceil(y2 / STRIDE)); row++)
    asked.fill(
      0,
      row * width + Math.floor(x1 / STRIDE),
      row * width + Math.min(width, Math.ceil(x2 / STRIDE)),
    );
}
