// A segmentation network trained on the parts of drawn people: the run's folder, its figures, the model it leaves.
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readLabelMap } from "../../src/data/read-label-map.ts";
import { findLabelledPictures } from "../../src/data/segmentation-pairs.ts";
import { Segmenter } from "../../src/estimators/segmenter.ts";
import { parseRecipe } from "../../src/recipe/read-recipe.ts";
import type { RecipeInput } from "../../src/recipe/schema.ts";
import { readMetricsLog } from "../../src/report/metrics-log.ts";
import { writeSyntheticDataset } from "../../src/synthetic/dataset.ts";
import { tinySegmentation } from "../helpers/tiny-models.ts";
import { runTiny } from "../helpers/tiny-run.ts";

let root: string;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "hrnet-segmentation-run-"));
  await writeSyntheticDataset(root, {
    train: 24,
    val: 4,
    width: 96,
    height: 96,
    people: 1,
    difficulty: 0,
    poses: ["standing"],
    yaw: [0, 0],
    seed: 5,
  });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

type SegmentationInput = Extract<RecipeInput, { task: "segmentation" }>;

const folder = (split: string) => ({
  format: "folder" as const,
  images: `images/${split}`,
  labels: `labels/${split}`,
});

const recipe = (changes: Partial<SegmentationInput> = {}) =>
  parseRecipe({
    name: "parts",
    task: "segmentation",
    network: { ...tinySegmentation(1) },
    classes: "classes.json",
    input: [96, 96],
    data: { root, train: [folder("train")], validation: folder("val") },
    augmentation: { baseSize: 96, scales: [1, 1.1] },
    loss: { classWeights: [0.1, ...Array<number>(15).fill(1)] },
    optimizer: { type: "adam", learningRate: 1e-2 },
    schedule: { type: "poly" },
    epochs: 30,
    validate: { every: 15 },
    batchSize: 4,
    workers: 0,
    seed: 1,
    ...changes,
  });

test("learns, measures, draws, and leaves a model that segments", async () => {
  const out = join(root, "run");
  const { files, best } = await runTiny(recipe(), out);
  const records = await readMetricsLog(join(out, "metrics.jsonl"));
  const losses = records.flatMap((record) => (record.kind === "step" ? [record.loss] : []));
  expect(losses.at(-1)!).toBeLessThan(0.4 * losses[0]!);
  expect(best!.metric).toBe("mIoU");
  const validations = records.flatMap((record) => (record.kind === "validation" ? [record.metrics] : []));
  const { mIoU, "mean accuracy": meanAccuracy } = validations.at(-1)!;
  // All background would be 0.06 and 0.06.
  expect(mIoU).toBeGreaterThan(0.12);
  expect(meanAccuracy).toBeGreaterThan(0.25);
  const report = readFileSync(files.report, "utf8");
  for (const text of ["16 classes", "most often taken for", "left_upper_arm"]) expect(report).toContain(text);
  expect(existsSync(files.onnx!)).toBe(true);

  await using segmenter = await Segmenter.load(files.best!, { device: "cpu", threads: 1 });
  const [picture] = await findLabelledPictures({
    images: join(root, "images/val"),
    labels: join(root, "labels/val"),
  });
  const found = await segmenter.segment(picture!.imagePath);
  const truth = await readLabelMap(picture!.labelPath);
  const right = Array.from(found.data).filter((label, at) => label === truth.data[at]).length;
  expect(right / found.data.length).toBeGreaterThan(0.75);
  expect(found.areas[0]).toMatchObject({ name: "background" });
  expect(found.areas.reduce((sum, { pixels }) => sum + pixels, 0)).toBe(96 * 96);
});
