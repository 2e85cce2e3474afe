// Losses on heatmaps, as graphs: mean squared error with keypoint weights, and its hardest keypoints only.

import { HRNetError } from "../errors.ts";
import { reduceSum } from "../graph/ops/broadcast.ts";
import { add, mul, scale, sub } from "../graph/ops/elementwise.ts";
import { topK } from "../graph/ops/scatter.ts";
import { reshape, slice, split } from "../graph/ops/shape.ts";
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

/**
 * The loss of UDP's combined targets: a disk and two offset maps for each keypoint. As {@link jointsMse} of the disks, plus the
 * same of the offsets inside the true disk, each with half the weight: ½·(L(d) + L(d*·x) + L(d*·y)). Source:
 * `CombinedTargetMSELoss` of mmpose.
 * @param batch heatmaps and targets N×3K×h×w, channels disk, x, y of each keypoint in turn
 */
export function combinedTargetMse(batch: HeatmapBatch): Value {
  const [samples, keypoints] = batch.weights.shape as [number, number];
  const [, , height, width] = batch.heatmaps.shape as [number, number, number, number];
  const parts = (maps: Value): readonly Value[] =>
    split(reshape(maps, [samples, keypoints, 3, height, width]), 2, [1, 1, 1]).map((map) =>
      reshape(map, [samples, keypoints, height, width]),
    );
  const [disk, x, y] = parts(batch.heatmaps) as [Value, Value, Value];
  const [trueDisk, trueX, trueY] = parts(batch.targets) as [Value, Value, Value];
  const { weights } = batch;
  const losses = [
    jointsMse({ heatmaps: disk, targets: trueDisk, weights }),
    jointsMse({ heatmaps: mul(x, trueDisk), targets: mul(trueX, trueDisk), weights }),
    jointsMse({ heatmaps: mul(y, trueDisk), targets: mul(trueY, trueDisk), weights }),
  ];
  return scale(
    losses.reduce((sum, loss) => add(sum, loss)),
    0.5,
  );
}

/**
 * Where each heatmap is highest: `index` of the first maximum among its cells (int64 N×K×1) and its `height` (N×K×1).
 * @param maps N×K·c×h×w; of c channels for each keypoint the first counts
 */
export function peaksOf(maps: Value, channelsPerKeypoint: number): { index: Value; height: Value } {
  const [samples, channels, height, width] = maps.shape as [number, number, number, number];
  const keypoints = channels / channelsPerKeypoint;
  const grouped = reshape(maps, [samples, keypoints, channelsPerKeypoint, height * width]);
  const first = channelsPerKeypoint === 1 ? grouped : slice(grouped, 2, 0, 1);
  const { values, indices } = topK(reshape(first, [samples, keypoints, height * width]), 1, 2);
  return { index: indices, height: values };
}
