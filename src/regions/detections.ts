// From scored boxes to detections in graphs: suppression within each class, the best of all classes.

import type { BoxExtent } from "../detection/boxes.ts";
import { cast, wholePart } from "../graph/ops/cast.ts";
import { greater, indicator, scalar, scale, shift, sub } from "../graph/ops/elementwise.ts";
import { topK } from "../graph/ops/scatter.ts";
import { gatherRows } from "../graph/ops/select.ts";
import { reshape, transpose } from "../graph/ops/shape.ts";
import type { Value } from "../graph/value.ts";
import { scoresWhere, suppressedScores } from "./suppression.ts";

/** How detections are made. */
export interface DetectionOptions {
  /** Scores that are not above this are left out. */
  readonly minScore: number;
  /** IoU above which the weaker of two boxes of a class goes. */
  readonly nms: number;
  /** Detections of a picture. */
  readonly most: number;
  readonly extent: BoxExtent;
}

/** Detections of each picture by descending score; where there are fewer than D, the rest has a score below 0. */
export interface DetectionValues {
  /** B×D×4: `x1, y1, x2, y2` in pixels. */
  readonly boxes: Value;
  /** B×D. */
  readonly scores: Value;
  /** float32 B×D: number of the class. */
  readonly classes: Value;
}

/**
 * Detections. Source: `multiclass_nms` of mmdetection.
 * @param boxes B×R×4, or B×R×K×4: a box for each class
 * @param scores B×R×K
 */
export function finalDetections(
  boxes: Value,
  scores: Value,
  { minScore, nms, most, extent }: DetectionOptions,
): DetectionValues {
  const [batch, regions, classes] = scores.shape as readonly [number, number, number];
  const count = Math.min(most, regions * classes);
  const options = { threshold: nms, minScore, most: count };
  const byClass = transpose(scores, [0, 2, 1]); // B×K×R
  const own = boxes.shape.length === 4;
  const table = own ? reshape(transpose(boxes, [0, 2, 1, 3]), [batch * classes, regions, 4]) : boxes;
  const rows = own ? reshape(byClass, [batch * classes, 1, regions]) : byClass;
  const asked = scoresWhere(rows, indicator(greater(rows, scalar(minScore))));
  const left = reshape(suppressedScores(table, asked, extent, options), [batch, classes * regions]);
  const { values, indices } = topK(left, count, 1);
  const places = cast(indices, "float32"); // class·R + region
  const labels = wholePart(scale(shift(places, 0.5), 1 / regions));
  const region = cast(sub(places, scale(labels, regions)), "int64");
  const chosen = own
    ? gatherRows(reshape(table, [batch, classes * regions, 4]), indices, true)
    : gatherRows(boxes, region, true);
  return { boxes: chosen, scores: values, classes: labels };
}
