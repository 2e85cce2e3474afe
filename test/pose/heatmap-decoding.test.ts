// Decoding and flip test against the official code's outputs, mmpose's DARK, and plain re-computations.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  HEATMAP_CODECS,
  type HeatmapCodecName,
  type HeatmapCodecOptions,
} from "../../src/pose/codecs/codec-table.ts";
import { createHeatmapBlur } from "../../src/pose/codecs/gaussian-blur.ts";
import { createHeatmapCodec } from "../../src/pose/codecs/heatmap-codec.ts";
import { centerScaleFromOfficial } from "../../src/pose/transforms.ts";
import { expectNear, maxDifference } from "../helpers/near.ts";
import { readFixtureTensors } from "../helpers/safetensors.ts";
import { fixture, hasShared, shared } from "../helpers/shared.ts";

const COCO_FLIP = [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15];
/** Every third element dropped: x and y of `[x, y, score]`. */
const positions = (decoded: Float64Array) => decoded.filter((_, i) => i % 3 !== 2);
const scores = (decoded: Float64Array) => decoded.filter((_, i) => i % 3 === 2);

describe("the official path (get_max_preds, get_final_preds, flip_back)", () => {
  const t = readFixtureTensors(fixture("prepost", "preds.safetensors"));
  const shape = { keypoints: 17, height: 16, width: 12 };
  const person = 17 * 16 * 12;
  const heatmaps = Float32Array.from(t["heatmaps"]!.values);
  const region = (i: number) => {
    const [center, scale] = [t["center"]!, t["scale"]!].map(({ values }) =>
      values.subarray(2 * i, 2 * i + 2),
    );
    return centerScaleFromOfficial([center![0]!, center![1]!], [scale![0]!, scale![1]!]);
  };

  test.each([0, 1, 2])("person %i", (i) => {
    const maps = heatmaps.subarray(i * person, (i + 1) * person);
    const slice = (name: string, per: number) => t[name]!.values.subarray(i * per, (i + 1) * per);

    const plain = createHeatmapCodec({ name: "quarter-offset", refinement: "none" });
    const cells = plain.decodeCells(maps, shape);
    expectNear(positions(cells), slice("max_preds", 34), 0);
    expectNear(scores(cells), slice("maxvals", 17), 0);

    // The official code rounds to float32 on the way.
    expectNear(
      positions(plain.decode(maps, shape, region(i), [48, 64])),
      slice("final_preds_post0", 34),
      5e-3,
    );
    const quarter = createHeatmapCodec("quarter-offset");
    expectNear(
      positions(quarter.decode(maps, shape, region(i), [48, 64])),
      slice("final_preds_post1", 34),
      5e-3,
    );
  });

  test.each([
    ["quarter-offset", "flip_test_avg_shift"],
    ["dark", "flip_test_avg_shift"],
    ["tinypose", "flip_test_avg_shift"],
    ["udp", "flip_test_avg_noshift"],
  ] as const)("%s averages the flip test as %s", (name, expected) => {
    const merged = heatmaps.slice();
    const flipped = Float32Array.from(t["net_output_of_flipped_image"]!.values);
    createHeatmapCodec(name).mergeFlipped(merged, flipped, shape, COCO_FLIP);
    expectNear(merged, t[expected]!.values, 1e-7);
  });

  test("turning back alone is the official flip_back", () => {
    const merged = new Float32Array(heatmaps.length);
    createHeatmapCodec("udp").mergeFlipped(merged, heatmaps, shape, COCO_FLIP);
    expectNear(
      merged.map((value) => 2 * value),
      t["flip_back"]!.values,
      0,
    );
  });
});

