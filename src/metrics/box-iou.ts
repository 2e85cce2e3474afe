// Intersection over union of boxes.

/** A box `[x, y, width, height]` in pixels. */
export type IouBox = ArrayLike<number>;

/**
 * Intersection over union of two boxes `[x, y, width, height]`, 0 … 1; areas are plain `width · height`, and 0/0 (two
 * boxes without extent) is 0. With `crowd` the union is the first box's area alone: how much of a detection lies in a
 * crowd region. Source: `bbIou` in `maskApi.c` of cocoapi.
 */
export function boxIou(detection: IouBox, truth: IouBox, crowd = false): number {
  const width =
    Math.min(detection[0]! + detection[2]!, truth[0]! + truth[2]!) - Math.max(detection[0]!, truth[0]!);
  const height =
    Math.min(detection[1]! + detection[3]!, truth[1]! + truth[3]!) - Math.max(detection[1]!, truth[1]!);
  if (width <= 0 || height <= 0) return 0;
  const intersection = width * height;
  const area = detection[2]! * detection[3]!;
  return intersection / (crowd ? area : area + truth[2]! * truth[3]! - intersection);
}

/** IoU of each detection with each ground truth, D×G row by row; the similarity function of box evaluation. */
export function boxSimilarity(
  truths: readonly { readonly box: IouBox; readonly crowd: boolean }[],
  detections: readonly { readonly box: IouBox }[],
): Float64Array {
  const similarities = new Float64Array(detections.length * truths.length);
  let at = 0;
  for (const detection of detections) {
    for (const truth of truths) similarities[at++] = boxIou(detection.box, truth.box, truth.crowd);
  }
  return similarities;
}
