// The loss of a segmentation recipe, and the accuracy on training batches.

import { reduceSum } from "../graph/ops/broadcast.ts";
import { cast } from "../graph/ops/cast.ts";
import { add, equal, scale, where } from "../graph/ops/elementwise.ts";
import { resizeBilinear } from "../graph/ops/resize.ts";
import { argMax } from "../graph/ops/scatter.ts";
import { reshape } from "../graph/ops/shape.ts";
import { constant, type Value } from "../graph/value.ts";
import {
  type CrossEntropyOptions,
  crossEntropy,
  crossEntropyOverAll,
  hardPixelCrossEntropy,
} from "../losses/segmentation-losses.ts";
import type { SegmentationLoss } from "../recipe/segmentation-schema.ts";
import { type Tensor, tensor } from "../tensor/tensor.ts";
import type { LossTerms } from "../train/step-options.ts";

/**
 * The loss of the last output, and with an auxiliary one its weight times that one's. Only the last output is limited to hard
 * pixels; the auxiliary one is then a mean over all pixels, as in the released code.
 * @param outputs `logits`, of some networks `aux`: N×K×h×w
 * @param labels float32 N×H×W
 */
export function segmentationLoss(
  { hardPixels, auxiliaryWeight }: Pick<SegmentationLoss, "hardPixels" | "auxiliaryWeight">,
  options: CrossEntropyOptions,
  outputs: Readonly<Record<string, Value>>,
  labels: Value,
): LossTerms {
  const { logits, aux } = outputs;
  const last = { logits: logits!, labels };
  const own = hardPixels ? hardPixelCrossEntropy(last, options, hardPixels) : crossEntropy(last, options);
  const auxiliary = aux && { logits: aux, labels };
  const further = auxiliary && (hardPixels ? crossEntropyOverAll : crossEntropy)(auxiliary, options);
  return {
    loss: further ? add(own, scale(further, auxiliaryWeight)) : own,
    report: pixelCounts(logits!, labels, options.alignCorners),
  };
}

/** How many pixels of each batch were found right, and how many are classified: one number each. */
function pixelCounts(
  logits: Value,
  labels: Value,
  alignCorners: boolean,
): Record<"right" | "classified", Value> {
  const [, classes] = logits.shape as [number, number];
  const [samples, height, width] = labels.shape as [number, number, number];
  const numbers = tensor(
    "float32",
    [1, classes, 1, 1],
    Float32Array.from({ length: classes }, (_, k) => k),
  );
  const [one, zero] = [1, 0].map((value) => constant(tensor("float32", [], Float32Array.of(value)))) as [
    Value,
    Value,
  ];
  const found = cast(argMax(resizeBilinear(logits, [height, width], alignCorners), 1), "float32"); // N×H×W
  const count = (condition: Value): Value =>
    reshape(
      reduceSum(
        where(condition, one, zero),
        condition.shape.map((_, axis) => axis),
        false,
      ),
      [1],
    );
  return {
    right: count(equal(found, labels)),
    classified: count(equal(reshape(labels, [samples, 1, height, width]), constant(numbers))),
  };
}

/** Share of a batch's classified pixels that were found right. */
export function pixelAccuracy({ right, classified }: Readonly<Record<string, Tensor>>): number | undefined {
  const sum = (counts: Tensor | undefined): number =>
    Array.from(counts?.data ?? [], Number).reduce((total, count) => total + count, 0);
  const all = sum(classified);
  return all > 0 ? sum(right) / all : undefined;
}
