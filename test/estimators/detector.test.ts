// Detector: tiles against the picture as a whole and against its parts cut out; what is refused.
import { afterAll, expect, test } from "vitest";
import { belongsToTile } from "../../src/detection/merge-tiles.ts";
import { type Detection, Detector, type DetectorOptions } from "../../src/estimators/detector.ts";
import { type RgbImage, rgbImage } from "../../src/image/rgb-image.ts";
import { tilesOf } from "../../src/image/tiles.ts";
import { decodeMask } from "../../src/masks/run-length.ts";
import { randomDetectionModel } from "../helpers/detection-model.ts";
import { squares } from "../helpers/segmentation-model.ts";
import { randomWeights, tinyHRNet } from "../helpers/tiny-models.ts";

const model = randomDetectionModel(4);
const opened: Detector[] = [];
const open = async (options: DetectorOptions = {}): Promise<Detector> => {
  const detector = await Detector.load(model, {
    device: "cpu",
    threads: 1,
    minScore: 0,
    most: 500,
    ...options,
  });
  opened.push(detector);
  return detector;
};
afterAll(async () => {
  for (const detector of opened) await detector[Symbol.asyncDispose]();
});

/** A rectangle of a picture as a picture. */
function cut({ width, data }: RgbImage, left: number, top: number, w: number, h: number): RgbImage {
  const part = rgbImage(w, h);
  for (let row = 0; row < h; row++) {
    const from = 3 * ((top + row) * width + left);
    part.data.set(data.subarray(from, from + 3 * w), 3 * row * w);
  }
  return part;
}

const image = squares(230, 150);

test("a picture no larger than a tile is looked at as a whole alone", async () => {
  const plain = await (await open()).detect(image);
  expect(plain.length).toBeGreaterThan(0);
  expect(await (await open({ tile: [150, 230] })).detect(image)).toEqual(plain);
});

test("tiles add what their own parts have, in the picture's pixels, and nothing else", async () => {
  const tile = 128;
  const whole = await (await open()).detect(image);
  // A part at its own size: the sides of the input are the part's.
  const single = await open({ sides: [128, 128] });
  const own: Detection[] = [];
  for (const part of tilesOf([150, 230], [tile, tile], 16)) {
    const { x, y } = part;
    const found = await single.detect(cut(image, x.start, y.start, x.length, y.length));
    for (const { box, ...rest } of found) {
      const [left, top, w, h] = [box[0] + x.start, box[1] + y.start, box[2], box[3]];
      const corners = { ...rest, box: [left, top, left + w, top + h] as const };
      if (belongsToTile(corners, part, [150, 230])) own.push({ ...rest, box: [left, top, w, h] });
    }
  }
  expect(own.length).toBeGreaterThan(0);
  const found = await (await open({ tile: [tile, tile] })).detect(image);
  const same = (a: Detection, b: Detection): boolean =>
    a.class === b.class &&
    Math.abs(a.score - b.score) < 1e-4 &&
    a.box.every((value, i) => Math.abs(value - b.box[i]!) < 0.05);
  for (const detection of found)
    expect([...whole, ...own].some((other) => same(detection, other))).toBe(true);
  expect(found.filter((detection) => own.some((other) => same(detection, other))).length).toBeGreaterThan(0);
  // What was found first of all stays.
  const best = [...whole, ...own].reduce((a, b) => (b.score > a.score ? b : a));
  expect(same(found[0]!, best)).toBe(true);
});

test("sides and tiles that cannot be are refused", async () => {
  const refused: readonly DetectorOptions[] = [
    { tile: [64, 64] },
    { tile: [1.5, 200] },
    { sides: [200, 100] },
    { sides: [8, 64] },
  ];
  for (const options of refused) await expect(open(options)).rejects.toMatchObject({ code: "usage" });
});

/** A picture with black to the right and below. */
function padded(source: RgbImage, width: number, height: number): RgbImage {
  const result = rgbImage(width, height);
  for (let row = 0; row < source.height; row++)
    result.data.set(
      source.data.subarray(3 * source.width * row, 3 * source.width * (row + 1)),
      3 * width * row,
    );
  return result;
}

test("masks of boxes that reach beyond the picture lie where they lie in a picture that goes on there", async () => {
  const network = tinyHRNet({ type: "rcnn", channels: 2, hidden: 8, masks: "plain", neck: { channels: 8 } });
  const description = {
    ...model.description,
    network,
    preprocessing: { mean: [0, 0, 0], std: [1, 1, 1] } as const, // black is what frames are filled with
  };
  const masked = { description, weights: randomWeights(network, 1) };
  const small = squares(100, 100);
  const settings = { device: "cpu", threads: 1, minScore: 0 } as const;
  await using cutShort = await Detector.load(masked, { ...settings, sides: [100, 100] });
  await using whole = await Detector.load(masked, { ...settings, sides: [128, 128] });
  const all = await whole.detect(padded(small, 128, 128));
  let beyond = 0;
  for (const { box, score, mask } of await cutShort.detect(small)) {
    const same = all.find(
      (other) => other.score === score && other.box[0] === box[0] && other.box[1] === box[1],
    )!;
    const pixels = decodeMask(same.mask!);
    const inside = decodeMask(mask!);
    expect(inside.every((value, i) => value === pixels[128 * Math.floor(i / 100) + (i % 100)])).toBe(true);
    if (same.box[0] + same.box[2] > 101 && inside.includes(1)) beyond++;
  }
  expect(beyond).toBeGreaterThan(0);
});
