// Segmentation samples from files, through the batch loader and its threads.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openBatchLoader } from "../../src/data/batch-loader.ts";
import { encodeLabelMap } from "../../src/image/label-map.ts";
import { defaultColor, defineClassTable } from "../../src/segmentation/class-table.ts";
import { segmentationAugmentationSchema } from "../../src/segmentation/training-samples.ts";
import { prepareSegmentationSamples } from "../../src/training-data/segmentation-samples.ts";

const root = mkdtempSync(join(tmpdir(), "hrnet-segmentation-"));
const [WIDTH, HEIGHT, PICTURES] = [40, 30, 5];
const classes = defineClassTable({ name: "test", classes: ["a", "b", "c"] });

/** Pictures whose halves are grey values of their class. */
beforeAll(async () => {
  for (const folder of ["images", "labels"]) mkdirSync(join(root, folder));
  for (let n = 0; n < PICTURES; n++) {
    const data = Uint8Array.from({ length: WIDTH * HEIGHT }, (_, i) =>
      i % WIDTH < WIDTH / 2 ? n % 3 : (n + 1) % 3,
    );
    const grey = data.map((label) => 60 * (label + 1));
    const raw = { raw: { width: WIDTH, height: HEIGHT, channels: 1 as const } };
    await sharp(grey, raw)
      .png()
      .toFile(join(root, "images", `${n}.png`));
    const labels = encodeLabelMap(
      { width: WIDTH, height: HEIGHT, data },
      classes.classes.map((_, c) => defaultColor(c)),
    );
    writeFileSync(join(root, "labels", `${n}.png`), labels);
  }
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

async function batches(workers: number, cacheMegabytes: number) {
  const samples = await prepareSegmentationSamples(
    [{ images: join(root, "images"), labels: join(root, "labels"), repeat: 2 }],
    {
      classes,
      input: [24, 32],
      augmentation: segmentationAugmentationSchema.parse({ baseSize: WIDTH }),
      cacheMegabytes,
    },
  );
  await using loader = await openBatchLoader({ ...samples, batchSize: 5, seed: 3, workers, shuffle: true });
  expect(loader.length).toBe(2 * PICTURES);
  const result = [];
  for await (const { feeds } of loader.batches(0)) result.push(feeds);
  return result;
}

test("grey values show the classes", async () => {
  const [first] = await batches(1, 0);
  const { image, labels } = first!;
  expect([image!.shape, labels!.shape]).toEqual([
    [5, 3, 24, 32],
    [5, 24, 32],
  ]);
  const area = 24 * 32;
  let compared = 0;
  labels!.data.forEach((label: number | bigint, at: number) => {
    const grey = Number(image!.data[3 * area * Math.floor(at / area) + (at % area)]);
    if (label === 255) expect(grey).toBe(0);
    else if (grey % 60 === 0) {
      expect(grey).toBe(60 * (Number(label) + 1));
      compared++;
    }
  });
  expect(compared).toBeGreaterThan(1000);
});

test("are the same from any number of threads, with decoded pictures kept or not", async () => {
  const reference = await batches(1, 0);
  expect(await batches(2, 0)).toEqual(reference);
  expect(await batches(1, 8)).toEqual(reference);
});
