// PCK, the percentage of correct keypoints: those closer to the truth than a part of the person's size.

import { HRNetError } from "../errors.ts";

/** One annotated person with its prediction. */
export interface PckPerson {
  /** K×3, `[x, y, v]` in image pixels; v > 0 is annotated. */
  readonly truth: ArrayLike<number>;
  /** K×3, `[x, y, score]` in image pixels; the scores play no part. */
  readonly prediction: ArrayLike<number>;
  /**
   * The person's size in pixels: the torso's length for LSP's PCK@0.2 ({@link torsoLength}), the longer side of the box
   * for Penn Action's.
   */
  readonly size: number;
}

/** Fractions 0 … 1; NaN where nothing is annotated. */
export interface PckResult {
  /** Over all annotated keypoints of all persons. */
  readonly pck: number;
  /** K: per keypoint. */
  readonly keypoints: readonly number[];
  /** K: how many were annotated. */
  readonly annotated: readonly number[];
}

/**
 * PCK@α: a keypoint is right when its distance to the truth is at most `alpha · size`.
 * Source: Yang & Ramanan, "Articulated human detection with flexible mixtures of parts", 2013, section 6.
 * @throws HRNetError `invalid-data` for sizes that are not positive and lists that do not fit
 */
export function evaluatePck(persons: readonly PckPerson[], alpha: number): PckResult {
  const K = persons.length === 0 ? 0 : persons[0]!.truth.length / 3;
  const right = new Float64Array(K);
  const annotated = new Float64Array(K);
  persons.forEach(({ truth, prediction, size }, index) => {
    if (truth.length !== 3 * K || prediction.length !== 3 * K || !(size > 0 && Number.isFinite(size))) {
      throw new HRNetError(
        "invalid-data",
        `Person ${index} has ${truth.length} annotated and ${prediction.length} predicted numbers and the size ${size}; ` +
          `expected ${3 * K} of both and a size above 0.`,
      );
    }
    for (let k = 0; k < K; k++) {
      if (!(truth[3 * k + 2]! > 0)) continue;
      annotated[k]!++;
      const distance = Math.hypot(
        prediction[3 * k]! - truth[3 * k]!,
        prediction[3 * k + 1]! - truth[3 * k + 1]!,
      );
      if (distance <= alpha * size) right[k]!++;
    }
  });
  const sum = (values: Float64Array) => values.reduce((total, value) => total + value, 0);
  return {
    pck: sum(right) / sum(annotated),
    keypoints: Array.from(right, (count, k) => count / annotated[k]!),
    annotated: Array.from(annotated),
  };
}

/**
 * Length of the torso: the distance between a shoulder and the opposite hip.
 * @param keypoints K×3, `[x, y, v]`
 * @returns `undefined` when one of the two is not annotated
 */
export function torsoLength(
  keypoints: ArrayLike<number>,
  shoulder: number,
  oppositeHip: number,
): number | undefined {
  if (!(keypoints[3 * shoulder + 2]! > 0 && keypoints[3 * oppositeHip + 2]! > 0)) return undefined;
  return Math.hypot(
    keypoints[3 * shoulder]! - keypoints[3 * oppositeHip]!,
    keypoints[3 * shoulder + 1]! - keypoints[3 * oppositeHip + 1]!,
  );
}
