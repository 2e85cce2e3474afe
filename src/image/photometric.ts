// Random changes of colour, sharpness and visibility of an 8-bit crop in three planes, for training.

import { z } from "zod";
import { normalRandom, type Random, uniformRandom } from "../random/random.ts";

const share = z.number().min(0).max(1);

/** Reads {@link PhotometricOptions} from untrusted data, such as a recipe. `{}` changes nothing. */
export const photometricSchema = z.strictObject({
  brightness: share
    .default(0)
    .describe("All values are multiplied by 1 ± up to this. 0.4 is strong; 0 (default): never."),
  contrast: share
    .default(0)
    .describe("Distances from the crop's mean grey are multiplied by 1 ± up to this."),
  saturation: share.default(0).describe("Distances from the pixel's grey are multiplied by 1 ± up to this."),
  hue: z
    .number()
    .min(0)
    .max(180)
    .default(0)
    .describe("Colours are turned about the grey axis by ± up to this many degrees."),
  greyProbability: share.default(0).describe("How often all colour is taken away."),
  blur: z
    .strictObject({
      probability: share.describe("How often."),
      sigma: z.number().min(0.1).max(8).default(1.5).describe("Largest standard deviation in pixels."),
    })
    .optional()
    .describe("Gaussian blur. Left out: never."),
  noise: z
    .strictObject({
      probability: share.describe("How often."),
      sigma: z.number().min(0).max(64).default(12).describe("Largest standard deviation in grey levels."),
    })
    .optional()
    .describe("Normally distributed noise on each value. Left out: never."),
  occlusion: z
    .strictObject({
      probability: share.describe("How often."),
      count: z.int().min(1).max(16).default(1).describe("Most patches; 1 to this many are placed."),
      size: z
        .tuple([share, share])
        .refine(([least, most]) => least <= most, "the smallest size must not be above the largest")
        .default([0.1, 0.4])
        .describe("Smallest and largest side of a patch / side of the crop."),
      fill: z
        .enum(["mixed", "color", "noise", "picture"])
        .default("mixed")
        .describe(
          "What a patch shows: one colour, noise, a piece of the crop from elsewhere, or one of these at random.",
        ),
    })
    .optional()
    .describe("Covers parts of the crop with patches (random erasing, cutout, occlusion). Left out: never."),
});

/** How crops are varied; each key is described by {@link photometricSchema}. */
export type PhotometricOptions = z.output<typeof photometricSchema>;

/** {@link PhotometricOptions} with the defaults left out. */
export type PhotometricInput = z.input<typeof photometricSchema>;

