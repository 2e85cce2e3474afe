// What a camera does to a drawn scene: colour cast, contrast, vignetting, blur, sensor noise.

import type { RgbImage } from "../image/rgb-image.ts";
import { normalRandom, type Random, uniformRandom } from "../random/random.ts";
import { between, chance } from "./choose.ts";

/** Changes the picture in place; nothing moves. */
export function photograph(image: RgbImage, random: Random): void {
  if (chance(random, 0.35)) blur(image);
  const gain = [0, 1, 2].map(() => between(random, [0.92, 1.08]));
  const contrast = between(random, [0.75, 1.2]);
  const exposure = between(random, [-28, 24]);
  const gamma = between(random, [0.8, 1.25]);
  const curves = gain.map((g) =>
    Float32Array.from({ length: 256 }, (_, v) => {
      const bent = 255 * (v / 255) ** gamma * g;
      return (bent - 128) * contrast + 128 + exposure;
    }),
  );
  const grain = chance(random, 0.6) ? between(random, [1, 10]) : 0;
  const vignette = chance(random, 0.4) ? between(random, [0.1, 0.5]) : 0;
  develop(image, curves as [Float32Array, Float32Array, Float32Array], { grain, vignette }, random);
}

interface Lens {
  /** Standard deviation of the grain in grey levels. */
  readonly grain: number;
  /** How much darker the corners are, 0–1. */
  readonly vignette: number;
}

/** Every value through its channel's curve, darker to the corners, with grain. */
function develop(
  { width, height, data }: RgbImage,
  [red, green, blue]: readonly [Float32Array, Float32Array, Float32Array],
  { grain, vignette }: Lens,
  random: Random,
): void {
  const table = GRAIN.map((value) => grain * value + 0.5); // the half rounds: byte arrays cut off
  const places = table.length - 3;
  for (let y = 0, at = 0; y < height; y++) {
    const v = (2 * y) / height - 1;
    for (let x = 0; x < width; x++, at += 3) {
      const u = (2 * x) / width - 1;
      const dim = 1 - (vignette * (u * u + v * v)) / 2;
      const start = grain > 0 ? Math.floor(random() * places) : 0;
      data[at] = toByte(red[data[at]!]! * dim + table[start]!);
      data[at + 1] = toByte(green[data[at + 1]!]! * dim + table[start + 1]!);
      data[at + 2] = toByte(blue[data[at + 2]!]! * dim + table[start + 2]!);
    }
  }
}

const toByte = (value: number): number => (value < 0 ? 0 : value > 255 ? 255 : value);

/** Normal numbers that all pictures draw grain from, at random places: making them takes longer than a picture. */
const GRAIN = Float32Array.from({ length: 4096 }, normalRandom(uniformRandom(1)));

/** The mean with the neighbours, weighted 1 2 1 each way. */
function blur({ width, height, data }: RgbImage): void {
  const stride = 3 * width;
  // Along the rows from the left, then along the columns from the top: `before` is what a value was before its turn.
  for (let y = 0; y < height; y++) {
    const start = y * stride;
    const before = [data[start]!, data[start + 1]!, data[start + 2]!];
    for (let at = start; at < start + stride - 3; at += 3) {
      for (let c = 0; c < 3; c++) {
        const here = data[at + c]!;
        data[at + c] = (before[c]! + 2 * here + data[at + c + 3]! + 2) >> 2;
        before[c] = here;
      }
    }
  }
  const above = data.slice(0, stride);
  for (let at = 0, i = 0; at < data.length - stride; at++, i = i + 1 < stride ? i + 1 : 0) {
    const here = data[at]!;
    data[at] = (above[i]! + 2 * here + data[at + stride]! + 2) >> 2;
    above[i] = here;
  }
}
