// Segmenter: against the network's own logits, enlarged and compared here; mirrored; in tiles; and what it refuses.
import { beforeAll, describe, expect, test } from "vitest";
import { Segmenter } from "../../src/estimators/segmenter.ts";
import { resizeImage } from "../../src/image/resize.ts";
import { type RgbImage, rgbImage } from "../../src/image/rgb-image.ts";
import { tilesOf } from "../../src/image/tiles.ts";
import { IMAGENET_NORMALIZATION, normalizationTable } from "../../src/image/warp.ts";
import type { Model } from "../../src/model-file/import-checkpoint.ts";
import { toOnnx } from "../../src/model-file/onnx-model.ts";
import { parseNetworkConfig } from "../../src/models/network.ts";
import { openSession } from "../../src/runtime/node.ts";
import type { InferenceMethod } from "../../src/segmentation/inference-method.ts";
import { tensor } from "../../src/tensor/tensor.ts";
import { randomPoseModel } from "../helpers/pose-model.ts";
import { randomSegmentationModel, squares } from "../helpers/segmentation-model.ts";
import { randomWeights } from "../helpers/tiny-models.ts";

const CLASSES = ["background", "left-arm", "right-arm", "hat", "shoe"];
const [WIDTH, HEIGHT] = [72, 49];
let model: Model;

beforeAll(() => {
  model = randomSegmentationModel(CLASSES);
});

function mirrored(image: RgbImage): RgbImage {
  const result = rgbImage(image.width, image.height);
  for (let i = 0; i < image.data.length; i++) {
    const [x, y, c] = [Math.floor(i / 3) % image.width, Math.floor(i / 3 / image.width), i % 3];
    result.data[3 * (y * image.width + image.width - 1 - x) + c] = image.data[i]!;
  }
  return result;
}

/** The network's logits of a picture, K×h×w, by the exported model. */
async function logitsOf({
  width,
  height,
  data,
}: RgbImage): Promise<{ shape: readonly number[]; at: Float32Array }> {
  const { onnx } = toOnnx({ ...model, description: { ...model.description, input: [height, width] } });
  await using session = await openSession(onnx, { device: "cpu", threads: 1 });
  const { values } = normalizationTable(IMAGENET_NORMALIZATION);
  const area = width * height;
  const planes = Float32Array.from({ length: 3 * area }, (_, i) => {
    const c = Math.floor(i / area);
    return values[256 * c + data[3 * (i % area) + c]!]!;
  });
  const { logits } = await session.run({ input: tensor("float32", [1, 3, height, width], planes) });
  return { shape: logits!.shape, at: logits!.data as Float32Array };
}

/** A class's logit at a pixel of the picture: bilinear, corners on corners. */
function enlarged(
  { shape, at }: Awaited<ReturnType<typeof logitsOf>>,
  k: number,
  x: number,
  y: number,
  [width, height]: readonly [number, number] = [WIDTH, HEIGHT],
): number {
  const [, , h, w] = shape as [number, number, number, number];
  const [fx, fy] = [(x * (w - 1)) / (width - 1), (y * (h - 1)) / (height - 1)];
  const [x0, y0] = [Math.min(Math.floor(fx), w - 1), Math.min(Math.floor(fy), h - 1)];
  const [x1, y1] = [Math.min(x0 + 1, w - 1), Math.min(y0 + 1, h - 1)];
  const value = (row: number, column: number): number => at[(k * h + row) * w + column]!;
  const [px, py] = [fx - x0, fy - y0];
  return (
    (1 - py) * ((1 - px) * value(y0, x0) + px * value(y0, x1)) +
    py * ((1 - px) * value(y1, x0) + px * value(y1, x1))
  );
}

/** The class with the largest sum of logits at each pixel, and how far ahead it is. */
function winners(sumAt: (k: number, x: number, y: number) => number) {
  return Array.from({ length: WIDTH * HEIGHT }, (_, i) => {
    const sums = CLASSES.map((__, k) => sumAt(k, i % WIDTH, Math.floor(i / WIDTH)));
    const [first, second] = [...sums].sort((a, b) => b - a) as [number, number];
    return { label: sums.indexOf(first), lead: first - second };
  });
}

function expectLabels(data: ArrayLike<number>, expected: ReturnType<typeof winners>): void {
  expect(new Set(Array.from(data)).size).toBeGreaterThan(2); // or nothing would be compared
  const clear = expected.filter(({ lead }) => lead > 1e-4);
  expect(clear.length).toBeGreaterThan(0.9 * expected.length);
  expected.forEach(({ label, lead }, at) => {
    if (lead > 1e-4) expect(data[at], `pixel ${at}`).toBe(label);
  });
}

const load = (options: object = {}) => Segmenter.load(model, { device: "cpu", threads: 1, ...options });

