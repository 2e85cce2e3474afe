// Regions that a box head learns from, chosen in the graph: proposals and true boxes matched, and a fixed number drawn.

import type { BoxExtent } from "../detection/boxes.ts";
import { expand } from "../graph/ops/broadcast.ts";
import { add, detach, greater, indicator, less, mul, scalar, shift, sub } from "../graph/ops/elementwise.ts";
import { topK } from "../graph/ops/scatter.ts";
import { gatherRows } from "../graph/ops/select.ts";
import { concat, reshape, slice } from "../graph/ops/shape.ts";
import type { Value } from "../graph/value.ts";
import { pairwiseOverlaps } from "./boxes.ts";

/** The objects of each picture of a batch, as many as G. */
export interface TrueObjects {
  /** B×G×4 pixels. */
  readonly boxes: Value;
  /** float32 B×G: the class; −1 where there is none; −2 where nothing is asked. */
  readonly classes: Value;
}

/** How regions are drawn. */
export interface SamplingOptions {
  /** IoU with a true box from which a region shows its object; below it shows none. */
  readonly positiveIou: number;
  /** Regions of a picture. */
  readonly count: number;
  /** Of them, how many show an object at most. */
  readonly positives: number;
  readonly extent: BoxExtent;
}

/** Regions of each picture, those with an object first: within the first `positives`. */
export interface SampledRegions {
  /** B×S×4 pixels. */
  readonly boxes: Value;
  /** B×S: 1 where the region shows an object. */
  readonly positive: Value;
  /** B×S: 1 for regions that count, 0 for those that make up the number. */
  readonly weights: Value;
  /** float32 B×S: the class of the matched object, whatever `positive` says. */
  readonly classes: Value;
  /** B×S×4: the box of the matched object. */
  readonly targets: Value;
  /** int64 B×S: its number among the G. */
  readonly objects: Value;
}

/** Share of a region in a part of which nobody knows, from which it is no negative. Source: `ignore_iof_thr` of mmdetection, where it is on. */
const MOST_IGNORED = 0.5;

/**
 * Draws the regions. True boxes are proposals too. Source: Girshick 2015 (arXiv:1504.08083), §2.3; `MaxIoUAssigner` and `RandomSampler` of
 * mmdetection.
 * @param proposed boxes B×R×4 and 1 for those that are any, B×R
 * @param draws uniform random numbers in 0 … 1, B×(R + G)
 */
export function sampleRegions(
  proposed: { readonly boxes: Value; readonly valid: Value },
  truth: TrueObjects,
  draws: Value,
  { positiveIou, count, positives, extent }: SamplingOptions,
): SampledRegions {
  const boxes = concat([detach(proposed.boxes), truth.boxes], 1); // B×(R+G)×4
  const [batch, rows] = boxes.shape as readonly [number, number];
  const objects = truth.boxes.shape[1] as number;
  const present = indicator(greater(truth.classes, scalar(-0.5))); // B×G
  const unknown = indicator(less(truth.classes, scalar(-1.5)));
  const valid = concat([detach(proposed.valid), present], 1);
  const { iou, covered } = pairwiseOverlaps(boxes, truth.boxes, extent); // B×(R+G)×G
  const across = (marks: Value): Value => reshape(marks, [batch, 1, objects]);
  // Below 0 where there is no object.
  const best = topK(add(mul(iou, across(present)), shift(across(present), -1)), 1, 2);
  const overlap = reshape(best.values, [batch, rows]);
  const hidden = reshape(topK(mul(covered, across(unknown)), 1, 2).values, [batch, rows]);
  const shows = indicator(greater(overlap, scalar(positiveIou - 1e-6)));
  const positive = mul(valid, shows);
  const negative = mul(mul(valid, sub(scalar(1), shows)), indicator(less(hidden, scalar(MOST_IGNORED))));

  // Positives up to their number by lot, then negatives by lot: 2 … 3 and 1 … 2; what is neither has less than 1.
  const drawn = mul(positive, shift(draws, 1)); // B×(R+G)
  const { values } = topK(drawn, positives, 1);
  const least = slice(values, 1, positives - 1, positives); // B×1
  const reached = sub(scalar(1), indicator(less(drawn, expand(least, [batch, rows]))));
  const chosen = mul(positive, reached);
  const order = add(mul(chosen, shift(draws, 2)), mul(negative, shift(draws, 1)));
  const { values: ranks, indices } = topK(order, count, 1);
  const matched = reshape(gatherRows(best.indices, indices, true), [batch, count]); // int64 B×S
  return {
    boxes: detach(gatherRows(boxes, indices, true)),
    positive: indicator(greater(ranks, scalar(1.9999))),
    weights: indicator(greater(ranks, scalar(0.9999))),
    classes: detach(gatherRows(truth.classes, matched, true)),
    targets: detach(gatherRows(truth.boxes, matched, true)),
    objects: matched,
  };
}
