// The loss of a pose recipe, and the accuracy on training batches.

import { add, scale } from "../graph/ops/elementwise.ts";
import { constant, type Value } from "../graph/value.ts";
import { featureLoss } from "../losses/feature-loss.ts";
import { combinedTargetMse, hardestJointsMse, jointsMse, peaksOf } from "../losses/heatmap-losses.ts";
import { heatmapAccuracy } from "../metrics/heatmap-accuracy.ts";
import type { PoseRecipe } from "../recipe/schema.ts";
import { type Tensor, tensor } from "../tensor/tensor.ts";
import type { LossTerms } from "../train/step-options.ts";
import { taughtName } from "./teacher.ts";

const KEYPOINT_LOSSES = { 1: jointsMse, 3: combinedTargetMse } as const;

/**
 * The loss against the annotations, and with a teacher its weight times that against the teacher's heatmaps, in which every
 * keypoint counts alike, and that of the features.
 * @param perKeypoint channels per keypoint
 * @param outputs `heatmaps` N×K·c×h×w; with a teacher inside the graph those of `withTeacher`
 * @param feeds `target` as the heatmaps, `weight` N×K; with a teacher beside it its heatmaps by their `taughtName`
 */
export function poseLoss(
  { loss: options, teacher }: Pick<PoseRecipe, "loss" | "teacher">,
  perKeypoint: 1 | 3,
  outputs: Readonly<Record<string, Value>>,
  feeds: Readonly<Record<string, Value>>,
): LossTerms {
  const heatmaps = outputs["heatmaps"]!;
  const ones = constant(onesLike(feeds["weight"]!));
  const weights = options.useTargetWeight ? feeds["weight"]! : ones;
  const batch = { heatmaps, targets: feeds["target"]!, weights };
  const own =
    options.hardKeypoints === null || perKeypoint === 3
      ? KEYPOINT_LOSSES[perKeypoint](batch)
      : hardestJointsMse(batch, options.hardKeypoints);
  const terms = [own];
  if (teacher) {
    const taught = taughtName("heatmaps");
    const targets = (feeds[taught] ?? outputs[taught])!;
    terms.push(scale(KEYPOINT_LOSSES[perKeypoint]({ heatmaps, targets, weights: ones }), teacher.weight));
    const pairs = Object.keys(outputs).flatMap((name) => {
      const wanted = outputs[taughtName(name)];
      return wanted && name !== "heatmaps" ? [{ own: outputs[name]!, wanted }] : [];
    });
    if (teacher.features) terms.push(scale(featureLoss(pairs), teacher.features.weight));
  }
  const predicted = peaksOf(heatmaps, perKeypoint);
  const wanted = peaksOf(feeds["target"]!, perKeypoint);
  return {
    loss: terms.reduce((sum, term) => add(sum, term)),
    report: {
      predictedIndex: predicted.index,
      predictedHeight: predicted.height,
      targetIndex: wanted.index,
      targetHeight: wanted.height,
    },
  };
}

function onesLike(value: Value): Tensor {
  const shape = value.shape as readonly number[];
  const result = tensor("float32", shape);
  result.data.fill(1);
  return result;
}

/** Positions [x, y] of peaks; [0, 0] where a map is nowhere positive, as `get_max_preds` of the official code. */
function positions(index: Tensor, height: Tensor, width: number): Float64Array {
  const result = new Float64Array(2 * index.data.length);
  for (let i = 0; i < index.data.length; i++) {
    if (!((height.data[i] as number) > 0)) continue;
    const cell = Number(index.data[i]);
    result[2 * i] = cell % width;
    result[2 * i + 1] = Math.floor(cell / width);
  }
  return result;
}

/**
 * Share of a batch's keypoints whose heatmap peaks near the target, from what {@link poseLoss} reports.
 * @param size `[width, height]` of the heatmaps
 */
export function batchAccuracy(
  report: Readonly<Record<string, Tensor>>,
  keypoints: number,
  size: readonly [number, number],
): number | undefined {
  const { predictedIndex, predictedHeight, targetIndex, targetHeight } = report;
  if (!predictedIndex || !predictedHeight || !targetIndex || !targetHeight) return undefined;
  return heatmapAccuracy(
    positions(predictedIndex, predictedHeight, size[0]),
    positions(targetIndex, targetHeight, size[0]),
    keypoints,
    size,
  ).mean;
}
