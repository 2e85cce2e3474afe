// COCO keypoint annotations (also CrowdPose, PoseTrack18, conversions) for the doctor: everything read, nothing refused.

import { defineSkeleton, type Skeleton } from "../skeleton/skeleton.ts";
import { COCO_17, SKELETONS } from "../skeleton/skeletons.ts";
import { countLabelled, isNumbers, isObject, type Json, LenientFields, shown } from "./fields.ts";
import { readOutline } from "./read-outline.ts";
import type { DoctorAnnotation, DoctorCategory, DoctorDataset, DoctorImage } from "./types.ts";

/** Names under which tools write mirror partners into a category. */
const FLIP_FIELDS = ["flip_pairs", "flipPairs", "keypoint_flip_map"] as const;

/** The data set in parsed JSON. @param format `instances`: without keypoints, and masks are read */
export function readLenientCoco(
  json: unknown,
  source: string,
  format: "coco" | "instances" = "coco",
): DoctorDataset {
  const fields = new LenientFields();
  const root = isObject(json) ? json : {};
  for (const key of ["images", "annotations", "categories"]) {
    if (root[key] === undefined) fields.fault("the file", `"${key}" is missing`);
  }
  const images = fields
    .objects(root["images"], "images")
    .map(({ entry, index }) => readImage(fields, entry, index));
  const imageById = firstById(images);
  const annotations = fields.objects(root["annotations"], "annotations").map(({ entry, index }) => {
    const annotation = readAnnotation(fields, entry, index);
    return format === "instances" ? withMask(annotation, entry["segmentation"], imageById) : annotation;
  });
  const categories = fields
    .objects(root["categories"], "categories")
    .map(({ entry, index }) => readCategory(fields, entry, index));
  const skeleton = skeletonOf(categories, annotations);
  return {
    source,
    format,
    images,
    annotations: annotations.map((annotation) => withoutMisfits(annotation, skeleton)),
    categories,
    skeleton,
    faults: fields.faults,
    imageById,
  };
}

function withMask(
  annotation: DoctorAnnotation,
  segmentation: unknown,
  imageById: ReadonlyMap<number, DoctorImage>,
): DoctorAnnotation {
  const { width, height } = imageById.get(annotation.imageId ?? Number.NaN) ?? {};
  const mask = readOutline(
    segmentation,
    width === undefined || height === undefined ? undefined : [width, height],
  );
  return mask ? { ...annotation, mask } : annotation;
}

/** Keypoints of another number than the skeleton's mean nothing to the checks of single keypoints. */
function withoutMisfits(annotation: DoctorAnnotation, skeleton: Skeleton | undefined): DoctorAnnotation {
  const { keypointNumbers } = annotation;
  if (keypointNumbers === undefined || keypointNumbers === 3 * (skeleton?.keypoints.length ?? -1))
    return annotation;
  return { ...annotation, keypoints: undefined, labelled: 0 };
}

/** The first picture of each id. */
export function firstById(images: readonly DoctorImage[]): Map<number, DoctorImage> {
  const byId = new Map<number, DoctorImage>();
  for (const image of images) if (image.id !== undefined && !byId.has(image.id)) byId.set(image.id, image);
  return byId;
}

function readImage(fields: LenientFields, entry: Json, index: number): DoctorImage {
  const id = fields.integer(entry, "id", `image ${index}`, true);
  const where = id === undefined ? `image ${index}` : `image with id ${id}`;
  return {
    index,
    id,
    fileName: fields.text(entry, "file_name", where),
    width: fields.number(entry, "width", where),
    height: fields.number(entry, "height", where),
  };
}

function readAnnotation(fields: LenientFields, entry: Json, index: number): DoctorAnnotation {
  const id = fields.integer(entry, "id", `annotation ${index}`, true);
  const where = id === undefined ? `annotation ${index}` : `annotation with id ${id}`;
  const crowd = entry["iscrowd"];
  if (crowd != null && crowd !== 0 && crowd !== 1 && typeof crowd !== "boolean") {
    fields.fault(where, `iscrowd is ${shown(crowd)}, expected 0 or 1`);
  }
  const keypoints = fields.numbers(entry, "keypoints", where);
  return {
    index,
    id,
    imageId: fields.integer(entry, "image_id", where, true),
    categoryId: fields.integer(entry, "category_id", where, true),
    box: fields.numbers(entry, "bbox", where, 4),
    area: fields.number(entry, "area", where),
    keypoints,
    keypointNumbers: keypoints?.length,
    labelled: countLabelled(keypoints),
    keypointCount: fields.integer(entry, "num_keypoints", where, false),
    crowd: crowd === 1 || crowd === true,
  };
}

function readCategory(fields: LenientFields, entry: Json, index: number): DoctorCategory {
  const id = fields.integer(entry, "id", `category ${index}`, true);
  const where = `category ${id ?? index}`;
  const names = entry["keypoints"];
  const texts = Array.isArray(names) && names.every((name) => typeof name === "string");
  if (names !== undefined && !texts)
    fields.fault(where, `keypoints is ${shown(names)}, expected a list of names`);
  const edges = entry["skeleton"];
  const pairs = Array.isArray(edges) ? edges.filter((edge) => isNumbers(edge) && edge.length === 2) : [];
  if (edges != null && (!Array.isArray(edges) || pairs.length < edges.length)) {
    fields.fault(where, `skeleton is ${shown(edges)}, expected pairs of numbers`);
  }
  const flip = FLIP_FIELDS.map((key) => entry[key]).find(Array.isArray) ?? [];
  return {
    index,
    id,
    name: fields.text(entry, "name", where),
    keypoints: texts && names.length > 0 ? (names as string[]) : undefined,
    edges: pairs as number[][],
    flipPairs: (flip as unknown[]).filter(Array.isArray) as (number | string)[][],
  };
}

/** A published skeleton if the names are its own, else one made of the names with what edges are in range. */
function skeletonOf(
  categories: readonly DoctorCategory[],
  annotations: readonly DoctorAnnotation[],
): Skeleton | undefined {
  const category = categories.find(({ keypoints }) => keypoints !== undefined);
  if (category?.keypoints === undefined) {
    const coco = annotations.some(({ keypoints }) => keypoints?.length === 3 * COCO_17.keypoints.length);
    return coco ? COCO_17 : undefined;
  }
  const names = category.keypoints;
  const published = [...SKELETONS.values()].find(
    ({ keypoints }) => keypoints.length === names.length && keypoints.every((name, k) => name === names[k]),
  );
  if (published) return published;
  const base = edgeBase(category);
  const K = names.length;
  const edges = category.edges
    .map(([a, b]) => [a! - base, b! - base] as const)
    .filter(([a, b]) => a !== b && [a, b].every((k) => Number.isInteger(k) && k >= 0 && k < K));
  const name = category.name ?? "keypoints";
  try {
    return defineSkeleton({ name, keypoints: names, edges });
  } catch {
    // Names that are there twice or empty: numbers stand for them.
    return K <= 2048
      ? defineSkeleton({ name, keypoints: names.map((_, k) => `keypoint ${k}`), edges })
      : undefined;
  }
}

/** What the edges of a category count from: COCO from 1; a 0 can only mean from 0. */
export function edgeBase(category: DoctorCategory): 0 | 1 {
  return category.edges.some((edge) => edge.includes(0)) ? 0 : 1;
}
