// Opens an annotation file of any supported format for the doctor: finds out what it is, then reads it.

import { stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { HRNetError } from "../errors.ts";
import { readJsonFile } from "../files/json-file.ts";
import { isObject, type Json } from "./fields.ts";
import { readLenientCoco } from "./read-coco.ts";
import { readLenientMpii } from "./read-mpii.ts";
import { readLenientVoc } from "./read-voc.ts";
import type { DoctorDataset } from "./types.ts";

/** A format: how to tell it, how to read it. The first that fits is taken. */
interface FormatReader {
  readonly fits: (json: unknown) => boolean;
  readonly read: (json: unknown, source: string) => DoctorDataset;
}

const READERS: readonly FormatReader[] = [
  { fits: isMpii, read: readLenientMpii },
  { fits: isCocoKeypoints, read: (json, source) => readLenientCoco(json, source) },
  { fits: isCocoInstances, read: (json, source) => readLenientCoco(json, source, "instances") },
];

/** Files that are no data set of keypoints or objects but are often given as one; the first that fits is named. */
const OTHER_KINDS: readonly { readonly fits: (json: unknown) => boolean; readonly text: string }[] = [
  {
    fits: (json) => listHas(json, "score") && listHas(json, "keypoints"),
    text: "a keypoint results file (predictions), not annotations. Give the annotation file it was made for.",
  },
  {
    fits: (json) => listHas(json, "score") && listHas(json, "bbox"),
    text: "a detections file (boxes of a detector), not annotations. It belongs to `hrnet eval --detections`.",
  },
  {
    fits: (json) => annotationsHave(json, "caption"),
    text: "COCO's captions. Keypoints are in person_keypoints_<split>.json.",
  },
  {
    fits: (json) => annotationsHave(json, "segments_info"),
    text: "COCO's panoptic segmentation. Keypoints are in person_keypoints_<split>.json.",
  },
  {
    fits: (json) =>
      isObject(json) && Array.isArray(json["images"]) && listOf(json, "annotations").length === 0,
    text: "a list of pictures without annotations (as COCO's image_info of the test sets).",
  },
];

/**
 * Reads a file, or a folder of Pascal VOC's XML files, without refusing anything in it: what is wrong becomes `faults`; a file that is no such data set
 * comes back with the format `other` and a `problem`.
 * @throws HRNetError `file-not-found`, `read-failed`, `limit-exceeded` (above 500 MB)
 */
export async function readForDoctor(path: string): Promise<DoctorDataset> {
  try {
    if ((await stat(path).catch(() => undefined))?.isDirectory()) return await readLenientVoc(path);
    return interpretForDoctor(await readJsonFile(path, "annotation file"), path);
  } catch (error) {
    if (error instanceof HRNetError && error.code === "invalid-data") return unusable(path, error.message);
    throw error;
  }
}

/** As {@link readForDoctor}, of JSON that is there already. */
export function interpretForDoctor(json: unknown, source: string): DoctorDataset {
  const reader = READERS.find(({ fits }) => fits(json));
  if (reader) return reader.read(json, source);
  const kind = OTHER_KINDS.find(({ fits }) => fits(json))?.text;
  const keypointsFile = basename(source).replace(
    /^(instances|captions|panoptic|image_info)_/,
    "person_keypoints_",
  );
  const hint = keypointsFile === basename(source) ? "" : ` Look for ${join("annotations", keypointsFile)}.`;
  return unusable(
    source,
    kind === undefined
      ? 'The JSON is in no format known here. Expected COCO ({ "images", "annotations", "categories" }) or ' +
          'MPII ([{ "image", "center", "scale", "joints", "joints_vis" }, …]).'
      : `The file is ${kind}${hint}`,
  );
}

function unusable(source: string, problem: string): DoctorDataset {
  return {
    source,
    format: "other",
    problem,
    images: [],
    annotations: [],
    categories: [],
    skeleton: undefined,
    faults: [],
    imageById: new Map(),
  };
}

function isMpii(json: unknown): boolean {
  return (
    Array.isArray(json) && json.some((e) => isObject(e) && "image" in e && ("center" in e || "joints" in e))
  );
}

function isCocoKeypoints(json: unknown): boolean {
  if (!isObject(json)) return false;
  const declared = listOf(json, "categories").some((category) => Array.isArray(category["keypoints"]));
  return declared || annotationsHave(json, "keypoints");
}

function isCocoInstances(json: unknown): boolean {
  if (annotationsHave(json, "segments_info") || annotationsHave(json, "caption")) return false;
  return annotationsHave(json, "bbox") || annotationsHave(json, "segmentation");
}

function listOf(json: Json, key: string): Json[] {
  const value = json[key];
  return Array.isArray(value) ? value.filter(isObject) : [];
}

function annotationsHave(json: unknown, key: string): boolean {
  return isObject(json) && listOf(json, "annotations").some((entry) => key in entry);
}

function listHas(json: unknown, key: string): boolean {
  return Array.isArray(json) && json.some((entry) => isObject(entry) && key in entry);
}