describe("DARK (mmpose)", () => {
  const t = readFixtureTensors(fixture("prepost", "dark.safetensors"));
  const shape = { keypoints: 12, height: 32, width: 24 };
  const area = 32 * 24;
  const heatmaps = Float32Array.from(t["heatmaps"]!.values);

  test.each([
    ["dark_k11", { name: "dark" }],
    ["dark_k17", { name: "dark", sigma: 3 }],
    ["dark_k17", { name: "quarter-offset", refinement: "dark", blurKernel: 17 }],
    ["dark_udp_k11", { name: "udp" }],
    ["dark_udp_k17", { name: "udp", blurKernel: 17 }],
  ] as [string, HeatmapCodecOptions][])("%s by %o", (expected, options) => {
    const decoded = createHeatmapCodec(options).decodeCells(heatmaps, shape);
    expectNear(positions(decoded), t[expected]!.values, 1e-5); // float32 logarithms in the fixture
    expectNear(scores(decoded), t["maxvals"]!.values, 0);
  });

  test("blurred maps, whole and by patches", () => {
    const blur = createHeatmapBlur(11, "zero");
    const cell = new Float64Array(1);
    for (let map = 0; map < 12; map++) {
      const values = heatmaps.subarray(map * area, (map + 1) * area);
      const blurred = blur.whole(values, 24, 32);
      for (let i = 0; i < area; i++) {
        blur.patch(values, 24, 32, i % 24, Math.floor(i / 24), 0, cell);
        expect(Math.abs(cell[0]! - blurred[i]!)).toBeLessThan(1e-12);
      }
      const scale = Math.max(...values) / Math.max(...blurred); // the fixture restores each map's maximum
      const expected = t["blurred_k11"]!.values.subarray(map * area, (map + 1) * area);
      expectNear(
        blurred.map((value) => value * scale),
        expected,
        1e-6,
      );
    }
  });

  test.each(["dark", "udp"] as const)("%s where the clamp acts equals the whole-map computation", (name) => {
    // A narrow peak in negative surroundings: blurred neighbours fall below the clamp, so rescaling matters.
    const [width, height, px, py] = [24, 32, 9, 14];
    const map = new Float32Array(width * height).fill(-0.0765);
    for (const [dx, dy, value] of [
      [0, 0, 0.9],
      [1, 0, 0.5],
      [0, 1, 0.3],
      [-1, 0, 0.2],
      [0, -1, 0.1],
    ] as const) {
      map[(py + dy) * width + px + dx] = value;
    }
    const decoded = createHeatmapCodec(name).decodeCells(map, { keypoints: 1, height, width });
    expectNear(positions(decoded), wholeMapNewtonStep(map, width, height, px, py, name), 1e-9);
  });
});

/** DARK as its papers write it: blur everything (kernel 11), restore the maximum, clamp, logarithm, one Newton step. */
function wholeMapNewtonStep(
  map: Float32Array,
  width: number,
  height: number,
  px: number,
  py: number,
  kind: "dark" | "udp",
): [number, number] {
  const kernel = Array.from({ length: 11 }, (_, i) => Math.exp(-((i - 5) ** 2) / (2 * 2 ** 2)));
  const total = kernel.reduce((sum, value) => sum + value) ** 2;
  const blurred = Array.from(map, (_, cell) => {
    let sum = 0;
    for (let j = -5; j <= 5; j++) {
      for (let i = -5; i <= 5; i++) {
        const x = (cell % width) + i;
        const y = Math.floor(cell / width) + j;
        if (x < 0 || y < 0 || x >= width || y >= height) continue;
        sum += (kernel[i + 5]! * kernel[j + 5]! * map[y * width + x]!) / total;
      }
    }
    return sum;
  });
  const scale = Math.max(...map) / Math.max(...blurred);
  const [floor, ceiling] = kind === "dark" ? [1e-10, Number.POSITIVE_INFINITY] : [1e-3, 50];
  const reach = kind === "dark" ? 2 : 1;
  expect(blurred[py * width + px]).toBeGreaterThan(floor);
  expect(blurred[py * width + px - reach]).toBeLessThan(floor);
  const h = (dx: number, dy: number) =>
    Math.log(Math.min(Math.max(blurred[(py + dy) * width + px + dx]! * scale, floor), ceiling));
  const s = kind === "dark" ? 2 : 1;
  const e = kind === "dark" ? 0 : 2 ** -23;
  const gx = (h(1, 0) - h(-1, 0)) / 2;
  const gy = (h(0, 1) - h(0, -1)) / 2;
  const xx = (h(s, 0) - 2 * h(0, 0) + h(-s, 0)) / s ** 2 + e;
  const yy = (h(0, s) - 2 * h(0, 0) + h(0, -s)) / s ** 2 + e;
  const xy =
    kind === "dark"
      ? (h(1, 1) - h(1, -1) - h(-1, 1) + h(-1, -1)) / 4
      : (h(1, 1) - h(1, 0) - h(0, 1) + 2 * h(0, 0) - h(-1, 0) - h(0, -1) + h(-1, -1)) / 2;
  const determinant = xx * yy - xy * xy;
  return [px - (yy * gx - xy * gy) / determinant, py - (xx * gy - xy * gx) / determinant];
}

