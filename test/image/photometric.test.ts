// Photometric augmentation: each change against its formula, and what must not change.
import { describe, expect, test } from "vitest";
import {
  blurCrop,
  type PhotometricInput,
  photometricSchema,
  varyPhotometrically,
} from "../../src/image/photometric.ts";
import { uniformRandom } from "../../src/random/random.ts";
import { expectNear } from "../helpers/near.ts";

const [width, height] = [24, 16];
const plane = width * height;
const noise = uniformRandom(9);
const picture = Uint8Array.from({ length: 3 * plane }, () => 60 + 120 * noise());
const crop = () => ({ width, height, data: picture.slice() });

function varied(options: PhotometricInput, seed = 1): Uint8Array {
  const one = crop();
  varyPhotometrically(one, photometricSchema.parse(options), uniformRandom(seed));
  return one.data;
}
const grey = (data: Uint8Array, i: number) =>
  0.299 * data[i]! + 0.587 * data[plane + i]! + 0.114 * data[2 * plane + i]!;
const average = (data: Uint8Array) => data.reduce((sum, v) => sum + v, 0) / data.length;
const all = Array.from({ length: plane }, (_, i) => i);

test("no options change nothing; the same stream gives the same crop", () => {
  expect(varied({})).toEqual(picture);
  const strong: PhotometricInput = {
    brightness: 0.4,
    hue: 20,
    noise: { probability: 1 },
    blur: { probability: 1 },
  };
  expect(varied(strong, 3)).toEqual(varied(strong, 3));
  expect(varied(strong, 3)).not.toEqual(varied(strong, 4));
});

test("brightness multiplies every value alike, within its range", () => {
  const factors = Array.from({ length: 40 }, (_, seed) => {
    const data = varied({ brightness: 0.3 }, seed);
    const factor = average(data) / average(picture);
    expectNear(
      data,
      picture.map((v) => v * factor),
      1.2,
    );
    return factor;
  });
  expect(Math.min(...factors)).toBeGreaterThan(0.69);
  expect(Math.max(...factors)).toBeLessThan(1.31);
  expect(Math.max(...factors) - Math.min(...factors)).toBeGreaterThan(0.4);
});

test("contrast keeps the mean grey, saturation and hue keep every grey or its hue's axis", () => {
  const mean = (data: Uint8Array) => all.reduce((sum, i) => sum + grey(data, i), 0) / plane;
  expect(Math.abs(mean(varied({ contrast: 0.4 })) - mean(picture))).toBeLessThan(0.6);
  const saturated = varied({ saturation: 0.4 });
  expectNear(
    all.map((i) => grey(saturated, i)),
    all.map((i) => grey(picture, i)),
    0.8,
  );
  expect(saturated).not.toEqual(picture);
  // A turn about the grey axis keeps the sum and the length of a colour.
  const turned = varied({ hue: 30 });
  const sum = (data: Uint8Array, i: number) => data[i]! + data[plane + i]! + data[2 * plane + i]!;
  const length = (data: Uint8Array, i: number) =>
    Math.hypot(data[i]!, data[plane + i]!, data[2 * plane + i]!);
  expectNear(
    all.map((i) => sum(turned, i)),
    all.map((i) => sum(picture, i)),
    1.6,
  );
  expectNear(
    all.map((i) => length(turned, i)),
    all.map((i) => length(picture, i)),
    1.6,
  );
  expect(turned).not.toEqual(picture);
});

test("grey takes all colour away", () => {
  const data = varied({ greyProbability: 1 });
  expectNear(
    data.subarray(0, plane),
    all.map((i) => grey(picture, i)),
    0.51,
  );
  expect(data.subarray(plane, 2 * plane)).toEqual(data.subarray(0, plane));
});

describe("blur", () => {
  test("spreads a point as a Gaussian, and leaves an even crop even, borders too", () => {
    const point = { width: 31, height: 31, data: new Uint8Array(3 * 31 * 31) };
    point.data[15 * 31 + 15] = 255;
    blurCrop(point, 1.5);
    for (const [dx, dy] of [
      [0, 0],
      [1, 0],
      [2, 1],
    ] as const) {
      const density = Math.exp(-(dx * dx + dy * dy) / (2 * 1.5 ** 2)) / (2 * Math.PI * 1.5 ** 2);
      expect(Math.abs(point.data[(15 + dy) * 31 + 15 + dx]! - 255 * density)).toBeLessThan(1.5);
    }
    expect(Math.max(...point.data.subarray(31 * 31))).toBe(0);
    const even = { width: 9, height: 5, data: new Uint8Array(3 * 45).fill(77) };
    blurCrop(even, 2);
    expect([...even.data]).toEqual(Array(135).fill(77));
  });
});

test("noise has mean 0 and at most its deviation", () => {
  const deviations = Array.from({ length: 20 }, (_, seed) => {
    const differences = varied({ noise: { probability: 1, sigma: 10 } }, seed).map(
      (v, i) => v - picture[i]! + 128,
    );
    const mean = average(differences) - 128;
    expect(Math.abs(mean)).toBeLessThan(1.5);
    return Math.sqrt(differences.reduce((sum, v) => sum + (v - 128) ** 2, 0) / differences.length);
  });
  expect(Math.max(...deviations)).toBeLessThan(10.8);
  expect(Math.max(...deviations)).toBeGreaterThan(6);
});

test.each(["color", "noise", "picture", "mixed"] as const)(
  "occlusion by %s covers one rectangle of its size",
  (fill) => {
    for (let seed = 0; seed < 20; seed++) {
      const data = varied({ occlusion: { probability: 1, size: [0.25, 0.5], fill } }, seed);
      const changed = all.filter((i) =>
        [0, 1, 2].some((c) => data[c * plane + i] !== picture[c * plane + i]),
      );
      const xs = changed.map((i) => i % width);
      const ys = changed.map((i) => Math.floor(i / width));
      if (changed.length === 0) continue; // a piece of the picture laid over itself
      expect(Math.max(...xs) - Math.min(...xs)).toBeLessThan(width / 2);
      expect(Math.max(...ys) - Math.min(...ys)).toBeLessThan(height / 2);
      expect(changed.length).toBeGreaterThan(0.9 * (width / 4) * (height / 4) - 4);
      if (fill === "color") expect(new Set(changed.map((i) => data[i])).size).toBe(1);
    }
  },
);
