// Crops by an affine map, equal to OpenCV's warpAffine, written in one pass as 8-bit RGB or as a normalised tensor.

import { HRNetError } from "../errors.ts";
import { type Affine, invertAffine } from "./affine.ts";
import { type RgbImage, rgbImage } from "./rgb-image.ts";

/** Order of the three planes of a network's input. */
export type ChannelOrder = "rgb" | "bgr";

/** How 8-bit values become a network's input: `(v / 255 − mean) / std` per plane. */
export interface Normalization {
  /** Per plane, for values 0–1. */
  readonly mean: readonly [number, number, number];
  /** Per plane, for values 0–1. */
  readonly std: readonly [number, number, number];
  /**
   * Default `rgb`. `bgr` swaps the planes and leaves mean and std as they stand, which is what the published
   * SimpleBaseline networks were trained with.
   */
  readonly channelOrder?: ChannelOrder;
}

/** Means and deviations of ImageNet, which the published networks use. */
export const IMAGENET_NORMALIZATION: Normalization = {
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
};

/** A {@link Normalization} as one table of 256 values per plane. Make it once, use it for every crop. */
export interface NormalizationTable {
  readonly channelOrder: ChannelOrder;
  /** 3×256, plane by plane. */
  readonly values: Float32Array;
}

/** Tabulates a normalisation, rounding to float32 after each step as torchvision's ToTensor and Normalize do. */
export function normalizationTable(normalization: Normalization): NormalizationTable {
  const { mean, std, channelOrder = "rgb" } = normalization;
  if (![...mean, ...std].every(Number.isFinite) || std.some((value) => value <= 0)) {
    throw new HRNetError(
      "invalid-config",
      `Normalisation needs finite means and positive deviations, not mean [${mean.join(", ")}], std [${std.join(", ")}].`,
    );
  }
  const f = Math.fround;
  const values = new Float32Array(3 * 256);
  for (let plane = 0; plane < 3; plane++) {
    for (let v = 0; v < 256; v++) {
      values[plane * 256 + v] = f(f(v / 255) - f(mean[plane]!)) / f(std[plane]!);
    }
  }
  return { channelOrder, values };
}

/** Where {@link warpIntoTensor} writes. */
export interface TensorSlot {
  /** Columns of the crop. */
  readonly width: number;
  /** Rows of the crop. */
  readonly height: number;
  /** Elements from `offset` on receive 3×height×width values. */
  readonly out: Float32Array;
  /** First element to write; default 0. */
  readonly offset?: number;
  /** If given, the crop mirrored left to right is written from this element on as well (for a flip test). */
  readonly mirrorOffset?: number;
}

/**
 * OpenCV's fixed-point scheme (`modules/imgproc/src/imgwarp.cpp`): source coordinates are taken to 1/1024 px,
 * then rounded to 1/32 px, and the four weights are products of 32nds.
 */
const COORDINATE_BITS = 10;
const FRACTION_BITS = 5;
const FRACTION_STEPS = 1 << FRACTION_BITS;
const FRACTION_MASK = FRACTION_STEPS - 1;
const DROPPED_BITS = COORDINATE_BITS - FRACTION_BITS;
/** The four weights of a pixel sum to 32·32. */
const WEIGHT_BITS = 2 * FRACTION_BITS;
const WEIGHT_HALF = 1 << (WEIGHT_BITS - 1);
/** Coordinates (in 1/1024 px) are kept in 32-bit integers; up to this size the sum of two fits. */
const COORDINATE_LIMIT = 2 ** 30 - 1;

/** Rounds to the nearest integer, halves to even, as the C library's `lrint` does. */
function roundHalfEven(value: number): number {
  // Adding 1.5·2^52 leaves no room for fraction bits: the hardware rounds.
  return value + 6755399441055744 - 6755399441055744;
}

/** A source coordinate in 1/1024 px; a whole number, possibly beyond 32 bits. */
function fixedPoint(pixels: number): number {
  return roundHalfEven(pixels * (1 << COORDINATE_BITS));
}

/** Far outside every picture instead of even farther. */
function clampCoordinate(value: number): number {
  return Math.max(-COORDINATE_LIMIT, Math.min(COORDINATE_LIMIT, value));
}

/**
 * Bilinear crop with zeros outside the picture, equal to `cv2.warpAffine(image, matrix, (width, height))` of OpenCV 4
 * (INTER_LINEAR, BORDER_CONSTANT).
 * @param imageToCrop maps pixels of the picture to pixels of the crop
 * @returns width×height RGB
 * @throws HRNetError `invalid-shape` when the matrix has no inverse.
 */
