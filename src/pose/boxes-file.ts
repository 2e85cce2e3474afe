// Reads files of person boxes: COCO detections, COCO annotations, or a plain map from file name to boxes.

import { readFile, stat } from "node:fs/promises";
import { basename } from "node:path";
import { HRNetError, messageOf } from "../errors.ts";
import { boxFault, MAX_BOXES_PER_IMAGE, scoreFault } from "./boxes.ts";
import type { Box, ScoredBox } from "./types.ts";

/** Largest file accepted. Detections of all of COCO test-dev take about 50 MB. */
const MAX_FILE_BYTES = 256 * 1024 * 1024;

/** COCO's category of persons. */
const PERSON_CATEGORY = 1;

const SHAPES =
  'Accepted are COCO detections [{ "image_id", "bbox": [x, y, width, height], "score", "category_id" }, …], ' +
  'a COCO annotation file { "images", "annotations" }, or { "photo.jpg": [[x, y, width, height], …], … }.';

/** Boxes by picture, as a file gave them; not yet checked against the pictures' sizes. */
export interface BoxesFile {
  /** Which of the accepted shapes the file has. */
  readonly format: "coco-detections" | "coco-annotations" | "map";
  /** Boxes of all pictures together. */
  readonly count: number;
  /** The boxes of the picture with this COCO image id; none when the file does not name it. */
  forImageId(imageId: number): readonly ScoredBox[];
  /**
   * The boxes of a picture by its path. The file's own names win, as a whole and then by their last part; for
   * detections, which know only ids, the number in a name such as `000000397133.jpg`.
   * @returns `undefined` when the file does not mention the picture, unlike an empty list
   */
  forFile(path: string): readonly ScoredBox[] | undefined;
  /** The COCO image id of the picture with this path, where the file has ids and mentions the picture. */
  imageIdOf(path: string): number | undefined;
}

/** What to take from a boxes file. */
export interface BoxesFileOptions {
  /** COCO category to keep: 1, person, by default. */
  readonly categoryId?: number;
  /** Detections below this score are left out: 0 by default, as in the published evaluations. */
  readonly minScore?: number;
}

type Entry = Record<string, unknown>;

/**
 * Reads and checks a boxes file.
 * @throws HRNetError `file-not-found`, `read-failed`; `limit-exceeded` for a huge file or list; `invalid-data` for
 * anything that is not one of the accepted shapes, naming the entry that is wrong
 */
export async function readBoxesFile(path: string, options: BoxesFileOptions = {}): Promise<BoxesFile> {
  const file = await stat(path).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== "ENOENT") {
      throw new HRNetError("read-failed", `The boxes file ${path} cannot be read: ${cause.message}.`, {
        cause,
      });
    }
    throw new HRNetError("file-not-found", `There is no boxes file ${path}. Check the path.`, { cause });
  });
  if (file.size > MAX_FILE_BYTES) {
    throw new HRNetError(
      "limit-exceeded",
      `The boxes file ${path} has ${file.size} bytes; at most ${MAX_FILE_BYTES} are accepted. Split it, or drop low scores.`,
    );
  }
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new HRNetError("read-failed", `The boxes file ${path} cannot be read: ${messageOf(cause)}.`, {
      cause,
    });
  });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    const hint = /\b(?:NaN|Infinity)\b/.test(text)
      ? " It holds NaN or Infinity, which Python writes but JSON does not know: replace or drop those boxes."
      : "";
    throw new HRNetError("invalid-data", `${path} is not JSON: ${messageOf(cause)}.${hint} ${SHAPES}`, {
      cause,
    });
  }
  return parseBoxes(json, path, options);
}

/**
 * The boxes in parsed JSON; see {@link readBoxesFile}.
 * @param source what to call it in errors
 */
export function parseBoxes(json: unknown, source: string, options: BoxesFileOptions = {}): BoxesFile {
  if (Array.isArray(json)) return parseDetections(json, source, options);
  if (!isEntry(json)) throw new HRNetError("invalid-data", `${source} holds no boxes. ${SHAPES}`);
  if (Array.isArray(json["annotations"]) && Array.isArray(json["images"])) {
    return parseAnnotations(json["images"], json["annotations"], source, options);
  }
  return parseMap(json, source);
}

