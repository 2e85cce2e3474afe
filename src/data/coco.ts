// Reads keypoint annotations in COCO's format: COCO itself, CrowdPose, PoseTrack18, LSP, AP-10K, one's own.

import { readJsonFile } from "../files/json-file.ts";
import { parseSkeleton } from "../skeleton/parse-skeleton.ts";
import type { Skeleton } from "../skeleton/skeleton.ts";
import { COCO_17 } from "../skeleton/skeletons.ts";
import { type CocoImage, parseCocoImages, parseCrowd } from "./coco-images.ts";
import { FieldReader, type JsonObject } from "./field-reader.ts";

/** One annotated object with keypoints. */
export interface CocoKeypointAnnotation {
  readonly id: number;
  readonly imageId: number;
  readonly categoryId: number;
  /** `[x, y, width, height]` in image pixels, as annotated. */
  readonly box: readonly [number, number, number, number];
  /** Square pixels; see {@link AREA_PER_BOX} where the file has none. */
  readonly area: number;
  /** K×3, `[x, y, v]`: v is 0 not labelled, 1 labelled but hidden, 2 visible. */
  readonly keypoints: readonly number[];
  /** `num_keypoints`; counted where the file has none. */
  readonly keypointCount: number;
  /** A region of many objects (`iscrowd`). */
  readonly crowd: boolean;
}

/** A split's keypoint annotations, checked. */
export interface CocoKeypointDataset {
  /** The annotation file. */
  readonly source: string;
  readonly skeleton: Skeleton;
  /** Ids of the categories that have keypoints, ascending. */
  readonly categoryIds: readonly number[];
  /** By id, in the file's order. */
  readonly images: ReadonlyMap<number, CocoImage>;
  /** In the file's order. */
  readonly annotations: readonly CocoKeypointAnnotation[];
}

/**
 * Area of an object as a part of its box where the annotation has none. CrowdPose's evaluation, whose files carry no
 * areas, takes `0.53 · width · height` (`crowdposetools/cocoeval.py`).
 */
export const AREA_PER_BOX = 0.53;

/**
 * Reads an annotation file with keypoints.
 * @throws HRNetError `file-not-found`, `read-failed`, `limit-exceeded` (above 500 MB), `invalid-data` naming the entry and
 * the field, `invalid-config` when the categories have no one set of keypoints
 */
export async function readCocoKeypoints(path: string): Promise<CocoKeypointDataset> {
  return parseCocoKeypoints(await readJsonFile(path, "annotation file"), path);
}

/**
 * The keypoint annotations in parsed JSON; see {@link readCocoKeypoints}. Annotations of categories without keypoints are
 * left out.
 * @param source what to call it in errors
 */
export function parseCocoKeypoints(json: unknown, source: string): CocoKeypointDataset {
  const fields = new FieldReader(source);
  const root = fields.object(json, "the file");
  const imageEntries = fields.array(root["images"], '"images"');
  const annotationEntries = fields.array(root["annotations"], '"annotations"');
  const images = parseCocoImages(imageEntries, fields);
  const { skeleton, categoryIds } = parseCategories(root, annotationEntries, fields);
  const wanted = new Set(categoryIds);
  const K = skeleton.keypoints.length;

  const ids = new Set<number>();
  const annotations: CocoKeypointAnnotation[] = [];
  for (let index = 0; index < annotationEntries.length; index++) {
    const entry = fields.object(annotationEntries[index], `annotation ${index}`);
    const id = fields.integer(entry, "id", `annotation ${index}`);
    const where = `the annotation with id ${id}`;
    if (ids.has(id)) fields.fail(where, "is there twice; ids must be unique");
    ids.add(id);
    const categoryId = fields.integer(entry, "category_id", where);
    if (!wanted.has(categoryId)) continue;
    const imageId = fields.integer(entry, "image_id", where);
    if (!images.has(imageId)) fields.fail(where, `has the image_id ${imageId}, which "images" does not list`);
    const box = fields.box(entry, "bbox", where);
    const keypoints = fields.numbers(entry, "keypoints", where, 3 * K);
    annotations.push({
      id,
      imageId,
      categoryId,
      box,
      area: entry["area"] == null ? AREA_PER_BOX * (box[2] * box[3]) : fields.number(entry, "area", where),
      keypoints,
      keypointCount:
        entry["num_keypoints"] == null
          ? countLabelled(keypoints)
          : fields.integer(entry, "num_keypoints", where),
      crowd: parseCrowd(entry["iscrowd"], fields, where),
    });
  }
  return { source, skeleton, categoryIds, images, annotations };
}

function parseCategories(
  root: JsonObject,
  annotations: readonly unknown[],
  fields: FieldReader,
): { skeleton: Skeleton; categoryIds: number[] } {
  const categories = fields
    .array(root["categories"], '"categories"')
    .map((category, index) => fields.object(category, `category ${index}`));
  const withKeypoints = categories.filter((category) => Array.isArray(category["keypoints"]));
  if (withKeypoints.length > 0) {
    // COCO's "skeleton" may be absent; parseSkeleton tells categories by it.
    const complete = withKeypoints.map((category) => ({ skeleton: [], ...category }));
    return { skeleton: parseSkeleton({ categories: complete }), categoryIds: idsOf(withKeypoints, fields) };
  }
  const persons = categories.filter((category) => category["name"] === "person");
  const first = annotations[0] as { keypoints?: unknown } | undefined;
  const coco = Array.isArray(first?.keypoints) && first.keypoints.length === 3 * COCO_17.keypoints.length;
  if (persons.length === 0 || !coco) {
    fields.fail(
      '"categories"',
      'name no "keypoints", so these are no keypoint annotations. COCO has them in person_keypoints_<split>.json, ' +
        "not in instances_<split>.json",
    );
  }
  return { skeleton: COCO_17, categoryIds: idsOf(persons, fields) };
}

function idsOf(categories: readonly JsonObject[], fields: FieldReader): number[] {
  return categories
    .map((category, index) => fields.integer(category, "id", `category ${index}`))
    .sort((a, b) => a - b);
}

function countLabelled(keypoints: readonly number[]): number {
  let count = 0;
  for (let i = 2; i < keypoints.length; i += 3) if (keypoints[i]! > 0) count++;
  return count;
}
