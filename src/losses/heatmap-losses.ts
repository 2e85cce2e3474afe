// Losses on heatmaps, as graphs: mean squared error with keypoint weights, and its hardest keypoints only.

import { HRNetError } from "../errors.ts";
import { reduceSum } from "../graph/ops/broadcast.ts";
import { mul, scale, sub } from "../graph/ops/elementwise.ts";
import { topK } from "../graph/ops/scatter.ts";
import { reshape } from "../graph/ops/shape.ts";
import { formatType, type Value } from "../graph/value.ts";

/** Predictions, targets and weights of one batch. */
export interface HeatmapBatch {
  /** N×K×h×w, as the network gives them. */
  readonly heatmaps: Value;
  /** N×K×h×w. */
  readonly targets: Value;
  /** N×K, 0 for keypoints that do not count. */
  readonly weights: Value;
}

function sizesOf({ heatmaps, targets, weights }: HeatmapBatch): readonly [number, number, number, number] {
  const fits =
    heatmaps.shape.length === 4 &&
    targets.shape.join() === heatmaps.shape.join() &&
    weights.shape.join() === heatmaps.shape.slice(0, 2).join();
  if (!fits || heatmaps.shape.some((size) => typeof size === "string")) {
    throw new HRNetError(
      "invalid-shape",
      `A heatmap loss takes heatmaps and targets N×K×h×w and weights N×K, not ${formatType(heatmaps)}, ` +
        `${formatType(targets)} and ${formatType(weights)}.`,
    );
  }
  return heatmaps.shape as unknown as readonly [number, number, number, number];
}

/** (w·(p − g))², by cell: the weight is inside the square. */
function weightedSquares(batch: HeatmapBatch, samples: number, keypoints: number): Value {
  const weight = reshape(batch.weights, [samples, keypoints, 1, 1]);
  const difference = mul(sub(batch.heatmaps, batch.targets), weight); // N×K×h×w
  return mul(difference, difference);
}

/**
 * L = (1/K) Σₖ ½·mean over samples and cells of (wₖ·p − wₖ·g)². Source: `JointsMSELoss` in `lib/core/loss.py` of
 * deep-high-resolution-net.pytorch.
 */
export function jointsMse(batch: HeatmapBatch): Value {
  const [samples, keypoints, height, width] = sizesOf(batch);
  const total = reduceSum(weightedSquares(batch, samples, keypoints), [0, 1, 2, 3], false);
  return scale(total, 0.5 / (samples * keypoints * height * width));
}

/**
 * Online hard keypoint mining: of each sample's K losses ½·mean over cells of (wₖ·p − wₖ·g)² the `hardest` largest count.
 * Source: `JointsOHKMMSELoss` in `lib/core/loss.py` of deep-high-resolution-net.pytorch (8 of 17 there).
 */
export function hardestJointsMse(batch: HeatmapBatch, hardest: number): Value {
  const [samples, keypoints, height, width] = sizesOf(batch);
  if (!Number.isInteger(hardest) || hardest < 1 || hardest > keypoints) {
    throw new HRNetError(
      "invalid-config",
      `The number of hard keypoints was given as ${hardest}; there are ${keypoints} keypoints.`,
    );
  }
  const sums = reduceSum(weightedSquares(batch, samples, keypoints), [2, 3], false); // N×K
  const { values } = topK(sums, hardest, 1);
  return scale(reduceSum(values, [0, 1], false), 0.5 / (samples * hardest * height * width));
}
