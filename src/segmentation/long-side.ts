// Pictures of a given longer side.

/**
 * `[width, height]` of a picture brought to a longer side, the other rounded to ⌊short·long/longer + ½⌋, at least 1. Source:
 * `multi_scale_aug` of `lib/datasets/base_dataset.py` in HRNet-Semantic-Segmentation.
 */
export function sizeOfLongSide(
  [width, height]: readonly [number, number],
  long: number,
): [width: number, height: number] {
  const other = (short: number, longer: number): number =>
    Math.max(1, Math.floor((short * long) / longer + 0.5));
  return height > width ? [other(width, height), long] : [long, other(height, width)];
}
