// From what an FCOS head says to detections, in the graph.

import { greater, indicator, mul, scalar, sigmoid } from "../graph/ops/elementwise.ts";
import { topK } from "../graph/ops/scatter.ts";
import { gatherRows } from "../graph/ops/select.ts";
import { concat, reshape, transpose } from "../graph/ops/shape.ts";
import type { Value } from "../graph/value.ts";
import { boxesAroundCells, clipBoxes, pictureLimit, withArea } from "../regions/boxes.ts";
import { type DetectionValues, finalDetections } from "../regions/detections.ts";
import { bestOf } from "../regions/proposals.ts";
import { scoresWhere } from "../regions/suppression.ts";

/** Stride of the first level; each further one has twice as much. */
const FIRST_STRIDE = 8;
/** Best places of each level that are looked at. Source: `test_cfg` of mmdetection's FCOS configurations. */
const PER_LEVEL = 1000;

/** How detections are made. */
export interface FcosTestOptions {
  /** Classes with a probability that is not above this are left out. */
  readonly minScore: number;
  /** IoU above which the weaker of two boxes of a class goes. */
  readonly nms: number;
  /** Detections of a picture. */
  readonly most: number;
}

/**
 * Detections. Source: `FCOSHead.get_bboxes` of mmdetection: the best places of each level by class × centreness, the threshold on the
 * class alone, suppression within each class by the product.
 * @param x pictures, B×3×H×W
 * @param outputs of `fcosHead`
 */
export function fcosDetections(
  x: Value,
  outputs: Readonly<Record<string, Value>>,
  { minScore, nms, most }: FcosTestOptions,
): DetectionValues {
  const limit = pictureLimit(x, "continuous");
  const byPlace = (map: Value): Value => transpose(reshape(map, [0, 0, -1]), [0, 2, 1]);
  const levels: { boxes: Value; scores: Value }[] = [];
  for (let l = 0; outputs[`classes${l}`]; l++) {
    const map = outputs[`classes${l}`]!;
    const [batch] = map.shape as readonly [number];
    const probabilities = sigmoid(byPlace(map)); // B×P×K
    const centerness = sigmoid(byPlace(outputs[`centerness${l}`]!)); // B×P×1
    const highest = topK(probabilities, 1, 2).values;
    const best = bestOf(reshape(mul(highest, centerness), [batch, -1]), PER_LEVEL);
    const pick = (table: Value): Value => gatherRows(table, best.places, true);
    const distances = byPlace(outputs[`distances${l}`]!);
    const around = boxesAroundCells(map, FIRST_STRIDE * 2 ** l, distances);
    const boxes = clipBoxes(pick(around), limit);
    const own = pick(probabilities); // B×k×K
    const counts = mul(
      indicator(greater(own, scalar(minScore))),
      reshape(mul(indicator(greater(best.scores, scalar(0))), withArea(boxes)), [batch, PER_LEVEL, 1]),
    );
    levels.push({ boxes, scores: scoresWhere(mul(own, pick(centerness)), counts) });
  }
  const all = (name: "boxes" | "scores"): Value =>
    concat(
      levels.map((level) => level[name]),
      1,
    );
  return finalDetections(all("boxes"), all("scores"), { minScore: 0, nms, most, extent: "continuous" });
}
