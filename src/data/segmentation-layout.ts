// Finds a split's pictures and label maps in a folder laid out as a published set's, or as one's own.

import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { HRNetError } from "../errors.ts";
import { type PairFolders, type PairLayout, pairFoldersOf } from "./segmentation-pairs.ts";

/** A split of a segmentation data set. */
export interface SegmentationSplit {
  /** Such as `val`. */
  readonly name: string;
  /** `folder`: pictures in `images`, label maps in `labels`. */
  readonly layout: PairLayout | "folder";
  readonly folders: PairFolders;
  /** The file of classes beside them, if there is one. */
  readonly classFile?: string;
}

/** How layouts are told, by a folder that only they have, and the split that is for measuring. */
const SIGNS: readonly {
  readonly layout: PairLayout;
  readonly folder: string;
  readonly validation: string;
}[] = [
  { layout: "cityscapes", folder: "leftImg8bit", validation: "val" },
  { layout: "lip", folder: "TrainVal_images", validation: "val" },
  { layout: "pascal-context", folder: "SegmentationClassContext", validation: "val" },
  { layout: "ade20k", folder: join("annotations", "validation"), validation: "validation" },
];

/** Names of folders of label maps in sets of one's own; `labels` is what the documentation uses. */
const LABEL_FOLDERS = ["labels", "masks", "annotations"] as const;
const CLASS_FILE = "classes.json";

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (info) => info.isDirectory(),
    () => false,
  );
}

/**
 * Finds a split below a folder: the layouts of Cityscapes, LIP, PASCAL-Context and ADE20K, or `images` and `labels`, with or
 * without a folder for each split in both.
 * @param path the data set's folder
 * @param split such as `val`; by default the one for measuring: with folders of one's own the last one whose name begins with `val`
 * @throws HRNetError `file-not-found` naming what was looked for
 */
export async function findSegmentationSplit(path: string, split?: string): Promise<SegmentationSplit> {
  if (!(await isFolder(path)))
    throw new HRNetError("file-not-found", `There is no folder ${path}. Check the path.`);
  const classFile = join(path, CLASS_FILE);
  const classes = await stat(classFile).then(
    () => ({ classFile }),
    () => ({}),
  );
  for (const { layout, folder, validation } of SIGNS) {
    if (!(await isFolder(join(path, folder)))) continue;
    const name = split ?? validation;
    return { name, layout, folders: pairFoldersOf(layout, path, name), ...classes };
  }
  const images = join(path, "images");
  const candidates = LABEL_FOLDERS.map((name) => join(path, name));
  const found = await Promise.all(candidates.map(isFolder));
  const labels = candidates[found.indexOf(true)];
  if (!(await isFolder(images)) || labels === undefined) {
    throw new HRNetError(
      "file-not-found",
      `${path} is laid out neither as Cityscapes, LIP, PASCAL-Context or ADE20K nor with pictures in images/ and label maps in labels/. ` +
        "Name the folders with --images and --labels.",
    );
  }
  const entries = await readdir(images, { withFileTypes: true });
  const splits = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  const chosen =
    split ??
    splits
      .filter((name) => name.startsWith("val"))
      .sort()
      .at(-1);
  if (chosen === undefined) return { name: "all", layout: "folder", folders: { images, labels }, ...classes };
  if (!splits.includes(chosen)) {
    throw new HRNetError(
      "file-not-found",
      `There is no split ${chosen} in ${images}${splits.length > 0 ? `; there are ${splits.sort().join(", ")}` : ""}.`,
    );
  }
  const folders = { images: join(images, chosen), labels: join(labels, chosen) };
  return { name: chosen, layout: "folder", folders, ...classes };
}
