// The table of all checks, and running them.

import { BOX_CHECKS } from "./checks/boxes.ts";
import { KEYPOINT_CHECKS } from "./checks/keypoints.ts";
import { MPII_CHECKS } from "./checks/mpii.ts";
import { OBJECT_CHECKS } from "./checks/objects.ts";
import { PICTURE_CHECKS } from "./checks/pictures.ts";
import { SIDE_CHECKS } from "./checks/sides.ts";
import { SKELETON_CHECKS } from "./checks/skeleton.ts";
import { STRUCTURE_CHECKS } from "./checks/structure.ts";
import { runTable } from "./run-table.ts";
import type { Check, CheckUnit, DoctorDataset, DoctorFormat, Examined, Finding } from "./types.ts";

/** Every check, in the order of the report within a severity. */
export const CHECKS: readonly Check[] = [
  ...STRUCTURE_CHECKS,
  ...PICTURE_CHECKS,
  ...SKELETON_CHECKS,
  ...KEYPOINT_CHECKS,
  ...BOX_CHECKS,
  ...OBJECT_CHECKS,
  ...MPII_CHECKS,
  ...SIDE_CHECKS,
];

const DEFAULT_FORMATS: readonly DoctorFormat[] = ["coco", "mpii"];
/** A dataset-wide finding that explains findings on single entries, which are then left out. */
const EXPLAINS: Readonly<Record<string, readonly string[]>> = {
  "keypoints-length": ["no-persons"],
  "skeleton-unknown": ["no-persons", "persons-unlabelled"],
  "no-persons": ["persons-unlabelled"],
  "box-corners": ["box-beyond-picture", "box-too-large", "area-above-box"],
  "object-corners": ["object-beyond-picture", "object-area", "mask-box"],
  "object-fractions": ["object-area", "mask-box", "objects-tiny"],
  "box-fractions": ["area-above-box", "box-of-another", "keypoint-outside-box"],
  "keypoint-fractions": [
    "box-too-large",
    "keypoints-collapsed",
    "box-of-another",
    "keypoint-outside-box",
    "mpii-scale-extent",
    "mpii-from-zero",
  ],
  "sides-all-exchanged": ["sides-face", "sides-mostly-behind"],
};

/** What all checks find, errors first. @param examples kept of each finding */
export function runChecks(examined: Examined, examples: number): Finding[] {
  const { dataset } = examined;
  const checks = CHECKS.filter(({ formats = DEFAULT_FORMATS }) => formats.includes(dataset.format));
  return runTable(checks, examined, {
    total: (unit) => totalOf(dataset, unit),
    explains: EXPLAINS,
    examples,
  });
}

function totalOf({ annotations, images, categories }: DoctorDataset, unit: CheckUnit): number {
  const totals = {
    annotations: annotations.length,
    images: images.length,
    categories: categories.length,
    dataset: 1,
  };
  return totals[unit];
}
