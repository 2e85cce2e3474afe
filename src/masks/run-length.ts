// Masks as run lengths, the way COCO stores them: column by column, first the pixels outside.

import { HRNetError } from "../errors.ts";

/** A mask as lengths of alternating runs, the first of them outside (and 0 long where the mask begins at once). */
export interface RunLengthMask {
  readonly width: number;
  readonly height: number;
  /** In sum width·height; counted down the columns, left to right. */
  readonly counts: Uint32Array;
}

const MAX_SIDE = 65_535;

/**
 * Checks run lengths from a file.
 * @param what named in errors
 * @throws HRNetError `invalid-data` for sizes or lengths that are no whole numbers, or lengths that do not fill the picture
 */
export function runLengthMask(
  width: number,
  height: number,
  counts: ArrayLike<number>,
  what = "A mask",
): RunLengthMask {
  if (![width, height].every((side) => Number.isInteger(side) && side >= 1 && side <= MAX_SIDE)) {
    throw new HRNetError(
      "invalid-data",
      `${what} has the size ${width}×${height}; expected whole numbers from 1 to ${MAX_SIDE}.`,
    );
  }
  let sum = 0;
  for (let i = 0; i < counts.length; i++) {
    const run = counts[i]!;
    if (!Number.isInteger(run) || run < 0) {
      throw new HRNetError("invalid-data", `${what} has a run of ${run} pixels; expected whole numbers.`);
    }
    sum += run;
  }
  if (sum !== width * height) {
    throw new HRNetError(
      "invalid-data",
      `${what} has runs of ${sum} pixels in all; ${width}×${height} are ${width * height}.`,
    );
  }
  return { width, height, counts: Uint32Array.from(counts) };
}

/** A mask from pixels, row by row; what is not 0 is inside. */
export function encodeMask(pixels: ArrayLike<number>, width: number, height: number): RunLengthMask {
  const counts: number[] = [];
  let inside = false;
  let run = 0;
  for (let x = 0; x < width; x++) {
    for (let y = 0; y < height; y++) {
      if ((pixels[y * width + x] !== 0) !== inside) {
        counts.push(run);
        run = 0;
        inside = !inside;
      }
      run++;
    }
  }
  counts.push(run);
  return { width, height, counts: Uint32Array.from(counts) };
}

/** The pixels of a mask, row by row: 1 inside, 0 outside. */
export function decodeMask({ width, height, counts }: RunLengthMask): Uint8Array {
  const pixels = new Uint8Array(width * height);
  let at = 0;
  for (let i = 0; i < counts.length; i++) {
    const end = at + counts[i]!;
    if (i % 2 === 1) {
      for (; at < end; at++) pixels[(at % height) * width + Math.floor(at / height)] = 1;
    }
    at = end;
  }
  return pixels;
}

/** Pixels inside. */
export function maskArea({ counts }: RunLengthMask): number {
  let area = 0;
  for (let i = 1; i < counts.length; i += 2) area += counts[i]!;
  return area;
}

/**
 * `[x, y, width, height]` around the pixels inside; all 0 for an empty mask. A run over the end of a column counts as reaching from
 * top to bottom. Source: `rleToBbox` in `maskApi.c` of cocoapi.
 */
export function maskBox({ width, height, counts }: RunLengthMask): [number, number, number, number] {
  let [left, top, right, bottom] = [width, height, -1, -1];
  let at = 0;
  for (let i = 0; i < counts.length; i++) {
    const run = counts[i]!;
    if (i % 2 === 1 && run > 0) {
      const [first, last] = [at, at + run - 1];
      const columns = [Math.floor(first / height), Math.floor(last / height)] as const;
      left = Math.min(left, columns[0]);
      right = Math.max(right, columns[1]);
      const spans = columns[0] < columns[1];
      top = Math.min(top, spans ? 0 : first % height);
      bottom = Math.max(bottom, spans ? height - 1 : last % height);
    }
    at += run;
  }
  return right < 0 ? [0, 0, 0, 0] : [left, top, right - left + 1, bottom - top + 1];
}

/** Walks two masks of one size together: `visit(length, inside a, inside b)` for every stretch on which neither changes. */
function together(
  a: RunLengthMask,
  b: RunLengthMask,
  visit: (length: number, inA: boolean, inB: boolean) => void,
): void {
  let [i, j] = [0, 0];
  let [restA, restB] = [a.counts[0] ?? 0, b.counts[0] ?? 0];
  while (i < a.counts.length && j < b.counts.length) {
    const length = Math.min(restA, restB);
    if (length > 0) visit(length, i % 2 === 1, j % 2 === 1);
    restA -= length;
    restB -= length;
    if (restA === 0) restA = a.counts[++i] ?? 0;
    if (restB === 0) restB = b.counts[++j] ?? 0;
  }
}

const sameSize = (a: RunLengthMask, b: RunLengthMask): boolean =>
  a.width === b.width && a.height === b.height;

/** @throws HRNetError `invalid-shape` for masks of different sizes */
function checkSizes(a: RunLengthMask, b: RunLengthMask): void {
  if (sameSize(a, b)) return;
  throw new HRNetError(
    "invalid-shape",
    `Masks of ${a.width}×${a.height} and ${b.width}×${b.height} cannot be joined; both must have one size.`,
  );
}

/**
 * What is inside of any of the masks.
 * @throws HRNetError `invalid-shape` for masks of different sizes; `usage` for none
 */
export function uniteMasks(masks: readonly RunLengthMask[]): RunLengthMask {
  const [first, ...others] = masks;
  if (!first) throw new HRNetError("usage", "No masks were given; at least one is needed.");
  return others.reduce((united, mask) => {
    checkSizes(united, mask);
    const counts: number[] = [];
    let inside = false;
    let run = 0;
    together(united, mask, (length, inA, inB) => {
      if ((inA || inB) !== inside) {
        counts.push(run);
        run = 0;
        inside = !inside;
      }
      run += length;
    });
    counts.push(run);
    return { width: united.width, height: united.height, counts: Uint32Array.from(counts) };
  }, first);
}

/** Pixels inside of both masks, which have one size. */
export function sharedArea(a: RunLengthMask, b: RunLengthMask): number {
  let area = 0;
  together(a, b, (length, inA, inB) => {
    if (inA && inB) area += length;
  });
  return area;
}

/**
 * Intersection over union, 0 … 1; with `crowd` over the first mask's area alone. Masks of different sizes have −1, as in `rleIou` of
 * `maskApi.c` of cocoapi; two empty ones 0.
 */
export function maskIou(detection: RunLengthMask, truth: RunLengthMask, crowd = false): number {
  if (!sameSize(detection, truth)) return -1;
  const shared = sharedArea(detection, truth);
  if (shared === 0) return 0;
  const area = maskArea(detection);
  return shared / (crowd ? area : area + maskArea(truth) - shared);
}
