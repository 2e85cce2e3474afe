// Checks of what only MPII's files have: centre, scale, joints_vis, pixels counted from 1.

import { imageOf, keypointExtent, list, personHit, short, sizeOf, trainable } from "../describe.ts";
import type { Check } from "../types.ts";

const MPII = ["mpii"] as const;

export const MPII_CHECKS: readonly Check[] = [
  {
    id: "mpii-scale",
    severity: "error",
    unit: "annotations",
    formats: MPII,
    title: "the scale is missing, 0 or less",
    why: "The crop's side is 200 · 1.25 · scale pixels: there is none.",
    fix: "Write the person's height in pixels divided by 200.",
    *find({ dataset }) {
      for (const annotation of dataset.annotations) {
        const scale = annotation.mpii?.scale;
        if (scale === undefined || scale <= 0)
          yield personHit(annotation, dataset, `scale ${scale ?? "missing"}`);
      }
    },
  },
  {
    id: "mpii-scale-extent",
    severity: "warning",
    unit: "annotations",
    formats: MPII,
    title: "the scale does not fit the joints",
    why: "The scale is the height in units of 200 pixels. As a height in pixels, or as a box's, crops show a corner or a whole street.",
    fix: "Divide the height in pixels by 200.",
    *find({ dataset }) {
      for (const annotation of trainable(dataset)) {
        const scale = annotation.mpii?.scale;
        if (scale === undefined || scale <= 0 || annotation.labelled < 8) continue;
        const [left, top, right, bottom] = keypointExtent(annotation.keypoints!);
        const extent = Math.max(right - left, bottom - top);
        const ratio = extent / (200 * scale);
        if (ratio >= 0.2 && ratio <= 2) continue;
        const text = `scale ${short(scale)} means ${short(200 * scale)} px, the joints span ${short(extent)} px`;
        yield personHit(annotation, dataset, text, Math.abs(Math.log(ratio || 1e-6)));
      }
    },
  },
  {
    id: "mpii-center",
    severity: "warning",
    unit: "annotations",
    formats: MPII,
    title: "the centre is missing or -1",
    why: "-1 means unknown: the crop is taken about the corner of the picture, unpadded, as the original code does.",
    fix: "Write the middle of the person, or drop the entry.",
    *find({ dataset }) {
      for (const annotation of dataset.annotations) {
        const center = annotation.mpii?.center;
        if (center === undefined || center[0] === -1)
          yield personHit(annotation, dataset, `center ${center ? list(center) : "missing"}`);
      }
    },
  },
  {
    id: "mpii-center-outside",
    severity: "warning",
    unit: "annotations",
    formats: MPII,
    title: "the centre lies outside the picture",
    why: "The crop is mostly margin.",
    fix: "Check that centre and picture belong together.",
    *find(examined) {
      for (const annotation of examined.dataset.annotations) {
        const center = annotation.mpii?.center;
        const size = sizeOf(imageOf(annotation, examined.dataset), examined);
        if (center === undefined || center[0] === -1 || size === undefined) continue;
        const [x, y] = center as [number, number];
        if (x >= 0 && y >= 0 && x <= size[0] + 1 && y <= size[1] + 1) continue;
        yield personHit(annotation, examined.dataset, `center ${list(center)}, picture ${size.join(" × ")}`);
      }
    },
  },
  {
    id: "mpii-visibility",
    severity: "warning",
    unit: "annotations",
    formats: MPII,
    title: "joints_vis is neither 0 nor 1",
    why: "Above 0 counts as labelled, the rest as not: -1 is read as not labelled.",
    fix: "Write 0 or 1.",
    *find({ dataset }) {
      for (const annotation of dataset.annotations) {
        const values = annotation.keypoints?.filter((v, i) => i % 3 === 2 && v !== 0 && v !== 1) ?? [];
        if (values.length > 0)
          yield personHit(annotation, dataset, `joints_vis ${[...new Set(values)].slice(0, 4).join(", ")}`);
      }
    },
  },
  {
    id: "mpii-from-zero",
    severity: "note",
    unit: "annotations",
    formats: MPII,
    title: "a labelled joint has a coordinate below 1, though MPII counts pixels from 1",
    why: "If the whole file counts from 0, everything is read one pixel too far left and up.",
    fix: "Add 1 to all joints and centres when writing this format. MPII itself has a few joints outside the picture.",
    *find({ dataset }) {
      for (const annotation of trainable(dataset)) {
        const [left, top] = keypointExtent(annotation.keypoints!);
        // Reading took 1 off: exactly 0 in the file is -1 here.
        if (Math.min(left, top) < 0 && Math.min(left, top) >= -1)
          yield personHit(annotation, dataset, `joint at ${short(Math.min(left, top) + 1)}`);
      }
    },
  },
  {
    id: "mpii-no-joints",
    severity: "note",
    unit: "annotations",
    formats: MPII,
    title: "no joints",
    why: "As in MPII's test set: good for prediction, not for training.",
    fix: "Take train.json or valid.json to train and evaluate.",
    *find({ dataset }) {
      for (const annotation of dataset.annotations) {
        if (annotation.keypoints === undefined) yield personHit(annotation, dataset, "no joints");
      }
    },
  },
];
