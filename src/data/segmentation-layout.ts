// Finds a split's pictures and label maps in a folder laid out as a published set's, or as one's own.

import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { HRNetError } from "../errors.ts";
import { type PairFolders, type PairLayout, pairFoldersOf } from "./segmentation-pairs.ts";

/** A split of a segmentation data set. */
export interface SegmentationSplit {
  /** Such as `val`; `all` where there are none. */
  readonly name: string;
  /** `folder`: pictures in `images`, label maps in `labels`. */
  readonly layout: PairLayout | "folder";
  readonly folders: PairFolders;
  /** The file of classes beside them, if there is one. */
  readonly classFile?: string;
}

/** How layouts are told, by a folder that only they have, and their splits with labels, the one for measuring last. */
const SIGNS: readonly {
  readonly layout: PairLayout;
  readonly folder: string;
  readonly splits: readonly [string, string];
}[] = [
  { layout: "cityscapes", folder: "leftImg8bit", splits: ["train", "val"] },
  { layout: "lip", folder: "TrainVal_images", splits: ["train", "val"] },
  { layout: "pascal-context", folder: "SegmentationClassContext", splits: ["train", "val"] },
  { layout: "ade20k", folder: join("annotations", "validation"), splits: ["training", "validation"] },
];

/** Names of folders of label maps in sets of one's own; `labels` is what the documentation uses. */
const LABEL_FOLDERS = ["labels", "masks"] as const;
const CLASS_FILE = "classes.json";

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (info) => info.isDirectory(),
    () => false,
  );
}

/**
 * The splits below a folder: in the layouts of Cityscapes, LIP, PASCAL-Context and ADE20K, or in `images` and `labels`, with or
 * without a folder for each split in both. Nothing is read; folders of published splits need not be there.
 * @returns none when it is laid out otherwise
 */
export async function segmentationSplits(path: string): Promise<SegmentationSplit[]> {
  const classFile = join(path, CLASS_FILE);
  const classes = await stat(classFile).then(
    () => ({ classFile }),
    () => ({}),
  );
  for (const { layout, folder, splits } of SIGNS) {
    if (!(await isFolder(join(path, folder)))) continue;
    return splits.map((name) => ({ name, layout, folders: pairFoldersOf(layout, path, name), ...classes }));
  }
  const images = join(path, "images");
  const candidates = LABEL_FOLDERS.map((name) => join(path, name));
  const found = await Promise.all(candidates.map(isFolder));
  const labels = candidates[found.indexOf(true)];
  if (!(await isFolder(images)) || labels === undefined) return [];
  const entries = await readdir(images, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  if (names.length === 0) return [{ name: "all", layout: "folder", folders: { images, labels }, ...classes }];
  return names.sort().map((name) => ({
    name,
    layout: "folder",
    folders: { images: join(images, name), labels: join(labels, name) },
    ...classes,
  }));
}

/**
 * A split below a folder; see {@link segmentationSplits}.
 * @param split such as `val`; by default the one for measuring: with folders of one's own the last one whose name begins with
 * `val`, or all pictures together
 * @throws HRNetError `file-not-found` naming what was looked for
 */
export async function findSegmentationSplit(path: string, split?: string): Promise<SegmentationSplit> {
  if (!(await isFolder(path)))
    throw new HRNetError("file-not-found", `There is no folder ${path}. Check the path.`);
  const splits = await segmentationSplits(path);
  const [first] = splits;
  if (!first) {
    throw new HRNetError(
      "file-not-found",
      `${path} is laid out neither as Cityscapes, LIP, PASCAL-Context or ADE20K nor with pictures in images/ and label maps in labels/. ` +
        "Name the folders with --images and --labels.",
    );
  }
  if (split !== undefined && first.layout !== "folder")
    return { ...first, name: split, folders: pairFoldersOf(first.layout, path, split) };
  const chosen =
    split === undefined
      ? (splits.findLast(({ name }) => name.startsWith("val")) ?? (first.name === "all" ? first : undefined))
      : splits.find(({ name }) => name === split);
  if (chosen) return chosen;
  throw new HRNetError(
    "file-not-found",
    `There is no split ${split ?? "val"} in ${join(path, "images")}; there are ${splits.map(({ name }) => name).join(", ")}. ` +
      "Choose one with --split.",
  );
}