describe("udp-combined", () => {
  test("reads the offsets at the blurred disk's maximum", () => {
    const [width, height] = [12, 16];
    const area = width * height;
    const maps = new Float32Array(3 * area);
    for (let i = 0; i < maps.length; i++) maps[i] = Math.sin(i * 12.9898) * 0.3; // any values
    for (const dx of [-1, 0, 1]) maps[9 * width + 1 + dx] = 1; // near the border, so that reflection matters

    const reflect = (i: number, size: number) => {
      let at = i;
      while (at < 0 || at >= size) at = at < 0 ? -at : 2 * (size - 1) - at;
      return at;
    };
    const blur = (map: Float32Array, size: number, x: number, y: number) => {
      const half = (size - 1) / 2;
      const sigma = 0.3 * (half - 1) + 0.8;
      let [sum, total] = [0, 0];
      for (let j = -half; j <= half; j++) {
        for (let i = -half; i <= half; i++) {
          const weight = Math.exp(-(i * i + j * j) / (2 * sigma * sigma));
          total += weight;
          sum += weight * map[reflect(y + j, height) * width + reflect(x + i, width)]!;
        }
      }
      return sum / total;
    };
    const disk = Array.from({ length: area }, (_, i) => blur(maps, 23, i % width, Math.floor(i / width)));
    const maximum = Math.max(...disk);
    const best = disk.indexOf(maximum);
    const [px, py] = [best % width, Math.floor(best / width)];
    const radius = 0.0546875 * 16;
    const x = px + radius * blur(maps.subarray(area, 2 * area), 11, px, py);
    const y = py + radius * blur(maps.subarray(2 * area), 11, px, py);

    const decoded = createHeatmapCodec("udp-combined").decodeCells(maps, { keypoints: 1, height, width });
    expectNear(decoded, [x, y, maximum], 1e-6);
  });

  test("flip test negates the horizontal offsets and keeps disk and vertical offsets", () => {
    const shape = { keypoints: 2, height: 1, width: 3 };
    const zero = new Float32Array(18);
    const flipped = Float32Array.from({ length: 18 }, (_, i) => i + 1);
    createHeatmapCodec("udp-combined").mergeFlipped(zero, flipped, shape, [1, 0]);
    const expected = [12, 11, 10, -15, -14, -13, 18, 17, 16, 3, 2, 1, -6, -5, -4, 9, 8, 7];
    expectNear(
      zero,
      expected.map((value) => value / 2),
      0,
    );
  });
});

describe("geometry", () => {
  const region = { center: [100, 80], scale: [96, 128] } as const;

  test.each([
    // The cell the crop's first pixel is at, and where the last cell lies: see HeatmapGrid.
    ["quarter-offset", [52, 16], [52 + (96 / 192) * 188, 16 + (128 / 256) * 252]],
    ["udp", [52, 16], [148, 144]],
    ["tinypose", [52, 16], [52 + (96 / 191) * 188, 16 + (128 / 255) * 252]],
  ] as [HeatmapCodecName, number[], number[]][])(
    "%s places the first and the last cell",
    (name, first, last) => {
      const matrix = createHeatmapCodec(name).heatmapToImage(region, [192, 256], [48, 64]);
      expectNear([matrix[2], matrix[5]], first, 1e-9);
      expectNear([matrix[0] * 47 + matrix[2], matrix[4] * 63 + matrix[5]], last, 1e-9);
    },
  );

  test.each(Object.keys(HEATMAP_CODECS) as HeatmapCodecName[])(
    "%s: mirrored picture and picture agree to a quarter of a cell",
    (name) => {
      // A keypoint drawn into the crop and into the mirrored crop; the merged maps must still say where it was.
      const codec = createHeatmapCodec(name);
      const shape = { keypoints: 1, height: 64, width: 48 };
      const visible = Float32Array.of(1);
      const at = (u: number) => codec.encode(Float64Array.of(u, 120), visible, shape, [192, 256]).heatmaps;
      const merged = at(83);
      codec.mergeFlipped(merged, at(191 - 83), shape, [0]);
      const [x] = codec.decodeCells(merged, shape);
      const [alone] = codec.decodeCells(at(83), shape);
      expect(Math.abs(x! - alone!)).toBeLessThanOrEqual(codec.flipShift === 1 ? 0.25 : 0.01);
    },
  );
});

