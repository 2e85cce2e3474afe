// FCOS: the places of every level, what each is to find, and detections from what it found.

import type { CornerBoxes } from "./boxes.ts";

/** A level of places: cells of a feature map, each `stride` pixels wide. */
export interface FcosLevel {
  readonly height: number;
  readonly width: number;
  readonly stride: number;
  /** Longest distance to a side, in pixels, for which the level answers: more than the first, up to the second. */
  readonly range: readonly [number, number];
}

/** Source: Tian et al. 2019 (arXiv:1904.01355), §3.2, on strides 8 to 128. */
const RANGES: readonly (readonly [number, number])[] = [
  [-1, 64],
  [64, 128],
  [128, 256],
  [256, 512],
  [512, Number.POSITIVE_INFINITY],
];

/** Stride of the first level; each further one has twice as much. */
const FIRST_STRIDE = 8;

/**
 * The five levels of a picture, as HRFPN makes them: the map at a quarter of the size, rounded up twice, averaged over 2^l cells, where
 * a rest goes, and halved, rounded up.
 */
export function fcosLevels(height: number, width: number): FcosLevel[] {
  const side = (length: number, l: number): number =>
    Math.ceil(Math.floor(Math.ceil(Math.ceil(length / 2) / 2) / 2 ** l) / 2);
  return RANGES.map((range, l) => ({
    height: side(height, l),
    width: side(width, l),
    stride: FIRST_STRIDE * 2 ** l,
    range,
  }));
}

/** Places of all levels together. */
export const placesOf = (levels: readonly FcosLevel[]): number =>
  levels.reduce((sum, { height, width }) => sum + height * width, 0);

/** Calls `visit` for every place, level by level and row by row: its index, its centre in pixels, its level. */
function eachPlace(
  levels: readonly FcosLevel[],
  visit: (place: number, x: number, y: number, level: FcosLevel) => void,
): void {
  let place = 0;
  for (const level of levels) {
    const { height, width, stride } = level;
    const half = Math.floor(stride / 2);
    for (let row = 0; row < height; row++)
      for (let column = 0; column < width; column++)
        visit(place++, half + column * stride, half + row * stride, level);
  }
}

/** What every place is to find; all arrays by place. */
export interface FcosTargets {
  /** The class, or −1 where there is nothing. */
  readonly classes: Int32Array;
  /** Left, top, right and bottom distance in pixels, places×4; 0 where there is nothing. */
  readonly distances: Float32Array;
  /** √(min(l, r)/max(l, r) · min(t, b)/max(t, b)), 0 … 1. */
  readonly centerness: Float32Array;
  /** Places with an object. */
  readonly positives: number;
}

/**
 * What every place is to find: of the objects that it lies in and whose longest distance its level answers for, the one with the
 * smallest area. Source: §3.1 and 3.2 of the paper; `FCOSHead.get_targets` of mmdetection.
 * @param boxes N×4, corners in pixels
 * @param classes N
 */
export function fcosTargets(
  levels: readonly FcosLevel[],
  boxes: CornerBoxes,
  classes: ArrayLike<number>,
): FcosTargets {
  const count = placesOf(levels);
  const found = new Int32Array(count).fill(-1);
  const distances = new Float32Array(4 * count);
  const centerness = new Float32Array(count);
  let positives = 0;
  eachPlace(levels, (place, x, y, { range }) => {
    let smallest = Number.POSITIVE_INFINITY;
    for (let n = 0; n < classes.length; n++) {
      const [x1, y1, x2, y2] = [boxes[4 * n]!, boxes[4 * n + 1]!, boxes[4 * n + 2]!, boxes[4 * n + 3]!];
      const [left, top, right, bottom] = [x - x1, y - y1, x2 - x, y2 - y];
      if (Math.min(left, top, right, bottom) <= 0) continue;
      const longest = Math.max(left, top, right, bottom);
      const area = (x2 - x1) * (y2 - y1);
      if (longest <= range[0] || longest > range[1] || area >= smallest) continue;
      smallest = area;
      found[place] = classes[n]!;
      distances.set([left, top, right, bottom], 4 * place);
      centerness[place] = Math.sqrt(
        (Math.min(left, right) / Math.max(left, right)) * (Math.min(top, bottom) / Math.max(top, bottom)),
      );
    }
    if (found[place]! >= 0) positives++;
  });
  return { classes: found, distances, centerness, positives };
}
