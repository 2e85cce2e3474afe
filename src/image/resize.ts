// Pictures at another size, equal to OpenCV's resize: bilinear for pixels, nearest for class numbers. Only a window of the result
// is computed.

import type { LabelMap } from "./label-map.ts";
import { type RgbImage, rgbImage } from "./rgb-image.ts";

/** A part of a picture that was brought to `size`; what of it lies beyond that size is padding. */
export interface ResizeWindow {
  /** `[width, height]` of the whole resized picture. */
  readonly size: readonly [number, number];
  /** Left and upper border of the window in the resized picture; whole numbers. */
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** Whether columns of the window are written from right to left. */
  readonly mirrored?: boolean | undefined;
}

/** Weights are whole 2048ths. Source: `INTER_RESIZE_COEF_SCALE` of OpenCV's imgproc/resize.cpp. */
const ONE = 2048;

/** For each place of an axis the two source places and the weights of both, in {@link ONE}ths. */
interface Taps {
  readonly first: Int32Array;
  readonly second: Int32Array;
  readonly weights: Int32Array;
}

/**
 * f = (i + ½)·source/target − ½ for the places from `start` on; outside of the picture its border counts. Source: the tables of
 * `cv::resize`, in the same precision. At borders it takes one column at full weight, but one row twice, which rounds otherwise.
 */
function linearTaps(source: number, target: number, start: number, count: number, axis: "x" | "y"): Taps {
  const scale = 1 / (target / source);
  const first = new Int32Array(count);
  const second = new Int32Array(count);
  const weights = new Int32Array(2 * count);
  for (let i = 0; i < count; i++) {
    const at = Math.fround((start + i + 0.5) * scale - 0.5);
    const low = Math.floor(at);
    const beyond = axis === "x" && (low < 0 || low >= source - 1);
    const part = beyond ? 0 : Math.fround(at - low);
    first[i] = Math.min(Math.max(low, 0), source - 1);
    second[i] = Math.min(Math.max(low + 1, 0), source - 1);
    weights[2 * i] = roundHalfEven(Math.fround(1 - part) * ONE);
    weights[2 * i + 1] = roundHalfEven(part * ONE);
  }
  return { first, second, weights };
}

/** As `cvRound` does it. */
function roundHalfEven(value: number): number {
  const low = Math.floor(value);
  const rest = value - low;
  return rest > 0.5 || (rest === 0.5 && low % 2 === 1) ? low + 1 : low;
}

/** How many of `length` places from `start` on lie inside an axis of `size`. */
const inside = (size: number, start: number, length: number): number =>
  Math.max(0, Math.min(length, size - start));

/** Writes resized pixels: `put(place in the window, red, green, blue)`. */
function eachPixel(
  { width: sourceWidth, height: sourceHeight, data }: RgbImage,
  { size, x, y, width, height, mirrored = false }: ResizeWindow,
  put: (at: number, red: number, green: number, blue: number) => void,
): void {
  const columns = inside(size[0], x, width);
  const rows = inside(size[1], y, height);
  const across = linearTaps(sourceWidth, size[0], x, columns, "x");
  const down = linearTaps(sourceHeight, size[1], y, rows, "y");
  const kept: [Int32Array, Int32Array] = [new Int32Array(3 * columns), new Int32Array(3 * columns)];
  const keptRows: [number, number] = [-1, -1];
  /** A source row, resized across, times {@link ONE}; the two that were asked for last are kept. */
  const rowAt = (row: number, other: number): Int32Array => {
    const known = keptRows.indexOf(row);
    if (known >= 0) return kept[known as 0 | 1];
    const slot = keptRows[0] === other ? 1 : 0;
    keptRows[slot] = row;
    const result = kept[slot];
    const base = row * sourceWidth;
    for (let i = 0; i < columns; i++) {
      const a = 3 * (base + across.first[i]!);
      const b = 3 * (base + across.second[i]!);
      const wa = across.weights[2 * i]!;
      const wb = across.weights[2 * i + 1]!;
      for (let c = 0; c < 3; c++) result[3 * i + c] = data[a + c]! * wa + data[b + c]! * wb;
    }
    return result;
  };
  for (let j = 0; j < rows; j++) {
    const [low, high] = [down.first[j]!, down.second[j]!];
    const above = rowAt(low, high);
    const below = rowAt(high, low);
    const wa = down.weights[2 * j]!;
    const wb = down.weights[2 * j + 1]!;
    // OpenCV drops bits on the way: 4 of the row's, 16 of each product, 2 of the sum.
    const blend = (k: number): number =>
      (((wa * (above[k]! >> 4)) >> 16) + ((wb * (below[k]! >> 4)) >> 16) + 2) >> 2;
    for (let i = 0; i < columns; i++) {
      const k = 3 * i;
      put(j * width + (mirrored ? width - 1 - i : i), blend(k), blend(k + 1), blend(k + 2));
    }
  }
}

/** A window of a resized picture as three planes (3×height×width), which are 0 where it reaches beyond the picture. */
export function resizeIntoPlanes(image: RgbImage, window: ResizeWindow, into: Uint8Array): void {
  const plane = window.width * window.height;
  into.fill(0);
  eachPixel(image, window, (at, red, green, blue) => {
    into[at] = red;
    into[plane + at] = green;
    into[2 * plane + at] = blue;
  });
}

/**
 * A picture at another size, as `cv2.resize` with `INTER_LINEAR` makes it.
 * @param size `[width, height]`
 */
export function resizeImage(image: RgbImage, [width, height]: readonly [number, number]): RgbImage {
  const result = rgbImage(width, height);
  eachPixel(image, { size: [width, height], x: 0, y: 0, width, height }, (at, red, green, blue) => {
    result.data[3 * at] = red;
    result.data[3 * at + 1] = green;
    result.data[3 * at + 2] = blue;
  });
  return result;
}

/**
 * A window of a resized label map, as `cv2.resize` with `INTER_NEAREST` makes it: place ⌊i·source/target⌋.
 * @param lookup what each number becomes
 * @param outside what the window holds beyond the map
 */
export function resizeLabels(
  { width: sourceWidth, height: sourceHeight, data }: LabelMap,
  { size, x, y, width, height, mirrored = false }: ResizeWindow,
  lookup: ArrayLike<number>,
  outside: number,
  into: Float32Array | Uint8Array | Uint16Array,
): void {
  into.fill(outside);
  const nearest = (source: number, target: number, start: number, count: number): Int32Array => {
    const scale = 1 / (target / source);
    return Int32Array.from({ length: count }, (_, i) =>
      Math.min(Math.floor((start + i) * scale), source - 1),
    );
  };
  const across = nearest(sourceWidth, size[0], x, inside(size[0], x, width));
  const down = nearest(sourceHeight, size[1], y, inside(size[1], y, height));
  for (let j = 0; j < down.length; j++) {
    const base = down[j]! * sourceWidth;
    for (let i = 0; i < across.length; i++) {
      into[j * width + (mirrored ? width - 1 - i : i)] = lookup[data[base + across[i]!]!]!;
    }
  }
}