function isEntry(value: unknown): value is Entry {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function fail(source: string, where: string, fault: string): never {
  throw new HRNetError("invalid-data", `${source}: ${where} ${fault}.`);
}

function requireEntry(value: unknown, source: string, where: string): Entry {
  return isEntry(value) ? value : fail(source, where, `is no object. ${SHAPES}`);
}

function requireId(value: unknown, source: string, where: string, key: string): number {
  if (Number.isSafeInteger(value)) return value as number;
  return fail(source, where, `has the ${key} ${JSON.stringify(value)}; expected a whole number`);
}

function requireBox(value: unknown, source: string, where: string): Box {
  const fault = boxFault(value);
  return fault === undefined ? (value as Box) : fail(source, where, fault);
}

/** Appends to a picture's list, within the limit. */
function add<K>(lists: Map<K, ScoredBox[]>, key: K, box: ScoredBox, source: string): void {
  const list = lists.get(key);
  if (list === undefined) {
    lists.set(key, [box]);
    return;
  }
  if (list.length >= MAX_BOXES_PER_IMAGE) {
    throw new HRNetError(
      "limit-exceeded",
      `${source}: the picture ${String(key)} has more than ${MAX_BOXES_PER_IMAGE} boxes. Drop those with low scores.`,
    );
  }
  list.push(box);
}

/** Fails when a file has entries, but none of the category asked for: a wrong id must not pass for "no persons". */
function requireCategory(seen: ReadonlySet<number>, wanted: number, kept: number, source: string): void {
  if (kept > 0 || seen.size === 0 || seen.has(wanted)) return;
  const ids = [...seen].sort((a, b) => a - b);
  const listed = ids.slice(0, 10).join(", ") + (ids.length > 10 ? ", …" : "");
  throw new HRNetError(
    "invalid-data",
    `${source} has no box of category ${wanted}, but of ${listed}. Name the category to use.`,
  );
}

function parseDetections(entries: readonly unknown[], source: string, options: BoxesFileOptions): BoxesFile {
  const { categoryId = PERSON_CATEGORY, minScore = 0 } = options;
  const byId = new Map<number, ScoredBox[]>();
  const categories = new Set<number>();
  let count = 0;
  for (let index = 0; index < entries.length; index++) {
    const where = `detection ${index}`;
    const entry = requireEntry(entries[index], source, where);
    const imageId = requireId(entry["image_id"], source, where, "image_id");
    const category = requireId(entry["category_id"] ?? categoryId, source, where, "category_id");
    categories.add(category);
    if (category !== categoryId) continue;
    const box = requireBox(entry["bbox"], source, `${where} (image ${imageId})`);
    const fault = scoreFault(entry["score"]);
    if (fault !== undefined) fail(source, where, fault);
    const score = entry["score"] as number;
    if (score < minScore) continue;
    add(byId, imageId, { box, score }, source);
    count++;
  }
  requireCategory(categories, categoryId, count, source);
  return {
    format: "coco-detections",
    count,
    forImageId: (imageId) => byId.get(imageId) ?? [],
    forFile: (path) => {
      const imageId = idInName(path);
      return imageId === undefined ? undefined : byId.get(imageId);
    },
    imageIdOf: (path) => {
      const imageId = idInName(path);
      return imageId !== undefined && byId.has(imageId) ? imageId : undefined;
    },
  };
}

/** The COCO image id that a file name such as `000000397133.jpg` or `COCO_val2014_000000397133.jpg` ends in. */
function idInName(path: string): number | undefined {
  const digits = /(\d{1,15})\.[^.]*$/.exec(basename(path))?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** Annotated boxes score 1. Crowds, and boxes without extent (COCO has a few), are left out as the original does. */
function parseAnnotations(
  images: readonly unknown[],
  annotations: readonly unknown[],
  source: string,
  { categoryId = PERSON_CATEGORY }: BoxesFileOptions,
): BoxesFile {
  const byId = new Map<number, ScoredBox[]>();
  const idByName = new Map<string, number>();
  for (let index = 0; index < images.length; index++) {
    const where = `image ${index}`;
    const image = requireEntry(images[index], source, where);
    const id = requireId(image["id"], source, where, "id");
    const name = image["file_name"];
    if (typeof name !== "string") fail(source, where, "has no file_name; expected a text");
    idByName.set(name, id);
    byId.set(id, []);
  }
  const categories = new Set<number>();
  let count = 0;
  for (let index = 0; index < annotations.length; index++) {
    const where = `annotation ${index}`;
    const annotation = requireEntry(annotations[index], source, where);
    const imageId = requireId(annotation["image_id"], source, where, "image_id");
    const category = requireId(annotation["category_id"] ?? categoryId, source, where, "category_id");
    categories.add(category);
    if (category !== categoryId || annotation["iscrowd"] === 1) continue;
    if (!byId.has(imageId)) fail(source, where, `belongs to image ${imageId}, which "images" does not list`);
    const given = annotation["bbox"];
    if (Array.isArray(given) && (given[2] === 0 || given[3] === 0)) continue;
    add(byId, imageId, { box: requireBox(given, source, where), score: 1 }, source);
    count++;
  }
  requireCategory(categories, categoryId, count, source);
  const find = byName(idByName);
  return {
    format: "coco-annotations",
    count,
    forImageId: (imageId) => byId.get(imageId) ?? [],
    forFile: (path) => {
      const id = find(path);
      return id === undefined ? undefined : byId.get(id);
    },
    imageIdOf: find,
  };
}

function parseMap(map: Entry, source: string): BoxesFile {
  const boxes = new Map<string, ScoredBox[]>();
  let count = 0;
  for (const [name, list] of Object.entries(map)) {
    if (!Array.isArray(list)) fail(source, `"${name}"`, `holds no list of boxes. ${SHAPES}`);
    boxes.set(name, []);
    for (let index = 0; index < list.length; index++) {
      const box = requireBox(list[index], source, `box ${index} of "${name}"`);
      add(boxes, name, { box, score: 1 }, source);
      count++;
    }
  }
  const find = byName(boxes);
  return {
    format: "map",
    count,
    forImageId: (imageId) => {
      for (const [name, list] of boxes) if (idInName(name) === imageId) return list;
      return [];
    },
    forFile: find,
    imageIdOf: () => undefined,
  };
}

/** Looks a path up by its whole text, then by its last part; names that share a last part are found only as a whole. */
function byName<T>(named: ReadonlyMap<string, T>): (path: string) => T | undefined {
  const last = new Map<string, T | undefined>();
  for (const [name, value] of named) last.set(basename(name), last.has(basename(name)) ? undefined : value);
  return (path) => named.get(path) ?? last.get(basename(path));
}
