// Pictures of what the network is trained on: the augmented crop beside its targets.

import { HRNetError } from "../errors.ts";
import { type RgbImage, rgbImage } from "../image/rgb-image.ts";
import type { HeatmapGrid } from "../pose/codecs/heatmap-codec.ts";
import { type DrawablePerson, drawPoses } from "../pose/draw-pose.ts";
import type { Skeleton } from "../skeleton/skeleton.ts";

/** Heatmaps of one picture. */
export interface Heatmaps {
  /** keypoints·channels × height × width, in C order; of several channels per keypoint the first is drawn. */
  readonly data: Float32Array;
  readonly keypoints: number;
  readonly height: number;
  readonly width: number;
  /** Channels per keypoint, 1 by default; 3 for maps with offsets. */
  readonly channels?: number;
  /** Where cells lie in the crop. Default `stride`. */
  readonly grid?: HeatmapGrid;
  /** One per keypoint; maps of weight 0 are not drawn. Default: all are. */
  readonly weights?: ArrayLike<number>;
}

/** Pixels between pictures side by side, and their colour. */
const GAP = 4;
const GAP_COLOR = 128;

/** How much of the picture is left under the heatmaps: enough to see what they lie on. */
const DIMMED = 0.45;
/** A heatmap's peak covers this much. */
const PEAK_OPACITY = 0.9;

/** Planes of red, green and blue, as a network with its own normalisation takes them, as a picture. */
export function imageFromPlanes(planes: Uint8Array, width: number, height: number): RgbImage {
  const area = width * height;
  if (planes.length !== 3 * area) {
    throw new HRNetError(
      "invalid-shape",
      `Three planes of ${height}×${width} have ${3 * area} bytes; ${planes.length} were given.`,
    );
  }
  const image = rgbImage(width, height);
  for (let channel = 0; channel < 3; channel++) {
    for (let i = 0; i < area; i++) image.data[3 * i + channel] = planes[channel * area + i]!;
  }
  return image;
}

/**
 * Heatmaps in the colours of their keypoints over a darkened copy of the picture.
 * @param colors one per keypoint, 0–255
 * @throws HRNetError `invalid-shape` when data, shape and colours do not fit each other
 */
export function drawHeatmaps(
  image: RgbImage,
  heatmaps: Heatmaps,
  colors: readonly (readonly [number, number, number])[],
): RgbImage {
  const { data, keypoints, height: rows, width: columns, channels = 1, grid = "stride", weights } = heatmaps;
  if (data.length !== keypoints * channels * rows * columns || colors.length !== keypoints) {
    throw new HRNetError(
      "invalid-shape",
      `${keypoints}·${channels} heatmaps of ${rows}×${columns} have ${keypoints * channels * rows * columns} values and ` +
        `${keypoints} colours; ${data.length} and ${colors.length} were given.`,
    );
  }
  const { width, height } = image;
  const drawn = colors.flatMap((color, k) =>
    (weights?.[k] ?? 1) > 0 ? [{ color, start: k * channels * rows * columns }] : [],
  );
  const xs = axisSamples(width, columns, grid);
  const ys = axisSamples(height, rows, grid);
  const result = rgbImage(width, height);
  ys.forEach((v, y) => {
    xs.forEach((u, x) => {
      const at = 3 * (y * width + x);
      let [sum, peak, red, green, blue] = [0, 0, 0, 0, 0];
      for (const { color, start } of drawn) {
        const upper = start + v.low * columns;
        const lower = start + v.high * columns;
        const top = data[upper + u.low]! + (data[upper + u.high]! - data[upper + u.low]!) * u.fraction;
        const bottom = data[lower + u.low]! + (data[lower + u.high]! - data[lower + u.low]!) * u.fraction;
        const value = top + (bottom - top) * v.fraction;
        if (!(value > 0)) continue;
        sum += value;
        peak = Math.max(peak, value);
        red += value * color[0];
        green += value * color[1];
        blue += value * color[2];
      }
      const opacity = PEAK_OPACITY * Math.min(1, peak);
      [red, green, blue].forEach((total, channel) => {
        const under = DIMMED * image.data[at + channel]!;
        const over = sum > 0 ? total / sum : 0;
        result.data[at + channel] = Math.round(under + (over - under) * opacity);
      });
    });
  });
  return result;
}

/** Where a pixel falls between two cells. */
interface AxisSample {
  readonly low: number;
  readonly high: number;
  readonly fraction: number;
}

function axisSamples(pixels: number, cells: number, grid: HeatmapGrid): AxisSample[] {
  // The inverse of the positions that `HeatmapGrid` defines.
  const perPixel = grid === "stride" ? cells / pixels : (cells - 1) / Math.max(1, pixels - 1);
  return Array.from({ length: pixels }, (_, pixel) => {
    const cell = Math.min(cells - 1, pixel * perPixel);
    const low = Math.floor(cell);
    return { low, high: Math.min(cells - 1, low + 1), fraction: cell - low };
  });
}

/** Pictures in a row, set on the middle line where their heights differ. */
export function sideBySide(images: readonly RgbImage[]): RgbImage {
  const height = Math.max(1, ...images.map((image) => image.height));
  const width = images.reduce((sum, image) => sum + image.width, Math.max(0, images.length - 1) * GAP);
  const row = rgbImage(Math.max(1, width), height);
  row.data.fill(GAP_COLOR);
  let left = 0;
  for (const image of images) {
    const top = Math.floor((height - image.height) / 2);
    for (let y = 0; y < image.height; y++) {
      const from = 3 * y * image.width;
      const line = image.data.subarray(from, from + 3 * image.width);
      row.data.set(line, 3 * ((top + y) * row.width + left));
    }
    left += image.width + GAP;
  }
  return row;
}

/** What belongs to a sample besides its heatmaps. */
export interface SampleOptions {
  readonly skeleton: Skeleton;
  /** J keypoints in pixels of the crop, score 0 for what is not labelled; drawn on the left. */
  readonly keypoints?: DrawablePerson["keypoints"];
}

/**
 * An augmented crop (with its keypoints, if given) and, beside it, its target heatmaps.
 * @throws HRNetError `invalid-shape` when the heatmaps or keypoints do not fit the skeleton
 */
export function drawSample(crop: RgbImage, heatmaps: Heatmaps, options: SampleOptions): RgbImage {
  const { skeleton, keypoints } = options;
  const plain = rgbImage(crop.width, crop.height, crop.data.slice());
  if (keypoints !== undefined) drawPoses(plain, [{ keypoints }], skeleton);
  return sideBySide([plain, drawHeatmaps(crop, heatmaps, skeleton.keypointColors)]);
}
