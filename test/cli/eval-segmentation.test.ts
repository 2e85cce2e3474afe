// `hrnet eval` of a segmentation model: figures counted again from the label maps that `hrnet segment` writes; layouts, classes, pictures
// that cannot be read, options that mean nothing.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { command as evalCommand } from "../../src/cli/eval.ts";
import { command as segmentCommand } from "../../src/cli/segment.ts";
import { encodeImage } from "../../src/image/encode.ts";
import { decodeLabelMap, encodeLabelMap } from "../../src/image/label-map.ts";
import { saveModel } from "../../src/model-file/load-model.ts";
import { defaultColor } from "../../src/segmentation/class-table.ts";
import { runVerb } from "../helpers/cli.ts";
import { randomSegmentationModel, squares } from "../helpers/segmentation-model.ts";

const root = mkdtempSync(join(tmpdir(), "hrnet-eval-segmentation-"));
const model = join(root, "tiny.safetensors");
const data = join(root, "data");
const CLASSES = ["road", "tree", "sky", "car"];
const SIZES = [
  [70, 50],
  [64, 48],
  [50, 70],
] as const;
const COLORS = [0, 1, 2, 3, 255].map((index) => [index, defaultColor(index)] as const);

/** Stripes of classes, 255 among them. */
const truthAt = (picture: number, x: number, y: number): number =>
  [0, 1, 3, 255, 2][(picture + (x >> 3) + (y >> 4)) % 5]!;

async function writePicture(folder: string, index: number, labelOf: (label: number) => number = (l) => l) {
  const [width, height] = SIZES[index]!;
  const name = `${index}`;
  mkdirSync(join(folder, "images", "val"), { recursive: true });
  mkdirSync(join(folder, "labels", "val"), { recursive: true });
  writeFileSync(
    join(folder, "images", "val", `${name}.png`),
    await encodeImage(squares(width, height, 4 + index), "png"),
  );
  const labels = Uint8Array.from({ length: width * height }, (_, i) =>
    labelOf(truthAt(index, i % width, Math.floor(i / width))),
  );
  const colors = Array.from({ length: 256 }, (_, i) => defaultColor(i));
  writeFileSync(
    join(folder, "labels", "val", `${name}.png`),
    encodeLabelMap({ width, height, data: labels }, colors),
  );
}

beforeAll(async () => {
  await saveModel(model, randomSegmentationModel(CLASSES, "streets"));
  for (const index of SIZES.keys()) await writePicture(data, index);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));
afterEach(() => {
  process.exitCode = undefined;
  vi.restoreAllMocks();
});

const evaluate = (...args: string[]) => runVerb(evalCommand(), ...args, "--model", model, "--threads", "1");

/** The confusion matrix counted pixel by pixel from label maps of `hrnet segment`. */
async function countAgain(...options: string[]): Promise<number[][]> {
  const out = mkdtempSync(join(root, "maps-"));
  await runVerb(
    segmentCommand(),
    join(data, "images", "val"),
    ...["--model", model, "--threads", "1", "--out", out, "--draw", "none", ...options],
  );
  const counts = CLASSES.map(() => CLASSES.map(() => 0));
  for (const [index, [width, height]] of SIZES.entries()) {
    const found = decodeLabelMap(readFileSync(join(out, `${index}.png.labels.png`)), "labels");
    for (let i = 0; i < width * height; i++) {
      const truth = truthAt(index, i % width, Math.floor(i / width));
      if (truth < CLASSES.length) counts[truth]![found.data[i]!]! += 1;
    }
  }
  return counts;
}

test("figures, by class, and the confusion matrix", async () => {
  const stdout = await evaluate(data, "--json");
  const result = JSON.parse(stdout);
  const confusion = await countAgain();
  expect(result.confusion).toEqual(confusion);
  const total = (row: readonly number[]) => row.reduce((a, b) => a + b, 0);
  const ious = CLASSES.map((_, c) => {
    const found = total(confusion.map((row) => row[c]!));
    return confusion[c]![c]! / (total(confusion[c]!) + found - confusion[c]![c]!);
  });
  expect(result.mIoU).toBeCloseTo(total(ious) / CLASSES.length, 12);
  const right = CLASSES.map((_, c) => confusion[c]![c]!);
  expect(result.pixelAccuracy).toBeCloseTo(total(right) / total(confusion.flat()), 12);
  CLASSES.forEach((name, c) => {
    expect(result.perClass[name].iou).toBeCloseTo(ious[c]!, 12);
    expect(result.perClass[name].pixels).toBe(total(confusion[c]!));
  });
  expect(result).toMatchObject({
    split: "val",
    pictures: 3,
    flipTest: false,
    unreadable: [],
    model: "streets",
  });
  expect(result.method).toBe("pictures at their own size; single scale; no flip test");
});

