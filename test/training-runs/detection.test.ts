// A detector trained on drawn people: the run's folder, its figures, the model it leaves.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readDetectionPictures } from "../../src/data/detection-sets.ts";
import { pairwiseIou } from "../../src/detection/boxes.ts";
import { Detector } from "../../src/estimators/detector.ts";
import { parseRecipe } from "../../src/recipe/read-recipe.ts";
import type { RecipeInput } from "../../src/recipe/schema.ts";
import { readMetricsLog } from "../../src/report/metrics-log.ts";
import { writeSyntheticDataset } from "../../src/synthetic/dataset.ts";
import { tinyHRNet } from "../helpers/tiny-models.ts";
import { runTiny } from "../helpers/tiny-run.ts";

let root: string;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "hrnet-detection-run-"));
  await writeSyntheticDataset(root, {
    train: 48,
    val: 8,
    width: 128,
    height: 128,
    people: 1,
    difficulty: 0,
    poses: ["standing"],
    seed: 5,
  });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

type DetectionInput = Extract<RecipeInput, { task: "detection" }>;

const set = (split: string) => ({
  format: "coco" as const,
  annotations: `annotations/person_keypoints_${split}.json`,
  images: `images/${split}`,
});

/** A small HRNet with that head. */
const network = (head: object) =>
  tinyHRNet(head, {
    stem: 16,
    stage1: { blocks: 1, planes: 8 },
    stages: [2, 3, 4].map((branches) => ({
      modules: 1,
      blocks: Array<number>(branches).fill(1),
      channels: Array.from({ length: branches }, (_, b) => 8 * 2 ** b),
    })),
  });
const FCOS = { type: "fcos", channels: 1, convs: 1, neck: { channels: 32, levels: 5 } };

const recipe = (changes: Partial<DetectionInput> = {}) =>
  parseRecipe({
    name: "people",
    task: "detection",
    network: { ...network(FCOS) },
    input: [128, 128],
    data: { root, train: [set("train")], validation: set("val") },
    augmentation: { scales: [0.8, 1.2] },
    optimizer: { type: "adam", learningRate: 4e-3 },
    schedule: { type: "poly" },
    clipNorm: 10,
    epochs: 30,
    validate: { every: 30 },
    batchSize: 8,
    workers: 0,
    seed: 1,
    ...changes,
  });

test("learns, measures, draws, and leaves a model that detects", async () => {
  const out = join(root, "run");
  const { files, best } = await runTiny(recipe(), out);
  const records = await readMetricsLog(join(out, "metrics.jsonl"));
  const losses = records.flatMap((record) => (record.kind === "step" ? [record.loss] : []));
  expect(losses.at(-1)!).toBeLessThan(0.6 * losses[0]!);
  expect(best!.metric).toBe("AP");
  const validations = records.flatMap((record) => (record.kind === "validation" ? [record.metrics] : []));
  expect(validations.at(-1)!["AP50"]).toBeGreaterThan(0.25); // 0.45 when it was written; chance is below 0.01
  const report = readFileSync(files.report, "utf8");
  for (const text of ["1 classes", "Boxes by class", "places with an object"]) expect(report).toContain(text);
  expect(existsSync(files.onnx!)).toBe(true);

  await using detector = await Detector.load(files.best!, { device: "cpu", threads: 1, minScore: 0.02 });
  const { pictures } = await readDetectionPictures({
    format: "coco",
    annotations: join(root, "annotations/person_keypoints_val.json"),
    images: join(root, "images/val"),
  });
  let near = 0;
  for (const { path, objects } of pictures) {
    const [best] = await detector.detect(path);
    if (!best) continue;
    expect(best.label).toBe("person");
    const corners = ([x, y, w, h]: readonly [number, number, number, number]) =>
      Float64Array.of(x, y, x + w, y + h);
    if (objects.some(({ box }) => pairwiseIou(corners(best.box), corners(box))[0]! > 0.5)) near++;
  }
  expect(near).toBeGreaterThanOrEqual(pictures.length / 4);
});

describe.each([
  [
    "HTC",
    { type: "rcnn", stages: 3, masks: "flow", semantic: 2, hidden: 16, maskConvs: 1, neck: { channels: 16 } },
  ],
  ["Faster R-CNN by pixels", { type: "rcnn", extent: "pixels", hidden: 16, neck: { channels: 16 } }],
  ["CenterNet", { type: "centernet", features: 16, pooled: 8 }],
])("%s", (name, head) => {
  test("its loss falls; boxes and masks are measured, drawn and found", async () => {
    const out = join(root, name);
    const masked = name === "HTC";
    const few = await runTiny(
      recipe({
        network: { ...network({ channels: 1, ...head }) } as DetectionInput["network"],
        regions: { anchors: 32, proposals: 32, samples: 16, objects: 3 },
        optimizer: { type: "adam", learningRate: 4e-3 },
        schedule: { type: "constant" },
        epochs: 3,
        validate: { every: 3, limit: 2 },
        replicas: masked ? 2 : 1,
      }),
      out,
    );
    const records = await readMetricsLog(join(out, "metrics.jsonl"));
    const losses = records.flatMap((record) => (record.kind === "step" ? [record.loss] : []));
    expect(losses).toHaveLength(3); // an epoch each
    expect(losses[2]!).toBeLessThan(0.95 * losses[0]!);
    expect(few.best!.metric).toBe(masked ? "mask AP" : "AP");
    expect(readFileSync(few.files.report, "utf8").includes("Masks by class")).toBe(masked);
    await using detector = await Detector.load(few.files.best!, {
      device: "cpu",
      threads: 1,
      minScore: 0.001,
    });
    const [found] = await detector.detect(
      join(root, "images/val", readdirSync(join(root, "images/val"))[0]!),
    );
    if (masked) expect(found!.mask).toMatchObject({ width: 128, height: 128 });
    else expect(found?.mask).toBeUndefined();
  });
});
