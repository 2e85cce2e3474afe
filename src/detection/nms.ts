// Non-maximum suppression: of boxes that overlap, the best-scored one stays.

import type { BoxExtent, CornerBoxes } from "./boxes.ts";

/** How {@link suppress} works. */
export interface SuppressionOptions {
  /** Boxes that overlap a better one by more than this IoU go. */
  readonly threshold: number;
  /** Boxes suppress those of their own class alone; by default all are of one. */
  readonly classes?: ArrayLike<number> | undefined;
  readonly extent?: BoxExtent | undefined;
  /** Also those whose IoU is the threshold itself, as mmdetection 1.x does on CPUs. Default false. */
  readonly inclusive?: boolean | undefined;
  /** Boxes that stay at most. */
  readonly most?: number | undefined;
}

/**
 * Places of the boxes that stay, by descending score; equal scores keep their order.
 * @param boxes N×4
 */
export function suppress(
  boxes: CornerBoxes,
  scores: ArrayLike<number>,
  {
    threshold,
    classes,
    extent = "continuous",
    inclusive = false,
    most = Number.POSITIVE_INFINITY,
  }: SuppressionOptions,
): number[] {
  const more = extent === "pixels" ? 1 : 0;
  const order = Array.from({ length: scores.length }, (_, i) => i).sort((a, b) => scores[b]! - scores[a]!);
  const areas = order.map((i) => {
    const width = Math.max(0, boxes[4 * i + 2]! - boxes[4 * i]! + more);
    return width * Math.max(0, boxes[4 * i + 3]! - boxes[4 * i + 1]! + more);
  });
  const gone = new Uint8Array(order.length);
  const kept: number[] = [];
  for (let n = 0; n < order.length && kept.length < most; n++) {
    if (gone[n] === 1) continue;
    const i = order[n]!;
    kept.push(i);
    const [x1, y1, x2, y2] = [boxes[4 * i]!, boxes[4 * i + 1]!, boxes[4 * i + 2]!, boxes[4 * i + 3]!];
    for (let m = n + 1; m < order.length; m++) {
      const j = order[m]!;
      if (gone[m] === 1 || (classes && classes[i] !== classes[j])) continue;
      const width = Math.min(x2, boxes[4 * j + 2]!) - Math.max(x1, boxes[4 * j]!) + more;
      const height = Math.min(y2, boxes[4 * j + 3]!) - Math.max(y1, boxes[4 * j + 1]!) + more;
      if (width <= 0 || height <= 0) continue;
      const shared = width * height;
      const iou = shared / (areas[n]! + areas[m]! - shared);
      if (iou > threshold || (inclusive && iou === threshold)) gone[m] = 1;
    }
  }
  return kept;
}