test("gives every pixel the class with the largest logit, and the classes' areas", async () => {
  const image = squares(WIDTH, HEIGHT);
  await using segmenter = await load();
  const { width, height, data, areas } = await segmenter.segment(image);
  expect([width, height]).toEqual([WIDTH, HEIGHT]);
  const logits = await logitsOf(image);
  expectLabels(
    data,
    winners((k, x, y) => enlarged(logits, k, x, y)),
  );
  expect(areas.map(({ pixels }) => pixels)).toEqual(
    [...areas.map(({ pixels }) => pixels)].sort((a, b) => b - a),
  );
  for (const { name, pixels, share } of areas) {
    expect(pixels).toBe(Array.from(data).filter((label) => label === CLASSES.indexOf(name)).length);
    expect(share).toBe(pixels / (WIDTH * HEIGHT));
  }
});

test("flip test: the mirrored picture's logits, turned back, left and right exchanged", async () => {
  const image = squares(WIDTH, HEIGHT);
  await using segmenter = await load({ flipTest: true });
  const { data } = await segmenter.segment(image);
  const own = await logitsOf(image);
  const other = await logitsOf(mirrored(image));
  const exchanged = [0, 2, 1, 3, 4];
  expectLabels(
    data,
    winners((k, x, y) => enlarged(own, k, x, y) + enlarged(other, exchanged[k]!, WIDTH - 1 - x, y)),
  );
});

test("a large picture comes in tiles, each as it is by itself", async () => {
  const image = squares(700, 400);
  await using segmenter = await load({ tile: [384, 512] });
  const { data } = await segmenter.segment(image);
  const tiles = tilesOf([400, 700], [384, 512], 128);
  expect(tiles).toHaveLength(4);
  for (const { x, y } of tiles) {
    const crop = rgbImage(x.length, y.length);
    for (let row = 0; row < y.length; row++) {
      const from = 3 * ((y.start + row) * 700 + x.start);
      crop.data.set(image.data.subarray(from, from + 3 * x.length), 3 * row * x.length);
    }
    const alone = await segmenter.segment(crop);
    for (let row = y.keepStart; row < y.keepEnd; row++) {
      const kept = data.subarray(row * 700 + x.keepStart, row * 700 + x.keepEnd);
      const from = (row - y.start) * x.length + x.keepStart - x.start;
      expect(kept).toEqual(alone.data.subarray(from, from + kept.length));
    }
  }
});

test("a network that needs multiples of a stride: filled up with the mean colour, and cut again", async () => {
  const network = parseNetworkConfig({
    family: "lite-hrnet",
    stages: [{ modules: 1, channels: [8, 16] }],
    block: { type: "weighting", reduce: 4 },
    head: { type: "segmentation", channels: CLASSES.length },
  });
  const lite = { description: { ...model.description, network }, weights: randomWeights(network, 6) };
  const image = squares(WIDTH, HEIGHT);
  const framed = rgbImage(72, 56); // stride 8
  for (let i = 0; i < framed.data.length; i++) {
    const [x, y, c] = [Math.floor(i / 3) % 72, Math.floor(i / 3 / 72), i % 3];
    const mean = Math.round(255 * IMAGENET_NORMALIZATION.mean[c]!);
    framed.data[i] = x < WIDTH && y < HEIGHT ? image.data[3 * (y * WIDTH + x) + c]! : mean;
  }
  for (const flipTest of [false, true]) {
    await using segmenter = await Segmenter.load(lite, { device: "cpu", threads: 1, flipTest });
    const found = await segmenter.segment(image, { probabilities: true });
    const whole = await segmenter.segment(framed, { probabilities: true });
    expect(new Set(found.data).size).toBeGreaterThan(1);
    for (let at = 0; at < WIDTH * HEIGHT; at += 13) {
      const [x, y] = [at % WIDTH, Math.floor(at / WIDTH)];
      for (const k of CLASSES.keys()) {
        const expected = whole.probabilities![(k * 56 + y) * 72 + x]!;
        // The mean colour is no whole number of 255ths.
        expect(Math.abs(found.probabilities![k * WIDTH * HEIGHT + at]! - expected)).toBeLessThan(0.01);
      }
    }
  }
});

test("pictures of many sizes, in any order", async () => {
  await using segmenter = await load();
  const sizes = [64, 80, 96, 112, 64, 80].map((width) => [width, 64] as const);
  for (const [width, height] of sizes) {
    const { data } = await segmenter.segment(squares(width, height));
    expect(data).toHaveLength(width * height);
  }
});

/** exp of a picture's logits, enlarged to its size, by formula: K×H×W. */
async function scoresOf(image: RgbImage): Promise<(k: number, x: number, y: number) => number> {
  const logits = await logitsOf(image);
  return (k, x, y) => Math.exp(enlarged(logits, k, x, y, [image.width, image.height]));
}

