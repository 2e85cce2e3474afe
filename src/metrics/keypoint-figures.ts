// Where a pose network errs: figures per keypoint, over the persons that were found.

import type { MatchedPair } from "./coco-eval.ts";
import { keypointExponent, type OksPose, type OksTruth } from "./oks.ts";

/**
 * Figures of one keypoint. They are no part of COCO's protocol; they help to see which keypoint is weak. A person counts
 * as found when it is matched at the evaluation's lowest threshold (OKS ≥ 0.5) within its first area range (all).
 */
export interface KeypointFigures {
  /** Labelled instances (v > 0) among all persons that are to be found. */
  readonly labelled: number;
  /** Those of them that belong to found persons; the two figures below are over these. */
  readonly found: number;
  /** Fraction whose own similarity `exp(−d² / (2σ)² / area / 2)` is at least 0.5; −1 when none was found. */
  readonly similar: number;
  /** Mean distance in units of `√area` of the person; −1 when none was found. Independent of the sigmas. */
  readonly meanError: number;
}

/** Similarity from which a single keypoint counts as right. */
const SIMILAR = 0.5;

/** @param variances see `oksVariances` */
export function keypointFigures(
  persons: readonly OksTruth[],
  matched: readonly MatchedPair<OksTruth, OksPose>[],
  variances: ArrayLike<number>,
): KeypointFigures[] {
  return Array.from({ length: variances.length }, (_, k) => {
    const isLabelled = (truth: OksTruth) => truth.keypoints[3 * k + 2]! > 0;
    let found = 0;
    let similar = 0;
    let error = 0;
    for (const { truth, detection } of matched) {
      if (!isLabelled(truth)) continue;
      const dx = detection.keypoints[3 * k]! - truth.keypoints[3 * k]!;
      const dy = detection.keypoints[3 * k + 1]! - truth.keypoints[3 * k + 1]!;
      const squared = dx * dx + dy * dy;
      found++;
      if (Math.exp(-keypointExponent(squared, variances[k]!, truth.area)) >= SIMILAR) similar++;
      error += Math.sqrt(squared / (truth.area + Number.EPSILON));
    }
    return {
      labelled: persons.filter(isLabelled).length,
      found,
      similar: found === 0 ? -1 : similar / found,
      meanError: found === 0 ? -1 : error / found,
    };
  });
}
