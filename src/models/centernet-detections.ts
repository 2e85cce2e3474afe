// From CenterNet's maps to detections, in the graph: corners paired by their tags, boxes kept that have a centre of their class in the middle.
// Duan et al. 2019 (arXiv:1904.08189), §3.1.

import { cast, wholePart } from "../graph/ops/cast.ts";
import {
  absolute,
  add,
  div,
  equal,
  greater,
  indicator,
  less,
  maximum,
  mul,
  scalar,
  scale,
  shift,
  sigmoid,
  sub,
} from "../graph/ops/elementwise.ts";
import { maxPool } from "../graph/ops/pool.ts";
import { topK } from "../graph/ops/scatter.ts";
import { gatherRows, oneHot, shapeOf } from "../graph/ops/select.ts";
import { concat, gather, reshape, transpose } from "../graph/ops/shape.ts";
import type { Value } from "../graph/value.ts";
import { clipBoxes, pictureLimit } from "../regions/boxes.ts";
import { type DetectionValues, finalDetections } from "../regions/detections.ts";
import { bestOf, type ScoredBoxes } from "../regions/proposals.ts";
import { scoresWhere } from "../regions/suppression.ts";

/** Pixels of a cell. */
const STRIDE = 4;
/** Keypoints of each kind that are looked at. Source: `top_k` of CenterNet's configurations, here and below. */
const KEYPOINTS = 70;
/** Largest difference of the tags of two corners of one object. */
const MOST_APART = 0.5;
/** Pairs that are looked at. */
const PAIRS = 1000;
/** The middle of a box is a third of it, of larger ones a fifth; sides from this on, in pixels. */
const LARGE = 150;

/** Keypoints of one kind, best first; all B×70. */
interface Keypoints {
  readonly scores: Value;
  readonly classes: Value;
  /** Pixels. */
  readonly x: Value;
  readonly y: Value;
  /** Of corners. */
  readonly tags?: Value;
}

function keypointsOf(outputs: Readonly<Record<string, Value>>, kind: string): Keypoints {
  const heatmaps = outputs[`heatmaps_${kind}`]!;
  const [batch] = heatmaps.shape as readonly [number];
  const probabilities = sigmoid(heatmaps);
  const highest = maxPool(probabilities, { kernel: [3, 3], strides: [1, 1], pads: [1, 1, 1, 1] });
  const peaks = mul(probabilities, indicator(equal(probabilities, highest)));
  const { scores, places } = bestOf(reshape(peaks, [batch, -1]), KEYPOINTS);
  // place = (class·h + row)·w + column, whatever the map's size.
  const at = cast(places, "float32");
  const sizes = cast(shapeOf(heatmaps), "float32");
  const [height, width] = [gather(sizes, [2], 0), gather(sizes, [3], 0)];
  const area = mul(height, width);
  const quotient = (a: Value, b: Value): Value => wholePart(div(shift(a, 0.5), b));
  const classes = quotient(at, area);
  const cell = sub(at, mul(classes, area));
  const row = quotient(cell, width);
  const column = sub(cell, mul(row, width));
  const index = cast(cell, "int64");
  const pick = (name: string): Value => {
    const map = outputs[`${name}_${kind}`]!;
    return gatherRows(transpose(reshape(map, [0, 0, -1]), [0, 2, 1]), index, true); // B×70×C
  };
  const offsets = pick("offsets");
  const along = (axis: number, base: Value): Value =>
    scale(add(base, reshape(gather(offsets, [axis], 2), [batch, KEYPOINTS])), STRIDE);
  return {
    scores,
    classes,
    x: along(0, column),
    y: along(1, row),
    ...(kind !== "center" && { tags: reshape(pick("tags"), [batch, KEYPOINTS]) }),
  };
}

/** How detections are made. */
export interface CenternetTestOptions {
  readonly minScore: number;
  /** IoU above which the weaker of two boxes of a class goes; the original weakens it instead (soft NMS). */
  readonly nms: number;
  readonly most: number;
}

/**
 * Detections: the mean of the three keypoints' probabilities.
 * @param x pictures, B×3×H×W
 * @param outputs of `centernetHead`
 */