test("a published method: brought to a size, scores at several scales and in padded windows summed", async () => {
  // Squares of one colour each and whole factors: resizing pixels changes none of them.
  const image = squares(WIDTH, HEIGHT);
  const method: InferenceMethod = {
    name: "test",
    fit: { kind: "own" },
    scales: [1],
    windows: { size: [48, 48], stride: 2 / 3, border: "pad" },
  };
  await using segmenter = await load({ method });
  const { data, probabilities } = await segmenter.segment(image, { probabilities: true });
  const parts = await Promise.all(
    [0, 32].flatMap((y) =>
      [0, 32].map(async (x) => {
        const part = rgbImage(48, 48); // black beyond the picture
        for (let row = 0; row < Math.min(48, HEIGHT - y); row++) {
          for (let column = 0; column < Math.min(48, WIDTH - x); column++) {
            const from = 3 * ((y + row) * WIDTH + x + column);
            part.data.set(image.data.subarray(from, from + 3), 3 * (row * 48 + column));
          }
        }
        const scores = await scoresOf(part);
        return (k: number, px: number, py: number): number | undefined =>
          px < x || py < y || px >= x + 48 || py >= y + 48 ? undefined : scores(k, px - x, py - y);
      }),
    ),
  );
  const scoreAt = (k: number, x: number, y: number): number => {
    const seen = parts.map((part) => part(k, x, y)).filter((value) => value !== undefined);
    return seen.reduce((sum, value) => sum + value, 0) / seen.length;
  };
  expectLabels(data, winners(scoreAt));
  for (const [x, y] of [
    [0, 0],
    [40, 40],
    [71, 48],
  ] as const) {
    const scores = CLASSES.map((_, k) => scoreAt(k, x, y));
    const sum = scores.reduce((a, b) => a + b, 0);
    scores.forEach((score, k) => {
      expect(probabilities![(k * HEIGHT + y) * WIDTH + x]).toBeCloseTo(score / sum, 4);
    });
  }
});

test("several scales: the sum of each one's scores, brought to the picture's size", async () => {
  const image = squares(WIDTH, HEIGHT);
  const scales = [1, 0.5];
  const each = await Promise.all(
    scales.map(async (scale) => {
      await using segmenter = await load({ method: { name: "one", fit: { kind: "own" }, scales: [scale] } });
      return (await segmenter.segment(image, { probabilities: true })).probabilities!;
    }),
  );
  // At the picture's own size probabilities are those of the network itself.
  await using plain = await load();
  const { probabilities } = await plain.segment(image, { probabilities: true });
  probabilities!.forEach((value, i) => {
    expect(each[0]![i]).toBeCloseTo(value, 4);
  });
  const logits = await logitsOf(resizeImage(image, [36, 25]));
  const half = (k: number, x: number, y: number): number => {
    // scores at 36×25, then bilinear with corners on corners to 72×49
    const [fx, fy] = [(x * 35) / (WIDTH - 1), (y * 24) / (HEIGHT - 1)];
    const [x0, y0] = [Math.min(Math.floor(fx), 34), Math.min(Math.floor(fy), 23)];
    const at = (i: number, j: number) => Math.exp(enlarged(logits, k, x0 + i, y0 + j, [36, 25]));
    const [px, py] = [fx - x0, fy - y0];
    return (1 - py) * ((1 - px) * at(0, 0) + px * at(1, 0)) + py * ((1 - px) * at(0, 1) + px * at(1, 1));
  };
  await using both = await load({ method: { name: "two", fit: { kind: "own" }, scales } });
  const own = await scoresOf(image);
  const found = await both.segment(image, { probabilities: true });
  for (let at = 0; at < WIDTH * HEIGHT; at += 31) {
    const [x, y] = [at % WIDTH, Math.floor(at / WIDTH)];
    const scores = CLASSES.map((_, k) => own(k, x, y) + half(k, x, y));
    const sum = scores.reduce((a, b) => a + b, 0);
    scores.forEach((score, k) => {
      // Pixels are resized as floats by the method and as bytes here.
      expect(Math.abs(found.probabilities![k * WIDTH * HEIGHT + at]! - score / sum)).toBeLessThan(0.01);
    });
  }
});

test("probabilities in tiles are those of each tile, and the classes the most probable ones", async () => {
  const image = squares(600, 300);
  await using segmenter = await load({ tile: [384, 512] });
  const { data } = await segmenter.segment(image);
  const { data: same, probabilities } = await segmenter.segment(image, { probabilities: true });
  expect(same).toEqual(data);
  for (const at of [0, 299 * 600 + 599, 150 * 600 + 300]) {
    const shares = CLASSES.map((_, k) => probabilities![k * 600 * 300 + at]!);
    expect(shares.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 5);
    expect(shares.indexOf(Math.max(...shares))).toBe(data[at]);
  }
});

describe("refuses", () => {
  test("a network for another task, tiles without a middle", async () => {
    await expect(Segmenter.load(randomPoseModel())).rejects.toThrow(/is a pose network/);
    const method = { name: "any", fit: { kind: "own" }, scales: [1] };
    await expect(load({ method, tile: [512, 512] })).rejects.toMatchObject({ code: "usage" });
    await expect(load({ method: { ...method, scales: [] } })).rejects.toMatchObject({ code: "usage" });
    await expect(load({ tile: [256, 512] })).rejects.toMatchObject({ code: "usage" });
  });

  test("work after its end, and work that is cancelled", async () => {
    const segmenter = await load();
    const signal = AbortSignal.abort();
    await expect(segmenter.segment(squares(64, 64), { signal })).rejects.toMatchObject({ code: "aborted" });
    await segmenter[Symbol.asyncDispose]();
    await expect(segmenter.segment(squares(64, 64))).rejects.toMatchObject({ code: "usage" });
  });
});
