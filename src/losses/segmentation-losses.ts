// Losses on class logits, as graphs: weighted cross-entropy with ignored pixels, and its hardest pixels only.

import { HRNetError } from "../errors.ts";
import { reduceSum } from "../graph/ops/broadcast.ts";
import {
  detach,
  div,
  equal,
  exp,
  greater,
  less,
  mul,
  neg,
  scale,
  shift,
  where,
} from "../graph/ops/elementwise.ts";
import { logSoftmax } from "../graph/ops/normalization.ts";
import { resizeBilinear } from "../graph/ops/resize.ts";
import { topK } from "../graph/ops/scatter.ts";
import { reshape } from "../graph/ops/shape.ts";
import { constant, formatType, type Value } from "../graph/value.ts";
import { tensor } from "../tensor/tensor.ts";

/** Predictions and truth of one batch. */
export interface SegmentationBatch {
  /** N×K×h×w; enlarged to the labels' size. */
  readonly logits: Value;
  /** float32 N×H×W: classes 0 … K−1; any other number is ignored. */
  readonly labels: Value;
}

/** How pixels count. */
export interface CrossEntropyOptions {
  /** Whether the corners of maps lie on each other when logits are enlarged (`align_corners`). */
  readonly alignCorners: boolean;
  /** Weight of each class; all 1 without. */
  readonly classWeights?: readonly number[] | undefined;
}

/** Online hard example mining: pixels whose true class has a probability below a threshold, but at least so many. */
export interface HardPixels {
  /** 0.9 in the released recipes. */
  readonly threshold: number;
  /** 131072 in the released recipes. */
  readonly kept: number;
}

/** Added to sums of weights: a batch without a valid pixel has the loss 0. */
const NO_PIXELS = 1e-12;

/** Of each pixel −ln p of its class, and the weight of that class, 0 where it is ignored: N×1×H×W each. */
function pixelLosses(
  { logits, labels }: SegmentationBatch,
  { alignCorners, classWeights }: CrossEntropyOptions,
): { nll: Value; weight: Value; valid: Value } {
  const [samples, classes] = logits.shape as readonly [number, number];
  const [, height, width] = labels.shape as readonly [number, number, number];
  const fits = logits.shape.length === 4 && labels.shape.length === 3 && labels.shape[0] === samples;
  if (!fits || [...logits.shape, ...labels.shape].some((size) => typeof size === "string")) {
    throw new HRNetError(
      "invalid-shape",
      `A segmentation loss takes logits N×K×h×w and labels N×H×W, not ${formatType(logits)} and ${formatType(labels)}.`,
    );
  }
  if (classWeights && classWeights.length !== classes) {
    throw new HRNetError(
      "invalid-config",
      `${classWeights.length} class weights were given for ${classes} classes; expected one for each.`,
    );
  }
  const logP = logSoftmax(resizeBilinear(logits, [height, width], alignCorners), 1); // N×K×H×W
  const numbers = floats([1, classes, 1, 1], (k) => k);
  const isClass = equal(reshape(labels, [samples, 1, height, width]), numbers);
  const truth = where(
    isClass,
    floats([], () => 1),
    floats([], () => 0),
  ); // N×K×H×W
  const valid = reduceSum(truth, [1]);
  return {
    nll: neg(reduceSum(mul(truth, logP), [1])),
    weight: classWeights
      ? reduceSum(
          mul(
            truth,
            floats([1, classes, 1, 1], (k) => classWeights[k]!),
          ),
          [1],
        )
      : valid,
    valid,
  };
}

/**
 * Σ w·(−ln p) / Σ w over the pixels that are not ignored, w being their class's weight: PyTorch's `CrossEntropyLoss`, as
 * `CrossEntropy` in `lib/core/criterion.py` of HRNet-Semantic-Segmentation uses it.
 */
export function crossEntropy(batch: SegmentationBatch, options: CrossEntropyOptions): Value {
  const { nll, weight } = pixelLosses(batch, options);
  return div(sum(mul(nll, weight)), shift(sum(weight), NO_PIXELS));
}

/**
 * Σ w·(−ln p) over all pixels, by the number of all, ignored ones too: what the released OHEM training makes of the auxiliary
 * output (`OhemCrossEntropy._ce_forward`, whose map is averaged by the training loop).
 */
export function crossEntropyOverAll(batch: SegmentationBatch, options: CrossEntropyOptions): Value {
  const { nll, weight } = pixelLosses(batch, options);
  return scale(sum(mul(nll, weight)), 1 / pixelsOf(weight));
}

/**
 * The mean of w·(−ln p) over the hard pixels, those with p < max(p₍ₖ₎, threshold); p₍ₖ₎ is the (kept + 1)-th smallest p of the
 * pixels that are not ignored, or their largest. Source: `OhemCrossEntropy._ohem_forward` in `lib/core/criterion.py`.
 */
export function hardPixelCrossEntropy(
  batch: SegmentationBatch,
  options: CrossEntropyOptions,
  { threshold, kept }: HardPixels,
): Value {
  const { nll, weight, valid } = pixelLosses(batch, options);
  const pixels = pixelsOf(nll);
  const isValid = greater(
    valid,
    floats([], () => 0.5),
  );
  /** Beyond every probability: ignored pixels sort behind all others. */
  const beyond = floats([], () => 2);
  const p = where(isValid, exp(neg(detach(nll))), beyond);
  const count = Math.min(Math.max(1, kept) + 1, pixels);
  const { values } = topK(reshape(neg(p), [pixels]), count, 0); // −p, the smallest p first
  const smallest = where(
    less(
      values,
      floats([], () => -1.5),
    ),
    floats([], () => -1),
    neg(values),
  );
  const last = reshape(topK(smallest, 1, 0).values, []); // the largest of them that is of a valid pixel
  const limit = largerOf(
    last,
    floats([], () => threshold),
  );
  const hard = where(
    less(p, limit),
    floats([], () => 1),
    floats([], () => 0),
  );
  return div(sum(mul(mul(nll, weight), hard)), shift(sum(hard), NO_PIXELS));
}

const floats = (shape: readonly number[], at: (index: number) => number): Value => {
  const result = tensor("float32", shape);
  for (let i = 0; i < result.data.length; i++) result.data[i] = at(i);
  return constant(result);
};

const sum = (x: Value): Value => reduceSum(x, [0, 1, 2, 3], false);

const pixelsOf = (map: Value): number =>
  (map.shape as readonly number[]).reduce((product, size) => product * size, 1);

const largerOf = (a: Value, b: Value): Value => where(greater(a, b), a, b);
