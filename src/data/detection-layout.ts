// Finds the pictures and boxes of a split in a folder laid out as COCO's or Pascal VOC's.

import { stat } from "node:fs/promises";
import { join } from "node:path";
import { HRNetError } from "../errors.ts";
import { findCocoSplit } from "./coco-layout.ts";
import type { DetectionSource } from "./detection-sets.ts";

/** A split of a data set of objects. */
export interface DetectionSplit {
  /** Such as `val2017`. */
  readonly name: string;
  readonly source: DetectionSource;
}

/** Pascal VOC's folders. */
const VOC_FOLDERS = { annotations: "Annotations", images: "JPEGImages", lists: join("ImageSets", "Main") };

async function kindOf(path: string): Promise<"file" | "folder" | undefined> {
  return stat(path).then(
    (info) => (info.isDirectory() ? "folder" : "file"),
    () => undefined,
  );
}

/**
 * Finds a split: COCO's, as `findCocoSplit` does, or in Pascal VOC's folders `Annotations`, `JPEGImages` and `ImageSets/Main`. Where a
 * folder has both, COCO's file is taken.
 * @param path the data set's folder, or a COCO file
 * @param split default: the last `val…`
 * @param images folder of the pictures, where it is not the layout's own
 * @throws HRNetError `file-not-found`, saying what was looked for
 */
export async function findDetectionSplit(
  path: string,
  { split, images }: { readonly split?: string | undefined; readonly images?: string | undefined } = {},
): Promise<DetectionSplit> {
  const voc = await findVocSplit(path, split ?? "val", images);
  try {
    const found = await findCocoSplit(path, split, "instances");
    const { name, annotationFile: annotations, imageFolders } = found;
    return { name, source: { format: "coco", annotations, images: images ?? imageFolders } };
  } catch (error) {
    if (voc && error instanceof HRNetError && error.code === "file-not-found") return voc;
    throw error;
  }
}

async function findVocSplit(
  path: string,
  name: string,
  images: string | undefined,
): Promise<DetectionSplit | undefined> {
  const annotations = join(path, VOC_FOLDERS.annotations);
  const list = join(path, VOC_FOLDERS.lists, `${name}.txt`);
  if ((await kindOf(annotations)) !== "folder" || (await kindOf(list)) !== "file") return undefined;
  const folder = images ?? join(path, VOC_FOLDERS.images);
  return { name, source: { format: "voc", annotations, images: folder, list } };
}
