// Masks of detections, predicted over their boxes, brought to the pixels of the picture.

import type { RunLengthMask } from "../masks/run-length.ts";

/** Probability from which a pixel is inside. Source: `mask_thr_binary` of mmdetection. */
const INSIDE = 0.5;

/** Where a pixel's middle lies among `cells` over an extent: the cell before it and how far it is towards the next. */
function taps(
  from: number,
  to: number,
  size: number,
  cells: number,
): { first: number; cell: Int32Array; part: Float32Array } {
  const first = Math.max(0, Math.floor(from));
  const end = Math.min(size, Math.ceil(to));
  const count = Math.max(0, end - first);
  const cell = new Int32Array(count);
  const part = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    const at = ((first + i + 0.5 - from) / Math.max(to - from, 1e-6)) * cells - 0.5;
    cell[i] = Math.floor(at);
    part[i] = at - cell[i]!;
  }
  return { first, cell, part };
}

/**
 * The pixels of a picture whose middles have a probability of {@link INSIDE} or more, read bilinearly from the cells over the box; beyond
 * them it is 0. Source: `_do_paste_mask` of mmdetection (grid sampling without aligned corners).
 * @param mask side×side probabilities, row by row
 * @param box `x1, y1, x2, y2` in pixels
 */
export function pasteMask(
  mask: Float32Array,
  [x1, y1, x2, y2]: readonly [number, number, number, number],
  { width, height }: { readonly width: number; readonly height: number },
): RunLengthMask {
  const side = Math.round(Math.sqrt(mask.length));
  const columns = taps(x1, x2, width, side);
  const rows = taps(y1, y2, height, side);
  const at = (row: number, column: number): number =>
    row < 0 || row >= side || column < 0 || column >= side ? 0 : mask[row * side + column]!;
  const counts: number[] = [];
  let inside = false;
  let last = 0;
  const turn = (place: number): void => {
    counts.push(place - last);
    last = place;
    inside = !inside;
  };
  columns.cell.forEach((column, i) => {
    const b = columns.part[i]!;
    const start = (columns.first + i) * height + rows.first;
    for (let j = 0; j < rows.cell.length; j++) {
      const [row, a] = [rows.cell[j]!, rows.part[j]!];
      const upper = at(row, column) * (1 - b) + at(row, column + 1) * b;
      const lower = at(row + 1, column) * (1 - b) + at(row + 1, column + 1) * b;
      if (upper * (1 - a) + lower * a >= INSIDE !== inside) turn(start + j);
    }
    // What follows is outside, but where the next column goes on at once.
    const goesOn = rows.cell.length === height && i + 1 < columns.cell.length;
    if (inside && !goesOn) turn(start + rows.cell.length);
  });
  counts.push(width * height - last);
  return { width, height, counts: Uint32Array.from(counts) };
}
