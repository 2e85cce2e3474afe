// How regressed boxes are written: as shifts and logarithmic factors of the box that they start from.

import type { BoxExtent } from "./boxes.ts";

/** How differences of boxes are written. */
export interface BoxCoding {
  /** What the four differences are divided by. */
  readonly stds: readonly [number, number, number, number];
  readonly extent: BoxExtent;
}

/** Of region proposals: as they are. Source: `bbox_coder` of mmdetection's configurations, here and below. */
export const RPN_STDS = [1, 1, 1, 1] as const;
/** Of the stages of box heads; one stage has the first. */
export const STAGE_STDS = [
  [0.1, 0.1, 0.2, 0.2],
  [0.05, 0.05, 0.1, 0.1],
  [0.033, 0.033, 0.067, 0.067],
] as const;
/** Boxes grow and shrink by this factor at most: e^4.135… */
export const MOST_LOG_FACTOR = Math.log(1000 / 16);

/**
 * What brings the box `from` to the box `to`: dx, dy in its width and height, logarithms of the factors of width and height. Source:
 * Girshick et al. 2014 (arXiv:1311.2524), appendix C; `DeltaXYWHBBoxCoder` of mmdetection.
 */
export function encodeBox(
  from: ArrayLike<number>,
  to: ArrayLike<number>,
  { stds, extent }: BoxCoding,
): [number, number, number, number] {
  const more = extent === "pixels" ? 1 : 0;
  const size = (box: ArrayLike<number>, axis: number): number => box[axis + 2]! - box[axis]! + more;
  const middle = (box: ArrayLike<number>, axis: number): number => (box[axis]! + box[axis + 2]!) / 2;
  const shift = (axis: number): number =>
    (middle(to, axis) - middle(from, axis)) / size(from, axis) / stds[axis]!;
  const factor = (axis: number): number => Math.log(size(to, axis) / size(from, axis)) / stds[axis + 2]!;
  return [shift(0), shift(1), factor(0), factor(1)];
}