export function warpImage(image: RgbImage, imageToCrop: Affine, width: number, height: number): RgbImage {
  const crop = rgbImage(width, height);
  const { data } = crop;
  forEachSample(image, imageToCrop, width, height, (row, sampled) => {
    data.set(sampled, row * width * 3);
  });
  return crop;
}

/**
 * {@link warpImage} and normalisation in one pass: from the picture's bytes straight into a network's NCHW input.
 * Writes 3×height×width float32 values from `slot.offset` on, and the mirrored crop from `slot.mirrorOffset` on.
 * @param imageToCrop maps pixels of the picture to pixels of the crop
 * @throws HRNetError `invalid-shape` when the matrix has no inverse or the slot does not fit the array.
 */
export function warpIntoTensor(
  image: RgbImage,
  imageToCrop: Affine,
  table: NormalizationTable,
  slot: TensorSlot,
): void {
  const { width, height, out, offset = 0, mirrorOffset } = slot;
  const plane = width * height;
  for (const start of mirrorOffset === undefined ? [offset] : [offset, mirrorOffset]) {
    if (!Number.isInteger(start) || start < 0 || start + 3 * plane > out.length) {
      throw new HRNetError(
        "invalid-shape",
        `A 3×${height}×${width} crop written from element ${start} on does not fit an array of ${out.length}.`,
      );
    }
  }
  const { values, channelOrder } = table;
  const [red, green, blue] = channelOrder === "rgb" ? [0, 1, 2] : [2, 1, 0];
  const redPlane = offset + red! * plane;
  const greenPlane = offset + green! * plane;
  const bluePlane = offset + blue! * plane;
  const redTable = values.subarray(red! * 256, red! * 256 + 256);
  const greenTable = values.subarray(green! * 256, green! * 256 + 256);
  const blueTable = values.subarray(blue! * 256, blue! * 256 + 256);
  forEachSample(image, imageToCrop, width, height, (row, sampled) => {
    const start = row * width;
    for (let x = 0, s = 0; x < width; x++, s += 3) {
      out[redPlane + start + x] = redTable[sampled[s]!]!;
      out[greenPlane + start + x] = greenTable[sampled[s + 1]!]!;
      out[bluePlane + start + x] = blueTable[sampled[s + 2]!]!;
    }
    if (mirrorOffset === undefined) return;
    for (let channel = 0; channel < 3; channel++) {
      const from = offset + channel * plane + start;
      const last = mirrorOffset + channel * plane + start + width - 1;
      for (let x = 0; x < width; x++) out[last - x] = out[from + x]!;
    }
  });
}

/** Where {@link warpIntoPlanes} writes. */
export interface PlanarSlot {
  /** Columns of the crop. */
  readonly width: number;
  /** Rows of the crop. */
  readonly height: number;
  /** 3×height×width bytes: the red plane, the green one, the blue one. */
  readonly out: Uint8Array;
}

/**
 * {@link warpImage} written as three planes, as a network that normalises its input itself takes it.
 * @param imageToCrop maps pixels of the picture to pixels of the crop
 * @param mirrored takes the picture mirrored left to right (`x ← width − x − 1`) instead; equal, to the last grey level,
 * to mirroring its pixels first. A mirror composed into the matrix would not be: coordinates half-way between two steps
 * of the sampling grid would round to the other side.
 * @throws HRNetError `invalid-shape` when the matrix has no inverse or the array does not have 3×height×width elements
 */
export function warpIntoPlanes(
  image: RgbImage,
  imageToCrop: Affine,
  { width, height, out }: PlanarSlot,
  mirrored = false,
): void {
  const plane = width * height;
  if (out.length !== 3 * plane) {
    throw new HRNetError(
      "invalid-shape",
      `A 3×${height}×${width} crop has ${3 * plane} bytes; the array for it has ${out.length}.`,
    );
  }
  const takeRow = (row: number, sampled: Uint8Array): void => {
    const start = row * width;
    for (let x = 0, s = 0; x < width; x++, s += 3) {
      out[start + x] = sampled[s]!;
      out[start + plane + x] = sampled[s + 1]!;
      out[start + 2 * plane + x] = sampled[s + 2]!;
    }
  };
  forEachSample(image, imageToCrop, width, height, takeRow, mirrored);
}

/**
 * The shared core: samples the crop row by row into one small buffer (3·width bytes, RGB) and hands each row over.
 * The buffer is reused: take what is needed before returning.
 */
