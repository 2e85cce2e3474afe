// Boxes by their corners: areas, intersection over union.

/**
 * How the extent of a box is counted. `continuous`: x2 − x1, as mmdetection 2.x, torchvision and COCO have it. `pixels`: x2 − x1 + 1, the
 * corners being the first and the last pixel, as in mmdetection 1.x and HRNet-Object-Detection.
 */
export type BoxExtent = "continuous" | "pixels";

/** Boxes `[x1, y1, x2, y2]` in pixels, one after another. */
export type CornerBoxes = Float32Array | Float64Array;

const added = (extent: BoxExtent): number => (extent === "pixels" ? 1 : 0);

/** Area of each box; 0 for boxes whose corners are the wrong way round. */
export function boxAreas(boxes: CornerBoxes, extent: BoxExtent = "continuous"): Float64Array {
  const more = added(extent);
  return Float64Array.from({ length: boxes.length / 4 }, (_, i) => {
    const [x1, y1, x2, y2] = boxes.subarray(4 * i, 4 * i + 4) as unknown as [number, number, number, number];
    return Math.max(0, x2 - x1 + more) * Math.max(0, y2 - y1 + more);
  });
}

/** What {@link pairwiseIou} gives. */
export type IouKind = "iou" | "giou";

/**
 * IoU of each of A boxes with each of B, A×B row by row. Generalised IoU takes away the part of the box around both that neither
 * covers (Rezatofighi et al. 2019, arXiv:1902.09630). Where both have no area it is 0.
 */
export function pairwiseIou(
  a: CornerBoxes,
  b: CornerBoxes,
  extent: BoxExtent = "continuous",
  kind: IouKind = "iou",
): Float64Array {
  const more = added(extent);
  const [areasA, areasB] = [boxAreas(a, extent), boxAreas(b, extent)];
  const result = new Float64Array(areasA.length * areasB.length);
  let at = 0;
  for (let i = 0; i < areasA.length; i++) {
    const [ax1, ay1, ax2, ay2] = [a[4 * i]!, a[4 * i + 1]!, a[4 * i + 2]!, a[4 * i + 3]!];
    for (let j = 0; j < areasB.length; j++) {
      const [bx1, by1, bx2, by2] = [b[4 * j]!, b[4 * j + 1]!, b[4 * j + 2]!, b[4 * j + 3]!];
      const width = Math.max(0, Math.min(ax2, bx2) - Math.max(ax1, bx1) + more);
      const height = Math.max(0, Math.min(ay2, by2) - Math.max(ay1, by1) + more);
      const shared = width * height;
      const union = areasA[i]! + areasB[j]! - shared;
      const iou = union > 0 ? shared / union : 0;
      if (kind === "giou") {
        const around =
          Math.max(0, Math.max(ax2, bx2) - Math.min(ax1, bx1) + more) *
          Math.max(0, Math.max(ay2, by2) - Math.min(ay1, by1) + more);
        result[at++] = around > 0 ? iou - (around - union) / around : iou;
      } else result[at++] = iou;
    }
  }
  return result;
}