describe("maps with little to say", () => {
  const shape = { keypoints: 1, height: 16, width: 12 };

  test.each(["quarter-offset", "dark", "udp"] as const)("%s: nothing positive is (0, 0)", (name) => {
    const decoded = createHeatmapCodec(name).decodeCells(new Float32Array(192).fill(-0.5), shape);
    expect([...decoded]).toEqual([0, 0, -0.5]);
  });

  test.each(["dark", "udp"] as const)("%s: a lone spike among negative values stays finite", (name) => {
    const map = new Float32Array(192).fill(-1);
    map[5 * 12 + 6] = 0.1;
    expect([...createHeatmapCodec(name).decodeCells(map, shape).subarray(0, 2)]).toEqual([6, 5]);
  });

  test.each(["quarter-offset", "dark", "udp"] as const)("%s: the first of equal maxima", (name) => {
    const map = new Float32Array(192);
    map[40] = 1;
    map[100] = 1;
    const [x, y] = createHeatmapCodec({ name, refinement: "none" }).decodeCells(map, shape);
    expect([x, y]).toEqual([4, 3]);
  });

  test("NaN is an error, not a position", () => {
    const nan = new Float32Array(192).fill(Number.NaN);
    expect(() => createHeatmapCodec("quarter-offset").decodeCells(nan, shape)).toThrow(
      expect.objectContaining({ code: "inference-failed" }),
    );
    const beside = new Float32Array(192);
    beside[100] = 1;
    beside[101] = Number.NaN;
    expect(() => createHeatmapCodec("dark").decodeCells(beside, shape)).toThrow(/keypoint 0 holds NaN/);
  });
});

describe("options", () => {
  test.each([
    "unknown",
    { name: "dark", sigma: -1 },
    { name: "dark", blurKernel: 10 },
    { name: "dark", refinement: "offset-maps" },
    { name: "dark", shift: 1 },
    { name: "udp-combined", refinement: "dark" },
  ])("%o is refused", (options) => {
    expect(() => createHeatmapCodec(options as HeatmapCodecOptions)).toThrow(
      expect.objectContaining({ code: "invalid-config" }),
    );
  });

  test("arrays that do not fit the shape are refused", () => {
    const codec = createHeatmapCodec("quarter-offset");
    const shape = { keypoints: 2, height: 4, width: 3 };
    const wrong = expect.objectContaining({ code: "invalid-shape" });
    expect(() => codec.decodeCells(new Float32Array(23), shape)).toThrow(wrong);
    expect(() => codec.mergeFlipped(new Float32Array(24), new Float32Array(48), shape, [0, 1])).toThrow(
      wrong,
    );
    expect(() => codec.mergeFlipped(new Float32Array(24), new Float32Array(24), shape, [0])).toThrow(wrong);
  });
});

const reference = ["weights", "reference", "256x192"];
describe.skipIf(!hasShared(...reference))("PP-TinyPose's heatmaps of real crops", () => {
  const npy = (name: string) => {
    const file = readFileSync(shared(...reference, name));
    return new Float32Array(file.buffer.slice(file.byteOffset + 10 + file.readUInt16LE(8)));
  };
  const shape = { keypoints: 17, height: 64, width: 48 };
  const person = 17 * 64 * 48;

  test("flip test, DARK with kernel 3 and the way back give the recorded keypoints", () => {
    const codec = createHeatmapCodec("tinypose");
    const merged = npy("heatmaps.npy").slice(0, 3 * person);
    codec.mergeFlipped(merged, npy("heatmaps_of_flipped_input.npy").slice(0, 3 * person), shape, COCO_FLIP);
    expect(maxDifference(merged, npy("heatmaps_flip_merged.npy"))).toBeLessThanOrEqual(1e-6);

    const { items } = JSON.parse(readFileSync(shared(...reference, "reference.json"), "utf8")) as {
      items: {
        center: [number, number];
        box_size_w_h: [number, number];
        heatmap_xy: number[][];
        keypoints_image_xy: number[][];
        scores: number[];
      }[];
    };
    for (const [i, item] of items.entries()) {
      const maps = merged.subarray(i * person, (i + 1) * person);
      const cells = codec.decodeCells(maps, shape);
      expectNear(positions(cells), item.heatmap_xy.flat(), 2e-3);
      const image = codec.decode(maps, shape, { center: item.center, scale: item.box_size_w_h }, [192, 256]);
      expectNear(positions(image), item.keypoints_image_xy.flat(), 1e-2);
      expectNear(scores(image), item.scores, 1e-5);
    }
  });
});
