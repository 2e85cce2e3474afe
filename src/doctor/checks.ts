// The table of all checks, and running them.

import { BOX_CHECKS } from "./checks/boxes.ts";
import { KEYPOINT_CHECKS } from "./checks/keypoints.ts";
import { MPII_CHECKS } from "./checks/mpii.ts";
import { PICTURE_CHECKS } from "./checks/pictures.ts";
import { SIDE_CHECKS } from "./checks/sides.ts";
import { SKELETON_CHECKS } from "./checks/skeleton.ts";
import { STRUCTURE_CHECKS } from "./checks/structure.ts";
import type { Check, CheckUnit, DoctorDataset, DoctorFormat, Examined, Finding, Severity } from "./types.ts";

/** Every check, in the order of the report within a severity. */
export const CHECKS: readonly Check[] = [
  ...STRUCTURE_CHECKS,
  ...PICTURE_CHECKS,
  ...SKELETON_CHECKS,
  ...KEYPOINT_CHECKS,
  ...BOX_CHECKS,
  ...MPII_CHECKS,
  ...SIDE_CHECKS,
];

const DEFAULT_FORMATS: readonly DoctorFormat[] = ["coco", "mpii"];
const ORDER: readonly Severity[] = ["error", "warning", "note"];

/** A dataset-wide finding that explains findings on single entries, which are then left out. */
const EXPLAINS: Readonly<Record<string, readonly string[]>> = {
  "keypoints-length": ["no-persons"],
  "skeleton-unknown": ["no-persons", "persons-unlabelled"],
  "no-persons": ["persons-unlabelled"],
  "box-corners": ["box-beyond-picture", "box-too-large", "area-above-box"],
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
  const findings = CHECKS.flatMap((check): Finding[] => {
    const { find, formats = DEFAULT_FORMATS, ...rest } = check;
    if (!formats.includes(examined.dataset.format)) return [];
    const hits = [...find(examined)];
    if (hits.length === 0) return [];
    hits.sort((a, b) => (b.strength ?? 0) - (a.strength ?? 0)); // stable: in the file's order where equal
    const total = totalOf(examined.dataset, check.unit);
    return [{ ...rest, count: hits.length, total, examples: hits.slice(0, examples) }];
  });
  const explained = new Set(findings.flatMap(({ id }) => EXPLAINS[id] ?? []));
  return ORDER.flatMap((severity) =>
    findings.filter((finding) => finding.severity === severity && !explained.has(finding.id)),
  );
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
