// Layouts of published segmentation sets, told by their folders.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { findSegmentationSplit } from "../../src/data/segmentation-layout.ts";

const root = mkdtempSync(join(tmpdir(), "hrnet-layout-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

let made = 0;
function laidOut(...folders: string[]): string {
  const path = join(root, String(made++));
  for (const folder of folders) mkdirSync(join(path, folder), { recursive: true });
  return path;
}

test.each([
  ["cityscapes", ["leftImg8bit/val", "gtFine/val"], "val", "leftImg8bit/val"],
  ["lip", ["TrainVal_images/val_images"], "val", "TrainVal_images/val_images"],
  ["pascal-context", ["JPEGImages", "SegmentationClassContext"], "val", "JPEGImages"],
  ["ade20k", ["images/validation", "annotations/validation"], "validation", "images/validation"],
  ["folder", ["images/train", "images/val", "labels/val"], "val", "images/val"],
  ["folder", ["images", "masks"], "all", "images"],
])("%s", async (layout, folders, name, images) => {
  const path = laidOut(...folders);
  const split = await findSegmentationSplit(path);
  expect(split).toMatchObject({ layout, name });
  expect(split.folders.images).toBe(join(path, images));
  expect(split).not.toHaveProperty("classFile");
});

test("another split, and the file of classes", async () => {
  const path = laidOut("images/train", "images/val", "labels/train", "labels/val");
  writeFileSync(join(path, "classes.json"), "{}");
  const split = await findSegmentationSplit(path, "train");
  expect(split).toMatchObject({ name: "train", classFile: join(path, "classes.json") });
  expect(split.folders).toEqual({ images: join(path, "images/train"), labels: join(path, "labels/train") });
  await expect(findSegmentationSplit(path, "test")).rejects.toThrow(/there are train, val/);
});
