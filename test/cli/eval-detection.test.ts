// `hrnet eval` of a detector: what it finds taken as the truth is found in full; layouts of COCO and Pascal VOC, results written, pictures
// that cannot be read, options that mean nothing.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { command } from "../../src/cli/eval.ts";
import { readCocoDetections } from "../../src/data/coco-results.ts";
import { type Detection, Detector } from "../../src/estimators/detector.ts";
import { encodeImage } from "../../src/image/encode.ts";
import { saveModel } from "../../src/model-file/load-model.ts";
import { runVerb } from "../helpers/cli.ts";
import { ANIMALS, randomDetectionModel } from "../helpers/detection-model.ts";
import { squares } from "../helpers/segmentation-model.ts";

const root = mkdtempSync(join(tmpdir(), "hrnet-eval-detection-"));
const file = join(root, "tiny.safetensors");
const SIZES = [
  [200, 150],
  [90, 120],
] as const;
/** Ids and order other than the model's, and a class that it does not have. */
const CATEGORIES = [
  { id: 7, name: "dog" },
  { id: 3, name: "bird" },
  { id: 5, name: "cat" },
];
let found: Detection[][];

beforeAll(async () => {
  const model = randomDetectionModel(4);
  await saveModel(file, model);
  mkdirSync(join(root, "coco", "val2017"), { recursive: true });
  mkdirSync(join(root, "voc", "JPEGImages"), { recursive: true });
  mkdirSync(join(root, "voc", "Annotations"), { recursive: true });
  mkdirSync(join(root, "voc", "ImageSets", "Main"), { recursive: true });
  await using detector = await Detector.load(model, { device: "cpu", threads: 1, minScore: 0 });
  found = [];
  for (const [index, [width, height]] of SIZES.entries()) {
    const png = await encodeImage(squares(width, height, 5 + index), "png");
    writeFileSync(join(root, "coco", "val2017", `${index}.png`), png);
    writeFileSync(join(root, "voc", "JPEGImages", `${index}.png`), png);
    found.push(await detector.detect(join(root, "coco", "val2017", `${index}.png`)));
  }
  writeCoco(found);
  writeFileSync(join(root, "voc", "ImageSets", "Main", "val.txt"), "0\n1\n");
  for (const [index, objects] of found.entries()) writeVoc(index, objects);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));
afterEach(() => {
  process.exitCode = undefined;
  vi.restoreAllMocks();
});

/** Annotations with ids of pictures from 10 on. */
function writeCoco(truth: readonly (readonly Detection[])[], folder = "coco"): void {
  mkdirSync(join(root, folder, "annotations"), { recursive: true });
  const images = SIZES.map(([width, height], i) => ({ id: 10 + i, file_name: `${i}.png`, width, height }));
  const annotations = truth.flatMap((objects, i) =>
    objects.map(({ box, label }, k) => ({
      id: 1000 * i + k,
      image_id: 10 + i,
      category_id: CATEGORIES.find(({ name }) => name === label)!.id,
      bbox: box,
      area: box[2] * box[3],
      iscrowd: 0,
    })),
  );
  writeFileSync(
    join(root, folder, "annotations", "instances_val2017.json"),
    JSON.stringify({ images, annotations, categories: CATEGORIES }),
  );
}

function writeVoc(index: number, objects: readonly Detection[]): void {
  const [width, height] = SIZES[index]!;
  const boxes = objects.map(({ box: [x, y, w, h], label }) => {
    const [x1, y1, x2, y2] = [x + 1, y + 1, x + w, y + h].map(Math.round);
    return `<object><name>${label}</name><bndbox><xmin>${x1}</xmin><ymin>${y1}</ymin><xmax>${x2}</xmax><ymax>${y2}</ymax></bndbox></object>`;
  });
  writeFileSync(
    join(root, "voc", "Annotations", `${index}.xml`),
    `<annotation><filename>${index}.png</filename><size><width>${width}</width><height>${height}</height></size>${boxes.join("")}</annotation>`,
  );
}

const evaluate = (path: string, ...args: string[]) =>
  runVerb(command(), path, "--model", file, "--threads", "1", ...args);

test("all that is annotated is found, with the data set's own ids in the results", async () => {
  const saved = join(root, "found.json");
  const figures = JSON.parse(await evaluate(join(root, "coco"), "--json", "--save-results", saved));
  expect(figures).toMatchObject({ model: "animals", split: "val2017", pictures: 2, unreadable: [] });
  expect(figures.AP).toBeCloseTo(1, 12);
  for (const name of ANIMALS) {
    const { objects, results } = figures.perClass[name];
    const count = found.flat().filter(({ label }) => label === name).length;
    expect([objects, results]).toEqual([count, count]);
  }
  const results = await readCocoDetections(saved);
  expect(results).toHaveLength(found.flat().length);
  const [first] = found[0]!;
  expect(results[0]).toMatchObject({
    imageId: 10,
    categoryId: CATEGORIES.find(({ name }) => name === first!.label)!.id,
    box: first!.box,
  });
});

test("half of it annotated: precision falls, recall does not", async () => {
  // Every second one by score: precision right behind each object found is between a half and one.
  writeCoco(
    found.map((objects) => objects.filter((_, i) => i % 2 === 1)),
    "half",
  );
  const images = join(root, "coco", "val2017");
  const figures = JSON.parse(await evaluate(join(root, "half"), "--images", images, "--json"));
  expect(figures.AR100).toBeGreaterThan(0.99);
  expect(figures.AP).toBeGreaterThan(0.2);
  expect(figures.AP).toBeLessThan(0.8);
});

test("Pascal VOC's layout, and a table of the classes", async () => {
  const text = await evaluate(join(root, "voc"));
  expect(text).toMatch(/^AP [01]\.\d+ of boxes on 2 pictures of val\n/);
  expect(text).toMatch(/cat +\d+ +\d+ +/);
  const figures = JSON.parse(await evaluate(join(root, "voc"), "--json"));
  expect(figures.AP50).toBeGreaterThan(0.95); // corners are whole pixels there
});

test("says which pictures cannot be read and counts the others; refuses what has no meaning", async () => {
  const broken = join(root, "broken");
  mkdirSync(broken);
  writeFileSync(join(broken, "0.png"), readFileSync(join(root, "coco", "val2017", "0.png")));
  writeFileSync(join(broken, "1.png"), "no picture");
  const errors = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  const figures = JSON.parse(await evaluate(join(root, "coco"), "--images", broken, "--json"));
  expect([process.exitCode, figures.pictures, figures.unreadable.length]).toEqual([1, 1, 1]);
  expect(figures.AP).toBeCloseTo(1, 12);
  errors.mockRestore();
  await expect(evaluate(join(root, "coco"), "--flip-test")).rejects.toThrow(
    /read as detection data.*--flip-test/,
  );
  await expect(evaluate(join(root, "nowhere"))).rejects.toMatchObject({ code: "file-not-found" });
  await expect(evaluate(join(root, "voc"), "--split", "test")).rejects.toMatchObject({
    code: "file-not-found",
  });
});
