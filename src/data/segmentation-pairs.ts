// Pictures and their label maps in the folders of segmentation data sets.

import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { HRNetError, messageOf } from "../errors.ts";
import { readFileWithin } from "../files/read-file.ts";

/** Where pictures and label maps lie. */
export interface PairFolders {
  /** Folders of pictures and of label maps; both are searched with what is below them. */
  readonly images: string;
  readonly labels: string;
  /** How the names end after what a picture and its labels have in common. Default: any picture's ending, and `.png`. */
  readonly imageSuffix?: string | undefined;
  readonly labelSuffix?: string | undefined;
  /** A text file with a name in each line, to which the set is limited: the common part, with or without folder and ending. */
  readonly list?: string | undefined;
}

/** A picture and its label map. */
export interface LabelledPicture {
  /** The part of the paths that both have in common, such as `aachen/aachen_000000_000019`. */
  readonly name: string;
  readonly imagePath: string;
  readonly labelPath: string;
}

/** Layouts of published sets below their folder, by split. */
const LAYOUTS = {
  cityscapes: (split: string): PairFolders => ({
    images: `leftImg8bit/${split}`,
    labels: `gtFine/${split}`,
    imageSuffix: "_leftImg8bit.png",
    labelSuffix: "_gtFine_labelIds.png",
  }),
  lip: (split: string): PairFolders => ({
    images: `TrainVal_images/${split}_images`,
    labels: `TrainVal_parsing_annotations/${split}_segmentations`,
  }),
  "pascal-context": (split: string): PairFolders => ({
    images: "JPEGImages",
    labels: "SegmentationClassContext",
    list: `ImageSets/SegmentationContext/${split}.txt`,
  }),
  ade20k: (split: string): PairFolders => ({ images: `images/${split}`, labels: `annotations/${split}` }),
} as const;

/** Names of the layouts that are known. */
export type PairLayout = keyof typeof LAYOUTS;

/** The folders of a published set's split, below `root`. */
export function pairFoldersOf(layout: PairLayout, root: string, split: string): PairFolders {
  const { images, labels, list, ...suffixes } = LAYOUTS[layout](split);
  return {
    ...suffixes,
    images: join(root, images),
    labels: join(root, labels),
    ...(list !== undefined && { list: join(root, list) }),
  };
}

const PICTURES = /\.(jpe?g|png|webp|avif|tiff?)$/i;
const LABELS = /\.png$/i;
/** Far above the lists of published sets. */
const MAX_LIST_BYTES = 64_000_000;
/** Names shown in errors. */
const SHOWN = 5;

/** Pictures and label maps by what their names have in common. */
export interface PairedFiles {
  /** In the order of their names, or of the set's list. */
  readonly pairs: readonly LabelledPicture[];
  /** Names of pictures that have no label map; of the list's, where there is one. */
  readonly withoutLabels: readonly string[];
  /** Names of label maps that have no picture. */
  readonly withoutPictures: readonly string[];
}

/**
 * Pairs the files of a set's folders.
 * @throws HRNetError `file-not-found` for folders or lists that are not there and sets without pictures; `invalid-data` when
 * names are there twice, or the list names what is not there
 */
export async function pairFiles(folders: PairFolders): Promise<PairedFiles> {
  const images = await namesIn(folders.images, folders.imageSuffix, PICTURES);
  const labels = await namesIn(folders.labels, folders.labelSuffix, LABELS);
  if (images.size === 0) {
    const wanted =
      folders.imageSuffix === undefined ? "pictures" : `files that end in ${folders.imageSuffix}`;
    throw new HRNetError("file-not-found", `There are no ${wanted} in ${folders.images} or below.`);
  }
  const names = folders.list === undefined ? [...images.keys()].sort() : await listed(folders.list, images);
  return {
    pairs: names
      .filter((name) => labels.has(name))
      .map((name) => ({ name, imagePath: images.get(name)!, labelPath: labels.get(name)! })),
    withoutLabels: names.filter((name) => !labels.has(name)),
    withoutPictures: [...labels.keys()].filter((name) => !images.has(name)),
  };
}

/**
 * The labelled pictures of a set, in the order of their names, or of its list.
 * @throws HRNetError as {@link pairFiles}; `invalid-data` when pictures have no labels
 */
export async function findLabelledPictures(folders: PairFolders): Promise<readonly LabelledPicture[]> {
  const { pairs, withoutLabels } = await pairFiles(folders);
  if (withoutLabels.length > 0) {
    throw new HRNetError(
      "invalid-data",
      `${withoutLabels.length} of ${pairs.length + withoutLabels.length} pictures in ${folders.images} have no label map in ${folders.labels}: ` +
        `${shown(withoutLabels)}. Labels are PNG files with the pictures' names${folders.labelSuffix ? ` and the ending ${folders.labelSuffix}` : ""}; ` +
        "leave pictures out with a list.",
    );
  }
  return pairs;
}

const shown = (names: readonly string[]): string =>
  names.slice(0, SHOWN).join(", ") + (names.length > SHOWN ? ", …" : "");

/** Path of each file by the part of its name before the suffix. */
async function namesIn(
  folder: string,
  suffix: string | undefined,
  kind: RegExp,
): Promise<Map<string, string>> {
  const files = await readdir(folder, { recursive: true }).catch((cause: unknown) => {
    const missing = (cause as NodeJS.ErrnoException).code === "ENOENT";
    throw new HRNetError(
      missing ? "file-not-found" : "read-failed",
      `The folder ${folder} ${missing ? "does not exist" : `cannot be read: ${messageOf(cause)}`}.`,
      { cause },
    );
  });
  const names = new Map<string, string>();
  for (const file of files.sort()) {
    const path = file.replaceAll("\\", "/");
    if (suffix === undefined ? !kind.test(path) : !path.endsWith(suffix)) continue;
    const name = suffix === undefined ? path.replace(kind, "") : path.slice(0, -suffix.length);
    const known = names.get(name);
    if (known !== undefined) {
      throw new HRNetError(
        "invalid-data",
        `${known} and ${join(folder, file)} have one name; which is meant?`,
      );
    }
    names.set(name, join(folder, file));
  }
  return names;
}

/** The names in a list; a line may also be a picture's path, or hold several paths of which the first is the picture's. */
async function listed(list: string, images: ReadonlyMap<string, string>): Promise<string[]> {
  const text = (await readFileWithin(list, "list of pictures", MAX_LIST_BYTES)).toString("utf8");
  const lines = text.split(/\r?\n/).map((line) => line.trim().split(/\s+/)[0]!);
  const bases = new Map([...images.keys()].map((name) => [name.slice(name.lastIndexOf("/") + 1), name]));
  const names: string[] = [];
  const unknown: string[] = [];
  for (const line of lines.filter((text) => text !== "")) {
    const plain = line.replace(PICTURES, "");
    const name = images.has(plain) ? plain : bases.get(plain.slice(plain.lastIndexOf("/") + 1));
    if (name === undefined) unknown.push(line);
    else names.push(name);
  }
  if (unknown.length > 0) {
    throw new HRNetError(
      "invalid-data",
      `${list} names ${unknown.length} pictures that are not there: ${shown(unknown)}.`,
    );
  }
  return names;
}