test("as text, with what was done, and the matrix as a picture", async () => {
  const picture = join(root, "confusion.png");
  const stdout = await evaluate(data, "--flip-test", "--confusion", picture);
  expect(stdout).toMatch(
    /^mIoU \d+\.\d\d on 3 pictures of val\npictures at their own size; single scale; flip test\n/,
  );
  for (const name of CLASSES) expect(stdout).toContain(name);
  const { width, height } = await sharp(picture).metadata();
  expect(Math.min(width!, height!)).toBeGreaterThan(4 * 30);
});

test("scales and windows of a published method", async () => {
  const stdout = await evaluate(
    data,
    ...["--method", "pascal-context", "--scales", "0.1,0.2", "--window", "64x64", "--flip-test", "--json"],
  );
  const result = JSON.parse(stdout);
  expect(result.method).toBe(
    "longer side 520; scales 0.1, 0.2; windows of 64×64, stride 0.67, padded; flip test",
  );
  expect(result.confusion.flat().reduce((a: number, b: number) => a + b, 0)).toBe(
    (await countAgain()).flat().reduce((a, b) => a + b, 0),
  );
});

test("a file of classes in another order, with numbers of its own", async () => {
  const other = join(root, "other");
  const numbers = [12, 7, 30, 4];
  for (const index of SIZES.keys()) await writePicture(other, index, (label) => numbers[label] ?? 255);
  const entries = CLASSES.map((name, index) => ({ id: numbers[index], name })).reverse();
  writeFileSync(join(other, "classes.json"), JSON.stringify({ classes: entries }));
  const [own, same] = await Promise.all([evaluate(data, "--json"), evaluate(other, "--json")]);
  expect(JSON.parse(same).confusion).toEqual(JSON.parse(own).confusion);
  const unknown = join(root, "unknown.json");
  writeFileSync(unknown, JSON.stringify({ classes: ["road", "moon"] }));
  await expect(evaluate(data, "--classes", unknown)).rejects.toThrow(/does not tell: moon/);
});

test("what cannot be read is said and left out; with nothing left it is an error", async () => {
  const damaged = join(root, "damaged");
  for (const index of SIZES.keys()) await writePicture(damaged, index);
  writeFileSync(join(damaged, "images", "val", "1.png"), "no picture");
  writeFileSync(
    join(damaged, "labels", "val", "2.png"),
    encodeLabelMap(
      { width: 3, height: 2, data: new Uint8Array(6) },
      COLORS.map(([, c]) => c),
    ),
  );
  const stdout = await evaluate(damaged, "--json");
  const result = JSON.parse(stdout);
  expect(result.pictures).toBe(1);
  expect(result.unreadable.map(({ path }: { path: string }) => path.slice(-5))).toEqual(["1.png", "2.png"]);
  expect(result.unreadable[1].reason).toMatch(/50×70 pixels, its label map 3×2/);
  expect(process.exitCode).toBe(1);
  writeFileSync(join(damaged, "images", "val", "0.png"), "no picture");
  await expect(evaluate(damaged)).rejects.toThrow(/None of the 3 pictures/);
});

describe("refuses", () => {
  test.each([
    ["options of poses", ["--oks-nms", "0.9"], /--oks-nms has no meaning/],
    ["one folder of two", ["--labels", data], /belong together/],
    ["windows without a method that has them", ["--window", "64x64"], /has no windows/],
    ["a split that is not there", ["--split", "test"], /no split test .*there are val/],
  ])("%s", async (_, args, message) => {
    await expect(evaluate(data, ...args)).rejects.toThrow(message);
  });

  test("folders without pictures and labels", async () => {
    await expect(evaluate(root)).rejects.toThrow(/laid out neither/);
    await expect(evaluate(join(root, "none"))).rejects.toMatchObject({ code: "file-not-found" });
  });
});
