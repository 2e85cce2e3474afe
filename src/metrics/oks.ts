// Object keypoint similarity (OKS): how well a predicted pose fits an annotated one.

/** Annotated keypoints with what OKS needs to know of their object. */
export interface OksTruth {
  /** K×3, `[x, y, v]` per keypoint in image pixels; v > 0 is labelled. */
  readonly keypoints: ArrayLike<number>;
  /** Annotated area in square pixels. */
  readonly area: number;
  /** `[x, y, width, height]`; used only when no keypoint is labelled. */
  readonly box: ArrayLike<number>;
}

/** A predicted pose. */
export interface OksPose {
  /** K×3, `[x, y, score]` per keypoint in image pixels; the scores play no part. */
  readonly keypoints: ArrayLike<number>;
}

/** `(2σ)²` per keypoint: the variances that {@link oks} divides squared distances by. */
export function oksVariances(sigmas: readonly number[]): Float64Array {
  return Float64Array.from(sigmas, (sigma) => (sigma * 2) ** 2);
}

/**
 * Squared distance of keypoint `k` in units of its tolerance, the exponent of OKS:
 * `d² / (2σ_k)² / (area + ε) / 2`. The keypoint's own similarity is `exp(−` this `)`.
 */
export function keypointExponent(squaredDistance: number, variance: number, area: number): number {
  return squaredDistance / variance / (area + Number.EPSILON) / 2; // ε = numpy.spacing(1)
}

/**
 * OKS of a pose with an annotated one, 0 … 1: the mean of `exp(−d² / (2σ_k)² / (area + ε) / 2)` over the labelled
 * keypoints. When none is labelled, distances are to the annotated box made three times as wide and high about its
 * middle (0 inside), over all keypoints. Source: `COCOeval.computeOks` of pycocotools.
 * @param variances {@link oksVariances} of the skeleton's sigmas, one per keypoint
 */
export function oks(truth: OksTruth, pose: OksPose, variances: ArrayLike<number>): number {
  const K = variances.length;
  let sum = 0;
  let labelled = 0;
  for (let k = 0; k < K; k++) {
    if (truth.keypoints[3 * k + 2]! > 0) {
      const dx = pose.keypoints[3 * k]! - truth.keypoints[3 * k]!;
      const dy = pose.keypoints[3 * k + 1]! - truth.keypoints[3 * k + 1]!;
      sum += Math.exp(-keypointExponent(dx * dx + dy * dy, variances[k]!, truth.area));
      labelled++;
    }
  }
  return labelled > 0 ? sum / labelled : boxOks(truth, pose, variances);
}

function boxOks({ box, area }: OksTruth, pose: OksPose, variances: ArrayLike<number>): number {
  const [x, y, width, height] = [box[0]!, box[1]!, box[2]!, box[3]!];
  const outside = (value: number, low: number, high: number) =>
    Math.max(0, low - value) + Math.max(0, value - high);
  let sum = 0;
  for (let k = 0; k < variances.length; k++) {
    const dx = outside(pose.keypoints[3 * k]!, x - width, x + width * 2);
    const dy = outside(pose.keypoints[3 * k + 1]!, y - height, y + height * 2);
    sum += Math.exp(-keypointExponent(dx * dx + dy * dy, variances[k]!, area));
  }
  return sum / variances.length;
}

/** OKS of each pose with each annotated one, D×G row by row; the similarity function of keypoint evaluation. */
export function oksSimilarity(
  truths: readonly OksTruth[],
  poses: readonly OksPose[],
  variances: ArrayLike<number>,
): Float64Array {
  const similarities = new Float64Array(poses.length * truths.length);
  let at = 0;
  for (const pose of poses) {
    for (const truth of truths) similarities[at++] = oks(truth, pose, variances);
  }
  return similarities;
}
