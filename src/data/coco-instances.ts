// Reads annotations of objects in COCO's format: boxes, and masks as polygons or run lengths.

import { readJsonFile } from "../files/json-file.ts";
import { decompressCounts } from "../masks/compressed-counts.ts";
import { polygonMask } from "../masks/polygons.ts";
import { type RunLengthMask, runLengthMask, uniteMasks } from "../masks/run-length.ts";
import { type CocoImage, parseCocoImages, parseCrowd } from "./coco-images.ts";
import { FieldReader } from "./field-reader.ts";

/** A kind of object. */
export interface CocoCategory {
  readonly id: number;
  readonly name: string;
}

/** The outline of an object: polygons (x and y of each vertex in turn, in pixels), of which it is all, or a mask. */
export type InstanceOutline =
  | { readonly polygons: readonly (readonly number[])[] }
  | { readonly mask: RunLengthMask };

/** One annotated object. */
export interface CocoInstance {
  readonly id: number;
  readonly imageId: number;
  readonly categoryId: number;
  /** `[x, y, width, height]` in image pixels, as annotated. */
  readonly box: readonly [number, number, number, number];
  /** Square pixels; the box's where the file has none. */
  readonly area: number;
  /** A region of many objects (`iscrowd`). */
  readonly crowd: boolean;
  /** `undefined` for objects with a box alone. */
  readonly outline: InstanceOutline | undefined;
}

/** A split's objects, checked. */
export interface CocoInstanceDataset {
  /** The annotation file. */
  readonly source: string;
  /** By ascending id. */
  readonly categories: readonly CocoCategory[];
  /** By id, in the file's order. */
  readonly images: ReadonlyMap<number, CocoImage>;
  /** In the file's order. */
  readonly instances: readonly CocoInstance[];
}

/** A triangle's coordinates. */
const FEWEST_COORDINATES = 6;

/**
 * Reads an annotation file of objects.
 * @throws HRNetError `file-not-found`, `read-failed`, `limit-exceeded` (above 500 MB), `invalid-data` naming the entry and the field
 */
export async function readCocoInstances(path: string): Promise<CocoInstanceDataset> {
  return parseCocoInstances(await readJsonFile(path, "annotation file"), path);
}

/**
 * The objects in parsed JSON; see {@link readCocoInstances}.
 * @param source what to call it in errors
 */
export function parseCocoInstances(json: unknown, source: string): CocoInstanceDataset {
  const fields = new FieldReader(source);
  const root = fields.object(json, "the file");
  const images = parseCocoImages(fields.array(root["images"], '"images"'), fields);
  const categories = parseCategories(fields.array(root["categories"], '"categories"'), fields);
  const known = new Set(categories.map(({ id }) => id));
  const ids = new Set<number>();
  const instances = fields.array(root["annotations"], '"annotations"').map((value, index): CocoInstance => {
    const entry = fields.object(value, `annotation ${index}`);
    const id = fields.integer(entry, "id", `annotation ${index}`);
    const where = `the annotation with id ${id}`;
    if (ids.has(id)) fields.fail(where, "is there twice; ids must be unique");
    ids.add(id);
    const categoryId = fields.integer(entry, "category_id", where);
    if (!known.has(categoryId))
      fields.fail(where, `has the category_id ${categoryId}, which "categories" does not list`);
    const imageId = fields.integer(entry, "image_id", where);
    const image = images.get(imageId);
    if (!image) return fields.fail(where, `has the image_id ${imageId}, which "images" does not list`);
    const box = fields.box(entry, "bbox", where);
    return {
      id,
      imageId,
      categoryId,
      box,
      area: entry["area"] == null ? box[2] * box[3] : fields.number(entry, "area", where),
      crowd: parseCrowd(entry["iscrowd"], fields, where),
      outline: parseOutline(entry["segmentation"], image, fields, where),
    };
  });
  return { source, categories, images, instances };
}

function parseCategories(entries: readonly unknown[], fields: FieldReader): CocoCategory[] {
  const categories = entries.map((value, index): CocoCategory => {
    const entry = fields.object(value, `category ${index}`);
    const where = `category ${index}`;
    return { id: fields.integer(entry, "id", where), name: fields.text(entry, "name", where) };
  });
  categories.sort((a, b) => a.id - b.id);
  categories.forEach(({ id }, index) => {
    if (index > 0 && categories[index - 1]!.id === id)
      fields.fail(`the category with id ${id}`, "is there twice; ids must be unique");
  });
  return categories;
}

/** Polygons, compressed or plain run lengths; `undefined` for nothing and for an empty list. */
function parseOutline(
  value: unknown,
  { width, height }: CocoImage,
  fields: FieldReader,
  where: string,
): InstanceOutline | undefined {
  if (value == null || (Array.isArray(value) && value.length === 0)) return undefined;
  if (Array.isArray(value)) {
    const polygons = value.map((_, part) => {
      const polygon = fields.numbers({ segmentation: value[part] }, "segmentation", where);
      if (polygon.length < FEWEST_COORDINATES || polygon.length % 2 === 1)
        fields.fail(
          where,
          `has a polygon of ${polygon.length} numbers; expected x and y of at least three vertices`,
        );
      return polygon;
    });
    return { polygons };
  }
  const entry = fields.object(value, `the segmentation of ${where.replace(/^the /, "")}`);
  const [rows, columns] = fields.numbers(entry, "size", where, 2) as [number, number];
  if (rows !== height || columns !== width)
    fields.fail(where, `has a mask of ${columns} × ${rows} in a picture of ${width} × ${height}`);
  const { counts } = entry;
  const what = `${fields.source}: ${where}`;
  const runs =
    typeof counts === "string" ? decompressCounts(counts, what) : fields.numbers(entry, "counts", where);
  return { mask: runLengthMask(columns, rows, runs, what) };
}

/** The pixels of an outline in its picture. */
export function outlineMask(
  outline: InstanceOutline,
  { width, height }: Pick<CocoImage, "width" | "height">,
): RunLengthMask {
  return "mask" in outline
    ? outline.mask
    : uniteMasks(outline.polygons.map((polygon) => polygonMask(polygon, width, height)));
}
