// The shapes of pose results: keypoints and persons in image pixels.

/** A box `[x, y, width, height]` in image pixels; `x, y` is its top left corner. */
export type Box = readonly [x: number, y: number, width: number, height: number];

/** A box with the confidence of the detector that found it; 1 for boxes drawn by hand. */
export interface ScoredBox {
  readonly box: Box;
  readonly score: number;
}

/** One keypoint of one person. */
export interface Keypoint {
  /** The skeleton's name for it, such as `left_wrist`. */
  readonly name: string;
  /** Image pixels from the left; the middle of the first pixel is 0. Can lie outside the picture. */
  readonly x: number;
  /** Image pixels from the top. */
  readonly y: number;
  /**
   * Height of the heatmap's maximum. Targets peak at 1, so a certain keypoint scores about 1, sometimes a little
   * more. It is no probability, and a keypoint that is hidden or outside the picture is still returned, with a low
   * score (as a rule below 0.2–0.3): filter by it.
   */
  readonly score: number;
}

/** One person found in a picture. */
export interface Person {
  /** In the skeleton's order; always every keypoint, see {@link Keypoint.score}. */
  readonly keypoints: readonly Keypoint[];
  /** Mean of the keypoint scores above 0.2, times the box's score (the COCO protocol's rescoring). */
  readonly score: number;
  /** The box the keypoints were looked for in. */
  readonly box: Box;
}
