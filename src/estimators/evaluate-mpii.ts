// Scores a pose estimator on MPII: predictions at the annotated centres and scales, then PCKh.

import { readMpii } from "../data/mpii.ts";
import { readMpiiPckhTruth } from "../data/mpii-pckh.ts";
import { HRNetError } from "../errors.ts";
import { evaluatePckh, type PckhResult } from "../metrics/pckh.ts";
import { mpiiCenterScale } from "../pose/transforms.ts";
import type { Box, Person } from "../pose/types.ts";
import type { PoseEstimator } from "./pose-estimator.ts";

/** What to evaluate on. */
export interface MpiiEvaluationOptions {
  /** `valid.json` of the official code. */
  readonly annotations: string;
  /** Folder of the pictures. */
  readonly images: string;
  /** `gt_valid.mat`, or the same as JSON; in the order of the annotations. */
  readonly truth: string;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /** Told what was found of each person, in the order of the annotations. */
  readonly onPerson?: ((person: Person) => void) | undefined;
}

/**
 * The box whose crop is that of an MPII person: the estimator pads a box again by its factor, the annotation's scale is
 * padded already.
 */
function boxOf(center: readonly [number, number], scale: number, padding: number): Box {
  const region = mpiiCenterScale(center, scale);
  const side = region.scale[0] / padding;
  return [region.center[0] - side / 2, region.center[1] - side / 2, side, side];
}

/**
 * Runs the estimator on every person of a split and evaluates PCKh at 0.5 and both readings of 0.1.
 * @throws HRNetError for files that are not there or not valid, a model without MPII's 16 joints, an unreadable picture
 */
export async function evaluateOnMpii(
  estimator: PoseEstimator,
  options: MpiiEvaluationOptions,
): Promise<PckhResult> {
  const persons = await readMpii(options.annotations, options.images);
  const truths = await readMpiiPckhTruth(options.truth);
  const joints = estimator.skeleton.keypoints.length;
  if (joints !== 16) {
    throw new HRNetError(
      "invalid-data",
      `MPII has 16 joints, the model ${joints} (${estimator.skeleton.name}). Evaluate a model trained on MPII.`,
    );
  }
  if (truths.length !== persons.length) {
    throw new HRNetError(
      "invalid-data",
      `${options.annotations} has ${persons.length} persons, ${options.truth} ${truths.length}. They must be of one split.`,
    );
  }
  const requests = persons.map(({ imagePath, center, scale }) => ({
    image: imagePath,
    boxes: [boxOf(center, scale, estimator.padding)],
  }));
  const predictions: number[][] = [];
  for await (const result of estimator.stream(requests, options.signal ? { signal: options.signal } : {})) {
    if ("error" in result) throw result.error;
    const person = result.persons[0]!;
    predictions.push(person.keypoints.flatMap(({ x, y }) => [x, y]));
    options.onPerson?.(person);
    options.onProgress?.(predictions.length, requests.length);
  }
  return evaluatePckh(truths, predictions, 2);
}