export function centernetDetections(
  x: Value,
  outputs: Readonly<Record<string, Value>>,
  classes: number,
  { minScore, nms, most }: CenternetTestOptions,
): DetectionValues {
  const [first, second, center] = ["topLeft", "bottomRight", "center"].map((kind) =>
    keypointsOf(outputs, kind),
  ) as [Keypoints, Keypoints, Keypoints];
  const { boxes, scores, labels } = pairsOf(first, second);
  const [batch, count] = scores.shape as readonly [number, number];
  const best = centerScores(boxes, labels, center, [batch, count]);
  const together = scale(add(scale(scores, 2), best), 1 / 3);
  const kept = mul(indicator(greater(best, scalar(0))), indicator(greater(scores, scalar(0))));
  const byClass = mul(
    oneHot(reshape(labels, [batch, count, 1]), classes),
    reshape(mul(together, kept), [batch, count, 1]),
  );
  const limit = pictureLimit(x, "continuous");
  return finalDetections(clipBoxes(boxes, limit), byClass, { minScore, nms, most, extent: "continuous" });
}

/** The best pairs of corners of one class that lie as corners do and whose tags are near. */
function pairsOf(first: Keypoints, second: Keypoints): ScoredBoxes & { readonly labels: Value } {
  const [batch] = first.scores.shape as readonly [number];
  const rows = (value: Value): Value => reshape(value, [batch, KEYPOINTS, 1]);
  const columns = (value: Value): Value => reshape(value, [batch, 1, KEYPOINTS]);
  const below = (a: Value, b: Value): Value => indicator(greater(columns(b), rows(a)));
  const conditions = [
    indicator(equal(rows(first.classes), columns(second.classes))),
    indicator(less(absolute(sub(rows(first.tags!), columns(second.tags!))), scalar(MOST_APART))),
    below(first.x, second.x),
    below(first.y, second.y),
    indicator(greater(rows(first.scores), scalar(0))),
    indicator(greater(columns(second.scores), scalar(0))),
  ];
  const scores = scale(add(rows(first.scores), columns(second.scores)), 0.5);
  const fitting = scoresWhere(
    scores,
    conditions.reduce((product, part) => mul(product, part)),
  );
  const pairs = KEYPOINTS * KEYPOINTS;
  const { values, indices } = topK(reshape(fitting, [batch, pairs]), Math.min(PAIRS, pairs), 1);
  const at = cast(indices, "float32");
  const row = wholePart(scale(shift(at, 0.5), 1 / KEYPOINTS));
  const [a, b] = [cast(row, "int64"), cast(sub(at, scale(row, KEYPOINTS)), "int64")];
  const pick = (values_: Value, places: Value): Value => gatherRows(values_, places, true);
  const sides = [pick(first.x, a), pick(first.y, a), pick(second.x, b), pick(second.y, b)];
  const boxes = concat(
    sides.map((side) => reshape(side, [0, 0, 1])),
    2,
  );
  return { boxes, scores: values, labels: pick(first.classes, a) };
}

/** The best centre of each box's class in its middle; 0 where there is none. B×P */
function centerScores(
  boxes: Value,
  labels: Value,
  center: Keypoints,
  [batch, count]: readonly [number, number],
): Value {
  const [x1, y1, x2, y2] = [0, 1, 2, 3].map((side) => gather(boxes, [side], 2)) as [
    Value,
    Value,
    Value,
    Value,
  ]; // B×P×1
  const across = (value: Value): Value => reshape(value, [batch, 1, KEYPOINTS]);
  const larger = indicator(greater(maximum(sub(x2, x1), sub(y2, y1)), scalar(LARGE)));
  // Half of the middle's share: 1/6, or 1/10.
  const half = sub(scalar(1 / 6), scale(larger, 1 / 6 - 1 / 10));
  const within = (low: Value, high: Value, at: Value): Value => {
    const middle = scale(add(low, high), 0.5);
    const reach = mul(sub(high, low), half);
    return indicator(less(absolute(sub(across(at), middle)), reach)); // B×P×70
  };
  const same = indicator(equal(reshape(labels, [batch, count, 1]), across(center.classes)));
  const inside = mul(mul(within(x1, x2, center.x), within(y1, y2, center.y)), same);
  const scores = mul(
    inside,
    mul(across(center.scores), indicator(greater(across(center.scores), scalar(0)))),
  );
  return reshape(topK(scores, 1, 2).values, [batch, count]);
}
