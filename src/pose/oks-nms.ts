// Non-maximum suppression of poses by their object keypoint similarity (OKS).

import { keypointExponent, oksVariances } from "../metrics/oks.ts";

/** What suppression needs to know of a person. */
export interface ScoredPose {
  /** J×3, `[x, y, score]` per keypoint, in image pixels. */
  readonly keypoints: ArrayLike<number>;
  /** The person's score; see `rescore`. */
  readonly score: number;
  /** Area of the crop in square pixels: product of the `CenterScale`'s two sides. */
  readonly area: number;
}

/** Persons whose similarity is above this are the same person (`OKS_THRE` of the original configurations). */
export const OKS_NMS_THRESHOLD = 0.9;

/** Persons that soft suppression keeps at most, as the original does. */
const SOFT_MAXIMUM = 20;

/**
 * Similarity of two predicted poses, 0 … 1: mean over all keypoints of `exp(−d² / (2σ)² / (area + ε) / 2)`, with the mean
 * of both areas. Unlike the OKS of the evaluation it knows no visibility: every keypoint counts. Source: `oks_iou` in
 * `lib/nms/nms.py` of deep-high-resolution-net.pytorch.
 * @param variances `oksVariances` of the skeleton's sigmas, one per keypoint
 */
export function poseSimilarity(a: ScoredPose, b: ScoredPose, variances: ArrayLike<number>): number {
  const area = (a.area + b.area) / 2;
  let sum = 0;
  for (let joint = 0; joint < variances.length; joint++) {
    const dx = a.keypoints[3 * joint]! - b.keypoints[3 * joint]!;
    const dy = a.keypoints[3 * joint + 1]! - b.keypoints[3 * joint + 1]!;
    sum += Math.exp(-keypointExponent(dx * dx + dy * dy, variances[joint]!, area));
  }
  return sum / variances.length;
}

/** Indices by descending score; of equal scores the later one first, as a reversed stable `argsort` has it. */
function byScore(indices: readonly number[], scores: readonly number[]): number[] {
  return [...indices].sort((a, b) => scores[b]! - scores[a]! || b - a);
}

/**
 * Keeps the best pose, drops every other whose similarity to it is above `threshold`, and so on.
 * @param sigmas the skeleton's, one per keypoint
 * @returns indices of the poses kept, best first; never empty unless `poses` is
 */
export function oksNms(
  poses: readonly ScoredPose[],
  sigmas: readonly number[],
  threshold: number = OKS_NMS_THRESHOLD,
): number[] {
  const variances = oksVariances(sigmas);
  const kept: number[] = [];
  let rest = byScore(
    poses.map((_, index) => index),
    poses.map((pose) => pose.score),
  );
  while (rest.length > 0) {
    const best = rest[0]!;
    kept.push(best);
    rest = rest.slice(1).filter((i) => poseSimilarity(poses[best]!, poses[i]!, variances) <= threshold);
  }
  return kept;
}

/**
 * Soft suppression: nothing is dropped for its similarity, but scores fall by `exp(−OKS² / threshold)` and the order
 * follows; the best 20 are kept. Off in the published numbers. Source: `soft_oks_nms` in `lib/nms/nms.py`.
 * @param sigmas the skeleton's, one per keypoint
 * @returns indices of the poses kept, in order of their lowered scores
 */
export function softOksNms(
  poses: readonly ScoredPose[],
  sigmas: readonly number[],
  threshold: number = OKS_NMS_THRESHOLD,
): number[] {
  const variances = oksVariances(sigmas);
  const kept: number[] = [];
  const scores = poses.map((pose) => pose.score);
  let rest = byScore(
    poses.map((_, index) => index),
    scores,
  );
  while (rest.length > 0 && kept.length < SOFT_MAXIMUM) {
    const best = rest[0]!;
    kept.push(best);
    rest = rest.slice(1);
    for (const i of rest) {
      scores[i] =
        scores[i]! * Math.exp(-(poseSimilarity(poses[best]!, poses[i]!, variances) ** 2) / threshold);
    }
    rest = byScore(rest, scores);
  }
  return kept;
}
