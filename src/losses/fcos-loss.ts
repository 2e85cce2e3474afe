// The loss of FCOS: classes by focal loss, boxes by IoU, centreness by cross-entropy.

import { HRNetError } from "../errors.ts";
import { sumAll } from "../graph/ops/broadcast.ts";
import { add, atLeast1, clip, div, greater, indicator, mul, scalar } from "../graph/ops/elementwise.ts";
import { oneHot } from "../graph/ops/select.ts";
import { concat, reshape, transpose } from "../graph/ops/shape.ts";
import { constant, formatType, type Value } from "../graph/value.ts";
import { tensor } from "../tensor/tensor.ts";
import { binaryCrossEntropy, type FocalOptions, focalLoss, iouLoss } from "./detection-losses.ts";

/** What the network says, by level. */
export interface FcosPredictions {
  /** N×K×h×w logits each. */
  readonly classes: readonly Value[];
  /** N×4×h×w pixels each, above 0. */
  readonly distances: readonly Value[];
  /** N×1×h×w logits each. */
  readonly centerness: readonly Value[];
}

/** What it is to say: the P places of all levels one after another. */
export interface FcosTruth {
  /** float32 N×P: the class, −1 where there is nothing, −2 where nothing is asked. */
  readonly classes: Value;
  /** N×P×4 pixels. */
  readonly distances: Value;
  /** N×P, 0 … 1. */
  readonly centerness: Value;
}

/** The three parts, each a number, and their sum. */
export interface FcosLoss {
  readonly classes: Value;
  readonly boxes: Value;
  readonly centerness: Value;
  readonly total: Value;
}

/** Source: Tian et al. 2019 (arXiv:1904.01355), §3.1; mmdetection's `FCOSHead`. */
const FOCAL: FocalOptions = { alpha: 0.25, gamma: 2 };

/** N×C×h×w of each level as N×P×C. */
function byPlace(levels: readonly Value[]): Value {
  const rows = levels.map((level) => {
    const [samples, channels, height, width] = level.shape as readonly [number, number, number, number];
    return transpose(reshape(level, [samples, channels, height * width]), [0, 2, 1]);
  });
  return concat(rows, 1);
}

/**
 * The focal loss of all places over the number of objects' places, −ln IoU weighted by centreness over its sum, and the
 * cross-entropy of the centreness over the number of objects' places; a batch without objects has the first alone.
 * @throws HRNetError `invalid-shape` when predictions and truth have different numbers of places
 */
export function fcosLoss(predictions: FcosPredictions, truth: FcosTruth): FcosLoss {
  const logits = byPlace(predictions.classes); // N×P×K
  const [samples, places, classes] = logits.shape as readonly [number, number, number];
  if (truth.classes.shape[1] !== places) {
    throw new HRNetError(
      "invalid-shape",
      `The network has ${places} places; the truth is ${formatType(truth.classes)}.`,
    );
  }
  const labels = reshape(truth.classes, [samples, places, 1]);
  const asked = indicator(greater(labels, scalar(-1.5))); // N×P×1
  const present = indicator(greater(labels, scalar(-0.5)));
  const objects = atLeast1(sumAll(present));

  const wanted = oneHot(labels, classes); // N×P×K
  const focal = div(sumAll(mul(focalLoss(logits, wanted, FOCAL), asked)), objects);

  const centers = reshape(truth.centerness, [samples, places, 1]);
  const weights = mul(present, centers);
  // Sides seen from the place: a box with corners −l, −t, r, b.
  const signs = constant(tensor("float32", [1, 1, 4], Float32Array.of(-1, -1, 1, 1)));
  const boxes = (distances: Value): Value => reshape(mul(distances, signs), [samples * places, 4]);
  const iou = reshape(iouLoss(boxes(byPlace(predictions.distances)), boxes(truth.distances)), [
    samples,
    places,
    1,
  ]);
  const overlap = div(sumAll(mul(iou, weights)), clip(sumAll(weights), 1e-6, Number.MAX_SAFE_INTEGER));

  const center = binaryCrossEntropy(byPlace(predictions.centerness), centers);
  const centerness = div(sumAll(mul(center, present)), objects);
  return { classes: focal, boxes: overlap, centerness, total: add(add(focal, overlap), centerness) };
}
