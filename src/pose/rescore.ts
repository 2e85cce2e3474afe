// A person's score from the scores of their keypoints and of their box.

/** Keypoints below this score do not count (`IN_VIS_THRE` of the original configurations). */
export const RESCORE_THRESHOLD = 0.2;

/**
 * The COCO protocol's rescoring: box score × mean of the keypoint scores above the threshold, 0 when none is. AP ranks
 * persons by it. Source: `evaluate` in `lib/dataset/coco.py` of deep-high-resolution-net.pytorch.
 * @param keypoints J×3, `[x, y, score]` per keypoint
 * @param boxScore the detector's confidence; 1 for a given box
 */
export function rescore(
  keypoints: ArrayLike<number>,
  boxScore: number,
  threshold: number = RESCORE_THRESHOLD,
): number {
  let sum = 0;
  let count = 0;
  for (let at = 2; at < keypoints.length; at += 3) {
    const score = keypoints[at]!;
    if (!(score > threshold)) continue;
    sum += score;
    count++;
  }
  return count === 0 ? 0 : (sum / count) * boxScore;
}
