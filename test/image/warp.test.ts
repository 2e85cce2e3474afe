// The crop warp against OpenCV's own output, the tensor it is written into, and its edges.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Affine } from "../../src/image/affine.ts";
import { type RgbImage, rgbImage } from "../../src/image/rgb-image.ts";
import {
  IMAGENET_NORMALIZATION,
  normalizationTable,
  warpImage,
  warpIntoPlanes,
  warpIntoTensor,
} from "../../src/image/warp.ts";
import { readCheckpoint } from "../../src/weights/read-checkpoint.ts";
import { fixture } from "../helpers/shared.ts";

interface WarpCase {
  readonly output_size: [number, number];
  readonly trans: [[number, number, number], [number, number, number]];
}

const { cases } = JSON.parse(readFileSync(fixture("prepost", "warp.json"), "utf8")) as { cases: WarpCase[] };
const { stateDict } = await readCheckpoint(fixture("prepost", "warp.safetensors"));
const arrays = (name: string) => Uint8Array.from(stateDict.get(name)!.data as Uint8Array);
const picture = rgbImage(80, 60, arrays("image"));
const matrixOf = ({ trans }: WarpCase): Affine => [...trans[0], ...trans[1]];

describe("equal to OpenCV's warpAffine, to the last grey level", () => {
  test.each(cases.map((one, index) => ({ one, index })))("fixture $index", ({ one, index }) => {
    const [width, height] = one.output_size;
    expect(warpImage(picture, matrixOf(one), width, height).data).toEqual(arrays(`out${index}`));
  });
});

describe("warpIntoTensor", () => {
  const one = cases[1]!;
  const [width, height] = one.output_size;
  const plane = width * height;
  const expected = arrays("out1");
  const { mean, std } = IMAGENET_NORMALIZATION;

  test.each(["rgb", "bgr"] as const)(
    "writes (v/255 − mean)/std as %s planes into its slot only",
    (channelOrder) => {
      const out = new Float32Array(3 * plane + 20).fill(99);
      const table = normalizationTable({ ...IMAGENET_NORMALIZATION, channelOrder });
      warpIntoTensor(picture, matrixOf(one), table, { width, height, out, offset: 10 });
      for (let at = 0; at < plane; at++) {
        for (let p = 0; p < 3; p++) {
          const value = expected[at * 3 + (channelOrder === "rgb" ? p : 2 - p)]!;
          expect(Math.abs(out[10 + p * plane + at]! - (value / 255 - mean[p]!) / std[p]!)).toBeLessThan(1e-6);
        }
      }
      expect([...out.slice(0, 10), ...out.slice(-10)]).toEqual(Array(20).fill(99));
    },
  );

  test("the mirrored crop is the crop, mirrored", () => {
    const out = new Float32Array(6 * plane);
    const table = normalizationTable(IMAGENET_NORMALIZATION);
    warpIntoTensor(picture, matrixOf(one), table, { width, height, out, mirrorOffset: 3 * plane });
    for (let row = 0; row < 3 * height; row++) {
      const straight = out.slice(row * width, (row + 1) * width);
      const mirrored = out.slice(3 * plane + row * width, 3 * plane + (row + 1) * width);
      expect(mirrored).toEqual(straight.reverse());
    }
  });

  test("a slot that does not fit, a map without inverse and a bad deviation are refused", () => {
    const table = normalizationTable(IMAGENET_NORMALIZATION);
    const out = new Float32Array(3 * plane);
    const slot = { width, height, out };
    expect(() => warpIntoTensor(picture, matrixOf(one), table, { ...slot, offset: 1 })).toThrow(
      /does not fit/,
    );
    expect(() => warpIntoTensor(picture, matrixOf(one), table, { ...slot, mirrorOffset: 3 })).toThrow(
      /does not fit/,
    );
    expect(() => warpIntoTensor(picture, [0, 0, 0, 0, 0, 0], table, slot)).toThrow(/no inverse/);
    expect(() => normalizationTable({ mean: [0, 0, 0], std: [1, 0, 1] })).toThrow(/positive deviations/);
  });
});

describe("warpIntoPlanes", () => {
  const planes = (crop: RgbImage): number[] =>
    [0, 1, 2].flatMap((channel) => [...crop.data.filter((_, i) => i % 3 === channel)]);
  const mirroredPicture = rgbImage(
    80,
    60,
    picture.data.map((_, i, data) => data[i + 3 * (79 - 2 * (Math.floor(i / 3) % 80))]!),
  );

  test.each(cases.map((one, index) => ({ one, index })))(
    "fixture $index, and the same of the picture mirrored beforehand",
    ({ one, index }) => {
      const [width, height] = one.output_size;
      const out = new Uint8Array(3 * width * height);
      warpIntoPlanes(picture, matrixOf(one), { width, height, out });
      expect([...out]).toEqual(planes(rgbImage(width, height, arrays(`out${index}`))));
      warpIntoPlanes(picture, matrixOf(one), { width, height, out }, true);
      expect([...out]).toEqual(planes(warpImage(mirroredPicture, matrixOf(one), width, height)));
    },
  );

  test("an array of another length is refused", () => {
    const slot = { width: 4, height: 4, out: new Uint8Array(47) };
    expect(() => warpIntoPlanes(picture, [1, 0, 0, 0, 1, 0], slot)).toThrow(/48 bytes/);
  });
});

describe("edges of the picture", () => {
  const white = (width: number, height: number): RgbImage =>
    rgbImage(width, height, new Uint8Array(width * height * 3).fill(255));

  test("whole-pixel shifts copy; what lies outside is black", () => {
    const crop = warpImage(picture, [1, 0, 5, 0, 1, -3], 80, 60);
    for (const [x, y] of [
      [5, 0],
      [40, 30],
      [79, 56],
    ] as const) {
      const from = ((y + 3) * 80 + x - 5) * 3;
      expect(crop.data.slice((y * 80 + x) * 3, (y * 80 + x) * 3 + 3)).toEqual(
        picture.data.slice(from, from + 3),
      );
    }
    expect(crop.data.slice(0, 15)).toEqual(new Uint8Array(15)); // the 5 columns left of the picture
    expect(crop.data.slice(-80 * 9)).toEqual(new Uint8Array(80 * 9)); // the 3 rows below it
  });

  test("half a pixel beyond the edge is half black", () => {
    expect([...warpImage(white(1, 1), [1, 0, 0.5, 0, 1, 0], 3, 1).data]).toEqual([
      128, 128, 128, 128, 128, 128, 0, 0, 0,
    ]);
  });

  test("coordinates far outside, even beyond 32 bits, are black", () => {
    for (const far of [1e5, -1e5, 1e12, -1e12]) {
      expect(warpImage(white(4, 4), [1, 0, far, 0, 1, 0], 8, 8).data).toEqual(new Uint8Array(8 * 8 * 3));
    }
    const shrunk = warpImage(white(4, 4), [1e-7, 0, 4, 0, 1e-7, 4], 8, 8).data;
    expect(Math.max(...shrunk)).toBe(255);
    expect(shrunk.filter((value) => value > 0)).toHaveLength(3); // the picture is one pixel of the crop
  });
});