function forEachSample(
  image: RgbImage,
  imageToCrop: Affine,
  width: number,
  height: number,
  takeRow: (row: number, sampled: Uint8Array) => void,
  mirrored = false,
): void {
  const [a, b, tx, c, d, ty] = invertAffine(imageToCrop);
  const columnX = new Int32Array(width);
  const columnY = new Int32Array(width);
  const sampled = new Uint8Array(3 * width);
  const rounding = 1 << (DROPPED_BITS - 1);
  // Steps grow with x, so the last column has the largest. A crop that spans millions of pixels needs the slow way:
  // its sums are taken in float64 and only then brought into 32 bits.
  const spansTooMuch =
    Math.max(Math.abs(fixedPoint(a * (width - 1))), Math.abs(fixedPoint(c * (width - 1)))) > COORDINATE_LIMIT;
  const fillColumns = (rowX: number, rowY: number) => {
    for (let x = 0; x < width; x++) {
      columnX[x] = clampCoordinate(fixedPoint(a * x) + rowX);
      columnY[x] = clampCoordinate(fixedPoint(c * x) + rowY);
    }
  };
  if (!spansTooMuch) fillColumns(0, 0);
  for (let y = 0; y < height; y++) {
    const rowX = fixedPoint(b * y + tx) + rounding;
    const rowY = fixedPoint(d * y + ty) + rounding;
    if (spansTooMuch) {
      fillColumns(rowX, rowY);
      sampleRow(image, columnX, columnY, 0, 0, sampled, mirrored);
    } else {
      sampleRow(image, columnX, columnY, clampCoordinate(rowX), clampCoordinate(rowY), sampled, mirrored);
    }
    takeRow(y, sampled);
  }
}

/**
 * One row of the crop. Fixed-point coordinates of column x: (columnX[x] + rowX, columnY[x] + rowY), in the mirrored
 * picture where that is asked for.
 */
function sampleRow(
  image: RgbImage,
  columnX: Int32Array,
  columnY: Int32Array,
  rowX: number,
  rowY: number,
  sampled: Uint8Array,
  mirrored: boolean,
): void {
  const { data, width, height } = image;
  const stride = width * 3;
  const first = mirrored ? stride - 3 : 0;
  const step = mirrored ? -3 : 3;
  const lastX = width - 1;
  const lastY = height - 1;
  for (let x = 0, s = 0; x < columnX.length; x++, s += 3) {
    const fx = (columnX[x]! + rowX) >> DROPPED_BITS;
    const fy = (columnY[x]! + rowY) >> DROPPED_BITS;
    const sx = fx >> FRACTION_BITS;
    const sy = fy >> FRACTION_BITS;
    const ax = fx & FRACTION_MASK;
    const ay = fy & FRACTION_MASK;
    const w11 = ax * ay;
    const w10 = (ay << FRACTION_BITS) - w11;
    const w01 = (ax << FRACTION_BITS) - w11;
    const w00 = FRACTION_STEPS * FRACTION_STEPS - w01 - w10 - w11;
    if (sx >= 0 && sy >= 0 && sx < lastX && sy < lastY) {
      const p = sy * stride + first + sx * step;
      const q = p + stride;
      const pn = p + step;
      const qn = q + step;
      sampled[s] =
        (w00 * data[p]! + w01 * data[pn]! + w10 * data[q]! + w11 * data[qn]! + WEIGHT_HALF) >> WEIGHT_BITS;
      sampled[s + 1] =
        (w00 * data[p + 1]! + w01 * data[pn + 1]! + w10 * data[q + 1]! + w11 * data[qn + 1]! + WEIGHT_HALF) >>
        WEIGHT_BITS;
      sampled[s + 2] =
        (w00 * data[p + 2]! + w01 * data[pn + 2]! + w10 * data[q + 2]! + w11 * data[qn + 2]! + WEIGHT_HALF) >>
        WEIGHT_BITS;
    } else if (sx >= width || sy >= height || sx < -1 || sy < -1) {
      sampled[s] = 0;
      sampled[s + 1] = 0;
      sampled[s + 2] = 0;
    } else {
      // On the picture's edge: the taps outside are black.
      const left = sx >= 0;
      const right = sx < lastX;
      const top = sy >= 0;
      const bottom = sy < lastY;
      const p = sy * stride + first + sx * step;
      for (let channel = 0; channel < 3; channel++) {
        let sum = WEIGHT_HALF;
        if (left && top) sum += w00 * data[p + channel]!;
        if (right && top) sum += w01 * data[p + step + channel]!;
        if (left && bottom) sum += w10 * data[p + stride + channel]!;
        if (right && bottom) sum += w11 * data[p + stride + step + channel]!;
        sampled[s + channel] = sum >> WEIGHT_BITS;
      }
    }
  }
}
