// Reads files of person boxes: COCO detections, COCO annotations, or a plain map from file name to boxes.

import { basename } from "node:path";
import { HRNetError } from "../errors.ts";
import { readJsonFile } from "../files/json-file.ts";
import { boxFault, MAX_BOXES_PER_IMAGE, scoreFault } from "./boxes.ts";
import type { Box, ScoredBox } from "./types.ts";

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
   * @throws HRNetError `invalid-data` for a picture with a faulty box, where those were deferred
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
  /**
   * A box that cannot be one (no numbers, no area) makes the whole file invalid (`refuse`, default), or only its
   * picture: asking for that picture's boxes then throws (`defer`).
   */
  readonly faultyBoxes?: "refuse" | "defer";
}

type Entry = Record<string, unknown>;

/**
 * Reads and checks a boxes file.
 * @throws HRNetError `file-not-found`, `read-failed`; `limit-exceeded` for a huge file or list; `invalid-data` for
 * anything that is not one of the accepted shapes, naming the entry that is wrong
 */
export async function readBoxesFile(path: string, options: BoxesFileOptions = {}): Promise<BoxesFile> {
  return parseBoxes(await readJsonFile(path, "boxes file", SHAPES), path, options);
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
  return parseMap(json, source, options);
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

/** Boxes by picture, checked as they are added. */
class BoxLists<K> {
  readonly #lists = new Map<K, ScoredBox[]>();
  readonly #faults = new Map<K, HRNetError>();
  readonly #source: string;
  readonly #defer: boolean;
  count = 0;

  constructor(source: string, { faultyBoxes = "refuse" }: BoxesFileOptions) {
    this.#source = source;
    this.#defer = faultyBoxes === "defer";
  }

  /** Mentions a picture, which may stay without boxes. */
  mention(key: K): void {
    if (!this.#lists.has(key)) this.#lists.set(key, []);
  }

  has(key: K): boolean {
    return this.#lists.has(key);
  }

  add(key: K, box: unknown, score: number, where: string): void {
    this.mention(key);
    this.count++;
    const fault = boxFault(box);
    if (fault !== undefined) {
      const error = new HRNetError("invalid-data", `${this.#source}: ${where} ${fault}.`);
      if (!this.#defer) throw error;
      this.#faults.set(key, error);
      return;
    }
    const list = this.#lists.get(key)!;
    if (list.length >= MAX_BOXES_PER_IMAGE) {
      throw new HRNetError(
        "limit-exceeded",
        `${this.#source}: the picture ${String(key)} has more than ${MAX_BOXES_PER_IMAGE} boxes. Drop those with low scores.`,
      );
    }
    list.push({ box: box as Box, score });
  }

  /** @throws HRNetError `invalid-data` for a picture with a faulty box */
  get(key: K): readonly ScoredBox[] | undefined {
    const fault = this.#faults.get(key);
    if (fault) throw fault;
    return this.#lists.get(key);
  }

  keys(): Iterable<K> {
    return this.#lists.keys();
  }
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
  const byId = new BoxLists<number>(source, options);
  const categories = new Set<number>();
  for (let index = 0; index < entries.length; index++) {
    const where = `detection ${index}`;
    const entry = requireEntry(entries[index], source, where);
    const imageId = requireId(entry["image_id"], source, where, "image_id");
    const category = requireId(entry["category_id"] ?? categoryId, source, where, "category_id");
    categories.add(category);
    if (category !== categoryId) continue;
    const fault = scoreFault(entry["score"]);
    if (fault !== undefined) fail(source, where, fault);
    const score = entry["score"] as number;
    if (score < minScore) continue;
    byId.add(imageId, entry["bbox"], score, `${where} (image ${imageId})`);
  }
  requireCategory(categories, categoryId, byId.count, source);
  return {
    format: "coco-detections",
    count: byId.count,
    forImageId: (imageId) => byId.get(imageId) ?? [],
    forFile: (path) => {
      const imageId = imageIdInName(path);
      return imageId === undefined ? undefined : byId.get(imageId);
    },
    imageIdOf: (path) => {
      const imageId = imageIdInName(path);
      return imageId !== undefined && byId.has(imageId) ? imageId : undefined;
    },
  };
}

/** The COCO image id that a file name such as `000000397133.jpg` or `COCO_val2014_000000397133.jpg` ends in. */
export function imageIdInName(path: string): number | undefined {
  const digits = /(\d{1,15})\.[^.]*$/.exec(basename(path))?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** Annotated boxes score 1. Crowds, and boxes without extent (COCO has a few), are left out as the original does. */
function parseAnnotations(
  images: readonly unknown[],
  annotations: readonly unknown[],
  source: string,
  options: BoxesFileOptions,
): BoxesFile {
  const { categoryId = PERSON_CATEGORY } = options;
  const byId = new BoxLists<number>(source, options);
  const idByName = new Map<string, number>();
  for (let index = 0; index < images.length; index++) {
    const where = `image ${index}`;
    const image = requireEntry(images[index], source, where);
    const id = requireId(image["id"], source, where, "id");
    const name = image["file_name"];
    if (typeof name !== "string") fail(source, where, "has no file_name; expected a text");
    idByName.set(name, id);
    byId.mention(id);
  }
  const categories = new Set<number>();
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
    byId.add(imageId, given, 1, where);
  }
  requireCategory(categories, categoryId, byId.count, source);
  const find = byName(idByName);
  return {
    format: "coco-annotations",
    count: byId.count,
    forImageId: (imageId) => byId.get(imageId) ?? [],
    forFile: (path) => {
      const id = find(path);
      return id === undefined ? undefined : byId.get(id);
    },
    imageIdOf: find,
  };
}

function parseMap(map: Entry, source: string, options: BoxesFileOptions): BoxesFile {
  const boxes = new BoxLists<string>(source, options);
  for (const [name, list] of Object.entries(map)) {
    if (!Array.isArray(list)) fail(source, `"${name}"`, `holds no list of boxes. ${SHAPES}`);
    boxes.mention(name);
    for (const [index, box] of list.entries()) boxes.add(name, box, 1, `box ${index} of "${name}"`);
  }
  const names = [...boxes.keys()];
  const find = byName(new Map(names.map((name) => [name, name])));
  return {
    format: "map",
    count: boxes.count,
    forImageId: (imageId) => {
      const name = names.find((candidate) => imageIdInName(candidate) === imageId);
      return (name !== undefined && boxes.get(name)) || [];
    },
    forFile: (path) => {
      const name = find(path);
      return name === undefined ? undefined : boxes.get(name);
    },
    imageIdOf: () => undefined,
  };
}

/** Looks a path up by its whole text, then by its last part; names that share a last part are found only as a whole. */
function byName<T>(named: ReadonlyMap<string, T>): (path: string) => T | undefined {
  const last = new Map<string, T | undefined>();
  for (const [name, value] of named) last.set(basename(name), last.has(basename(name)) ? undefined : value);
  return (path) => named.get(path) ?? last.get(basename(path));
}
