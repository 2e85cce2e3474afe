// From matches to precision and recall: the curves of one category within one area range.

import { type ImageMatches, stableOrder } from "./coco-matching.ts";

/** The matches of one image together with the scores of its detections, in the same order. */
export interface ScoredMatches extends ImageMatches {
  readonly scores: ArrayLike<number>;
}

/** Precision and recall at every threshold. */
export interface Curves {
  /** T×R: interpolated precision at each recall threshold, 0 where that recall is not reached. */
  readonly precision: Float64Array;
  /** T: the recall reached with all detections. */
  readonly recall: Float64Array;
}

/**
 * Joins the images' detections, best first, and reads the curves off. The precision at a recall is the best that is
 * reached at that recall or beyond. Source: `COCOeval.accumulate` of pycocotools.
 * @param images in ascending order of image id, which decides between equal scores
 * @param maxDetections the first so many detections of each image count
 * @returns `undefined` when there is nothing to find: the category then has no figure
 */
export function accumulate(
  images: readonly ScoredMatches[],
  thresholdCount: number,
  recallThresholds: readonly number[],
  maxDetections: number,
): Curves | undefined {
  let positives = 0;
  let total = 0;
  for (const image of images) {
    positives += image.positives;
    total += Math.min(image.scores.length, maxDetections);
  }
  if (positives === 0) return undefined;

  const scores = new Float64Array(total);
  const imageOf = new Int32Array(total);
  const detectionOf = new Int32Array(total);
  let n = 0;
  images.forEach((image, i) => {
    const count = Math.min(image.scores.length, maxDetections);
    for (let d = 0; d < count; d++, n++) {
      scores[n] = image.scores[d]!;
      imageOf[n] = i;
      detectionOf[n] = d;
    }
  });
  const order = stableOrder(scores);

  const R = recallThresholds.length;
  const precision = new Float64Array(thresholdCount * R);
  const recall = new Float64Array(thresholdCount);
  const recalls = new Float64Array(total);
  const precisions = new Float64Array(total);
  for (let t = 0; t < thresholdCount; t++) {
    let right = 0;
    let wrong = 0;
    for (let i = 0; i < total; i++) {
      const image = images[imageOf[order[i]!]!]!;
      const at = t * image.scores.length + detectionOf[order[i]!]!;
      if (image.ignored[at] === 0) {
        if (image.matches[at]! >= 0) right++;
        else wrong++;
      }
      recalls[i] = right / positives;
      precisions[i] = right / (wrong + right + Number.EPSILON); // ε = numpy.spacing(1)
    }
    recall[t] = total > 0 ? recalls[total - 1]! : 0;
    for (let i = total - 1; i > 0; i--) {
      if (precisions[i]! > precisions[i - 1]!) precisions[i - 1] = precisions[i]!;
    }
    // Both sequences ascend, so the first index whose recall is at least r only moves right.
    for (let r = 0, i = 0; r < R; r++) {
      while (i < total && recalls[i]! < recallThresholds[r]!) i++;
      if (i === total) break;
      precision[t * R + r] = precisions[i]!;
    }
  }
  return { precision, recall };
}
