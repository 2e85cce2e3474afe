// Finds a split's annotation file and images in a folder laid out as COCO's.

import { access, readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { HRNetError, messageOf } from "../errors.ts";

/** Where the parts of a split lie. */
export interface CocoSplit {
  /** Such as `val2017`. */
  readonly name: string;
  readonly annotationFile: string;
  /** Folders that exist and may hold the images, likeliest first; see {@link chooseImageFolder}. */
  readonly imageFolders: readonly string[];
}

/** What annotations are wanted of. */
export type CocoAnnotationKind = "keypoints" | "instances";

/** How well a file name fits annotations of a kind, best first; the split's name is the last part. */
const FILE_PATTERNS: Readonly<Record<CocoAnnotationKind, readonly RegExp[]>> = {
  keypoints: [
    /^person_keypoints_(?<split>[^_]+)\.json$/,
    /^.*keypoints.*_(?<split>[^_]+)\.json$/,
    /^(?:.*_)?(?<split>[^_]+)\.json$/,
  ],
  instances: [/^instances_(?<split>[^_]+)\.json$/, /^(?:.*_)?(?<split>[^_]+)\.json$/],
};

interface Candidate {
  readonly split: string;
  readonly file: string;
  readonly rank: number;
}

/**
 * Finds a split: its annotations in `annotations/` (or in `path` itself), named `person_keypoints_<split>.json` or
 * `instances_<split>.json`, or anything ending in `_<split>.json`, and its images in `<split>/`, `images/<split>/`, `images/`,
 * `JPEGImages/` or beside the annotations.
 * @param path the data set's folder, or an annotation file
 * @param split such as `val2017`; by default the last one whose name begins with `val`
 * @param kind which file is taken where a split has several
 * @throws HRNetError `file-not-found` naming the splits that are there
 */
export async function findCocoSplit(
  path: string,
  split?: string,
  kind: CocoAnnotationKind = "keypoints",
): Promise<CocoSplit> {
  const info = await stat(path).catch((cause: unknown) => {
    throw new HRNetError("file-not-found", `There is no data set ${path}. Check the path.`, { cause });
  });
  if (info.isFile()) {
    const name = split ?? candidate(basename(path), kind)?.split ?? basename(path, ".json");
    const folder = dirname(path);
    const root = basename(folder) === "annotations" ? dirname(folder) : folder;
    return { name, annotationFile: path, imageFolders: await imageFolders(root, folder, name) };
  }
  const inside = join(path, "annotations");
  const folder = (await isFolder(inside)) ? inside : path;
  const names = await readdir(folder).catch((cause: unknown) => {
    throw new HRNetError("read-failed", `The folder ${folder} cannot be read: ${messageOf(cause)}.`, {
      cause,
    });
  });
  const candidates = names
    .map((name) => candidate(name, kind))
    .filter((found) => found !== undefined)
    .sort((a, b) => compare(a.split, b.split) || a.rank - b.rank || compare(a.file, b.file));
  const chosen = split ?? candidates.findLast((found) => found.split.startsWith("val"))?.split;
  const found = candidates.find((other) => other.split === chosen);
  if (found === undefined) {
    const splits = [...new Set(candidates.map((other) => other.split))];
    throw new HRNetError(
      "file-not-found",
      `${folder} has no annotations ${chosen === undefined ? 'of a split "val…"' : `of the split "${chosen}"`}. ` +
        (splits.length === 0
          ? `Expected a file such as annotations/${kind === "keypoints" ? "person_keypoints" : "instances"}_val2017.json.`
          : `Splits found: ${splits.join(", ")}. Name one of them.`),
    );
  }
  return {
    name: found.split,
    annotationFile: join(folder, found.file),
    imageFolders: await imageFolders(path, folder, found.split),
  };
}

/**
 * The folder that has the first image of a split.
 * @throws HRNetError `file-not-found` naming the image and the folders looked at
 */
export async function chooseImageFolder(
  split: Pick<CocoSplit, "name" | "imageFolders">,
  firstFileName: string,
): Promise<string> {
  for (const folder of split.imageFolders) {
    const present = await access(join(folder, firstFileName)).then(
      () => true,
      () => false,
    );
    if (present) return folder;
  }
  throw new HRNetError(
    "file-not-found",
    `The image ${firstFileName} of the split "${split.name}" is in none of ${split.imageFolders.join(", ")}.`,
  );
}

function candidate(file: string, kind: CocoAnnotationKind): Candidate | undefined {
  for (const [rank, pattern] of FILE_PATTERNS[kind].entries()) {
    const split = pattern.exec(file)?.groups?.["split"];
    if (split !== undefined) return { split, file, rank };
  }
  return undefined;
}

async function imageFolders(root: string, annotationFolder: string, split: string): Promise<string[]> {
  const folders = [
    join(root, split),
    join(root, "images", split),
    join(root, "images"),
    join(root, "JPEGImages"),
    root,
    annotationFolder,
  ];
  const present = await Promise.all(folders.map(isFolder));
  return folders.filter((folder, i) => present[i] && folders.indexOf(folder) === i);
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (info) => info.isDirectory(),
    () => false,
  );
}

/** By code unit, the same on every machine. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
