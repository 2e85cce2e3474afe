// Losses of two-stage detectors.

import { reduceSum, sumAll } from "../graph/ops/broadcast.ts";
import { add, atLeast1, div, greater, indicator, mul, neg, scalar, scale } from "../graph/ops/elementwise.ts";
import { logSoftmax } from "../graph/ops/normalization.ts";
import { oneHot } from "../graph/ops/select.ts";
import { reshape } from "../graph/ops/shape.ts";
import type { Value } from "../graph/value.ts";
import { binaryCrossEntropy, l1, smoothL1 } from "./detection-losses.ts";
import { crossEntropy } from "./segmentation-losses.ts";

/** What the loss depends on beside predictions and truth. */
export interface RegionLossOptions {
  readonly stages: number;
  readonly masks: boolean;
  readonly semantic: boolean;
  /** How differences of boxes count: `l1` in mmdetection 2.x for a single stage; `smooth-l1` in cascades and in 1.x. */
  readonly boxes: "l1" | "smooth-l1";
}

/** What anchors are to say. */
export interface AnchorTruth {
  /** float32 B×P: 1 with an object, 0 without, −1 where it does not count. */
  readonly labels: Value;
  /** B×P×4. */
  readonly targets: Value;
  /** With a semantic branch: float32 B×h×w, classes of pixels; 255 does not count. */
  readonly pixelClasses?: Value | undefined;
}

/** The parts, each a number and weighted, and their sum. */
export interface RegionLoss {
  readonly parts: Readonly<Record<string, Value>>;
  readonly total: Value;
}

/** Weights of the stages of a cascade. Source: `stage_loss_weights` of mmdetection's configurations. */
const STAGE_WEIGHTS = [1, 0.5, 0.25] as const;
/** Where the quadratic part of smooth L1 ends, for anchors and for regions. Source: as above. */
const ANCHOR_BETA = 1 / 9;
const REGION_BETA = 1;
/** Weight of the semantic branch. Source: `htc_r50_fpn_1x_coco.py`. */
const SEMANTIC_WEIGHT = 0.2;

/**
 * The loss of a training graph's outputs (`regionTraining`). Anchors: cross-entropy and boxes over the number of drawn anchors. Each
 * stage: cross-entropy over the regions, boxes of those with an object over the number of regions; masks over theirs.
 */
export function regionLoss(
  outputs: Readonly<Record<string, Value>>,
  truth: AnchorTruth,
  { stages, masks, semantic, boxes: kind }: RegionLossOptions,
): RegionLoss {
  const distance = (a: Value, b: Value, beta: number): Value =>
    kind === "l1" ? l1(a, b) : smoothL1(a, b, beta);
  const parts: Record<string, Value> = {};
  const drawn = indicator(greater(truth.labels, scalar(-0.5)));
  const shows = indicator(greater(truth.labels, scalar(0.5)));
  const anchors = atLeast1(sumAll(drawn));
  const [batch, count] = truth.labels.shape as readonly [number, number];
  parts["anchors"] = div(sumAll(mul(binaryCrossEntropy(outputs["objectness"]!, shows), drawn)), anchors);
  const moved = distance(outputs["differences"]!, truth.targets, ANCHOR_BETA);
  parts["anchorBoxes"] = div(sumAll(mul(moved, reshape(shows, [batch, count, 1]))), anchors);
  for (let t = 0; t < stages; t++) {
    const weight = STAGE_WEIGHTS[t]!;
    const of = (name: string): Value => outputs[`${name}${t}`]!;
    const weights = of("weights");
    const [rows] = weights.shape as readonly [number];
    const regions = atLeast1(sumAll(weights));
    parts[`classes${t}`] = scale(
      div(sumAll(mul(negativeLog(of("classes"), of("labels")), weights)), regions),
      weight,
    );
    const boxes = mul(distance(of("boxes"), of("targets"), REGION_BETA), reshape(of("positive"), [rows, 1]));
    parts[`boxes${t}`] = scale(div(sumAll(boxes), regions), weight);
    if (!masks) continue;
    const [shown, height, width] = of("masks").shape as readonly [number, number, number];
    const pixels = binaryCrossEntropy(of("masks"), of("maskTargets"));
    const counted = sumAll(mul(pixels, reshape(of("maskWeights"), [shown, 1, 1])));
    parts[`masks${t}`] = scale(div(counted, atLeast1(sumAll(of("maskWeights")))), weight / (height * width));
  }
  if (semantic) {
    const batchOfPixels = { logits: outputs["semantic"]!, labels: truth.pixelClasses! };
    parts["semantic"] = scale(crossEntropy(batchOfPixels, { alignCorners: false }), SEMANTIC_WEIGHT);
  }
  return { parts, total: Object.values(parts).reduce((total, part) => add(total, part)) };
}

/** −ln p of each row's class, M×K logits → M. */
function negativeLog(logits: Value, labels: Value): Value {
  const [rows, classes] = logits.shape as readonly [number, number];
  const chosen = oneHot(reshape(labels, [rows, 1]), classes);
  return neg(reduceSum(mul(logSoftmax(logits, 1), chosen), [1], false));
}