/** A crop to change in place: 3×height×width bytes, red, green and blue plane. */
export interface PlanarCrop {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** One random variation of the crop, in place: colour, blur, noise, occlusion, in this order. Uses `random` alone. */
export function varyPhotometrically(crop: PlanarCrop, options: PhotometricOptions, random: Random): void {
  const { blur, noise, occlusion } = options;
  const color = randomColorMap(crop, options, random);
  if (color !== undefined) applyColorMap(crop, color);
  if (blur && random() < blur.probability) blurCrop(crop, 0.1 + random() * (blur.sigma - 0.1));
  if (noise && random() < noise.probability) addNoise(crop, random() * noise.sigma, random);
  if (occlusion && random() < occlusion.probability) occlude(crop, occlusion, random);
}

/** Weights of red, green and blue in grey (ITU-R BT.601). */
const LUMA = [0.299, 0.587, 0.114] as const;

/** `rgb ← matrix · rgb + offset`, 3×3 row-major. */
interface ColorMap {
  readonly matrix: readonly number[];
  readonly offset: number;
}

/** Hue, saturation, contrast and brightness as one linear map; `undefined` where nothing is to change. */
function randomColorMap(crop: PlanarCrop, options: PhotometricOptions, random: Random): ColorMap | undefined {
  const { brightness, contrast, saturation, hue, greyProbability } = options;
  if (brightness + contrast + saturation + hue + greyProbability === 0) return undefined;
  const around = (amount: number): number => 1 + (2 * random() - 1) * amount;
  const angle = ((2 * random() - 1) * hue * Math.PI) / 180;
  const colorful = around(saturation) * Number(random() >= greyProbability);
  const steep = around(contrast);
  const bright = around(brightness);
  // Saturation s: s·I + (1 − s)·(grey in every channel); grey itself stays as it is.
  const hueMatrix = turnAboutGrey(angle);
  const matrix = Array.from({ length: 9 }, (_, i) => {
    const column = i % 3;
    const grey =
      LUMA[0] * hueMatrix[column]! + LUMA[1] * hueMatrix[3 + column]! + LUMA[2] * hueMatrix[6 + column]!;
    return bright * steep * (colorful * hueMatrix[i]! + (1 - colorful) * grey);
  });
  return { matrix, offset: bright * (1 - steep) * (contrast === 0 ? 0 : meanGrey(crop)) };
}

/** Rotation about the axis red = green = blue (Rodrigues' formula). */
function turnAboutGrey(angle: number): number[] {
  const cos = Math.cos(angle);
  const third = (1 - cos) / 3;
  const sine = Math.sin(angle) / Math.sqrt(3);
  const [same, next, last] = [cos + third, third - sine, third + sine];
  return [same, next, last, last, same, next, next, last, same];
}

function meanGrey({ data }: PlanarCrop): number {
  const plane = data.length / 3;
  const means = LUMA.map((weight, channel) => {
    let sum = 0;
    for (let i = channel * plane; i < (channel + 1) * plane; i++) sum += data[i]!;
    return (weight * sum) / plane;
  });
  return means[0]! + means[1]! + means[2]!;
}

function applyColorMap({ data }: PlanarCrop, { matrix, offset }: ColorMap): void {
  const plane = data.length / 3;
  const clamped = new Uint8ClampedArray(data.buffer, data.byteOffset, data.length); // rounds and clamps
  const [a, b, c, d, e, f, g, h, i] = matrix as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  for (let at = 0; at < plane; at++) {
    const red = data[at]!;
    const green = data[plane + at]!;
    const blue = data[2 * plane + at]!;
    clamped[at] = a * red + b * green + c * blue + offset;
    clamped[plane + at] = d * red + e * green + f * blue + offset;
    clamped[2 * plane + at] = g * red + h * green + i * blue + offset;
  }
}

/** Gaussian blur of each plane, borders repeated, kernel cut at 3σ. */
export function blurCrop({ width, height, data }: PlanarCrop, sigma: number): void {
  const reach = Math.ceil(3 * sigma);
  const kernel = Float32Array.from({ length: 2 * reach + 1 }, (_, i) =>
    Math.exp(-((i - reach) ** 2) / (2 * sigma ** 2)),
  );
  const sum = kernel.reduce((total, value) => total + value, 0);
  for (let i = 0; i < kernel.length; i++) kernel[i]! /= sum;
  const line = new Float32Array(Math.max(width, height) + 2 * reach);
  const blurLines = (lines: number, length: number, start: (line: number) => number, step: number): void => {
    for (let n = 0; n < lines; n++) {
      const first = start(n);
      for (let i = -reach; i < length + reach; i++) {
        line[i + reach] = data[first + Math.min(length - 1, Math.max(0, i)) * step]!;
      }
      for (let i = 0; i < length; i++) {
        let value = 0.5; // rounds
        for (let k = 0; k < kernel.length; k++) value += kernel[k]! * line[i + k]!;
        data[first + i * step] = value;
      }
    }
  };
  blurLines(3 * height, width, (row) => row * width, 1);
  const plane = width * height;
  blurLines(3 * width, height, (column) => Math.floor(column / width) * plane + (column % width), width);
}

const NOISE_VALUES = 1 << 15;
let noiseTable: Float32Array | undefined;

/** Adds normal noise: a table of normal numbers, read from a random place in random steps, since drawing each is slow. */
function addNoise({ data }: PlanarCrop, sigma: number, random: Random): void {
  if (noiseTable === undefined) {
    const normal = normalRandom(uniformRandom(1));
    noiseTable = Float32Array.from({ length: NOISE_VALUES }, normal);
  }
  const table = noiseTable;
  const clamped = new Uint8ClampedArray(data.buffer, data.byteOffset, data.length);
  let at = 0;
  for (let i = 0; i < data.length; i++) {
    // A new odd step every 4096 values, so that the table's period does not show.
    if ((i & 4095) === 0) at = Math.floor(random() * NOISE_VALUES);
    at = (at + 7919) & (NOISE_VALUES - 1);
    clamped[i] = data[i]! + sigma * table[at]!;
  }
}

type Fill = "color" | "noise" | "picture";
const FILLS: readonly Fill[] = ["color", "noise", "picture"];

function occlude(
  crop: PlanarCrop,
  { count, size, fill }: NonNullable<PhotometricOptions["occlusion"]>,
  random: Random,
): void {
  const { width, height } = crop;
  const side = (whole: number): number =>
    Math.max(1, Math.round(whole * (size[0] + random() * (size[1] - size[0]))));
  const patches = 1 + Math.floor(random() * count);
  for (let n = 0; n < patches; n++) {
    const [w, h] = [side(width), side(height)];
    const place = (): Corner => [
      Math.floor(random() * (width - w + 1)),
      Math.floor(random() * (height - h + 1)),
    ];
    const to = place();
    const kind = fill === "mixed" ? FILLS[Math.floor(random() * FILLS.length)]! : fill;
    fillPatch(crop, to, [w, h], kind, place(), random);
  }
}

type Corner = readonly [x: number, y: number];

function fillPatch(
  { width, height, data }: PlanarCrop,
  [left, top]: Corner,
  [w, h]: Corner,
  fill: Fill,
  [fromLeft, fromTop]: Corner,
  random: Random,
): void {
  for (let channel = 0; channel < 3; channel++) {
    const plane = channel * width * height;
    const color = Math.floor(random() * 256);
    const source = fill === "picture" ? data.slice(plane, plane + width * height) : data;
    for (let y = 0; y < h; y++) {
      const row = plane + (top + y) * width + left;
      if (fill === "color") data.fill(color, row, row + w);
      else if (fill === "noise") for (let x = 0; x < w; x++) data[row + x] = random() * 256;
      else {
        const from = (fromTop + y) * width + fromLeft;
        data.set(source.subarray(from, from + w), row);
      }
    }
  }
}
