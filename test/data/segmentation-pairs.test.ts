// Pictures and label maps found in the layouts of published sets and in folders of one's own.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { findLabelledPictures, pairFoldersOf } from "../../src/data/segmentation-pairs.ts";
import { hasShared, shared } from "../helpers/shared.ts";

const root = mkdtempSync(join(tmpdir(), "hrnet-pairs-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Empty files, in a folder of their own. */
function folderOf(name: string, files: readonly string[]): string {
  for (const file of files) {
    const path = join(root, name, file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, "");
  }
  return join(root, name);
}

test("Cityscapes: by city, with endings of their own; other maps beside are left alone", async () => {
  const names = ["aachen/aachen_000001_000019", "bochum/bochum_000000_000313"];
  const folder = folderOf("cityscapes", [
    ...names.map((name) => `leftImg8bit/train/${name}_leftImg8bit.png`),
    ...names.map((name) => `gtFine/train/${name}_gtFine_labelIds.png`),
    ...names.map((name) => `gtFine/train/${name}_gtFine_color.png`),
  ]);
  const found = await findLabelledPictures(pairFoldersOf("cityscapes", folder, "train"));
  expect(found.map(({ name }) => name)).toEqual(names);
  expect(found[1]!.labelPath).toBe(join(folder, "gtFine/train", `${names[1]}_gtFine_labelIds.png`));
});

test.each([
  [
    "lip",
    "train",
    ["TrainVal_images/train_images/7.jpg", "TrainVal_parsing_annotations/train_segmentations/7.png"],
  ],
  ["ade20k", "validation", ["images/validation/7.jpg", "annotations/validation/7.png"]],
] as const)("%s", async (layout, split, files) => {
  const folder = folderOf(layout, files);
  const found = await findLabelledPictures(pairFoldersOf(layout, folder, split));
  expect(found).toEqual([
    { name: "7", imagePath: join(folder, files[0]), labelPath: join(folder, files[1]) },
  ]);
});

test("PASCAL-Context: those of its list, in its order", async () => {
  const folder = folderOf(
    "context",
    ["a", "b", "c"].flatMap((name) => [`JPEGImages/${name}.jpg`, `SegmentationClassContext/${name}.png`]),
  );
  mkdirSync(join(folder, "ImageSets/SegmentationContext"), { recursive: true });
  writeFileSync(join(folder, "ImageSets/SegmentationContext/val.txt"), "c\r\na\n\n");
  const found = await findLabelledPictures(pairFoldersOf("pascal-context", folder, "val"));
  expect(found.map(({ name }) => name)).toEqual(["c", "a"]);
});

test("a list may hold paths, and paths of labels behind them", async () => {
  const folder = folderOf("paths", ["images/x/1.jpg", "images/x/2.jpg", "labels/x/1.png", "labels/x/2.png"]);
  writeFileSync(join(folder, "list.txt"), "somewhere/images/x/2.jpg somewhere/labels/x/2.png\n");
  const folders = {
    images: join(folder, "images"),
    labels: join(folder, "labels"),
    list: join(folder, "list.txt"),
  };
  expect((await findLabelledPictures(folders)).map(({ name }) => name)).toEqual(["x/2"]);
});

test("what is wrong is named", async () => {
  const folder = folderOf("wrong", [
    "i/1.jpg",
    "i/2.jpg",
    "i/notes.txt",
    "l/1.png",
    "twice/1.jpg",
    "twice/1.png",
    "none/x.txt",
  ]);
  const at = (images: string, labels: string, list?: string) =>
    findLabelledPictures({
      images: join(folder, images),
      labels: join(folder, labels),
      ...(list !== undefined && { list: join(folder, list) }),
    });
  await expect(at("i", "l")).rejects.toThrow(/1 of 2 pictures .* have no label map .*: 2\./);
  await expect(at("absent", "l")).rejects.toMatchObject({ code: "file-not-found" });
  await expect(at("none", "l")).rejects.toThrow(/no pictures/);
  await expect(at("twice", "l")).rejects.toThrow(/have one name/);
  writeFileSync(join(folder, "list.txt"), "1\n9\n");
  await expect(at("i", "l", "list.txt")).rejects.toThrow(/1 pictures that are not there: 9/);
  await expect(at("i", "l", "absent.txt")).rejects.toMatchObject({ code: "file-not-found" });
});

test.skipIf(!hasShared("data", "camvid"))("CamVid", async () => {
  const at = (split: string) => ({
    images: shared("data", "camvid", "images", split),
    labels: shared("data", "camvid", "labels", split),
    list: shared("data", "camvid", `${split}.txt`),
  });
  expect(await findLabelledPictures(at("train"))).toHaveLength(367);
  expect(await findLabelledPictures(at("val"))).toHaveLength(101);
});
