// Checks of boxes and areas: what crops are cut by and what OKS divides by.

import { AREA_PER_BOX } from "../../data/coco.ts";
import { keypointExtent, list, median, percent, personHit, short, trainable } from "../describe.ts";
import type { Check } from "../types.ts";
import {
  type Boxed,
  boxed,
  boxesAsCorners,
  boxesAsFractions,
  boxesBeyond,
  boxesEmpty,
  boxesMissing,
  boxesOutside,
  ENOUGH,
  MOST,
} from "./box-finders.ts";
import { COCO } from "./formats.ts";

export const BOX_CHECKS: readonly Check[] = [
  {
    id: "box-missing",
    severity: "error",
    unit: "annotations",
    formats: COCO,
    title: "a person has no bbox",
    why: "A top-down network crops by the box; our reader stops.",
    fix: "Write bbox [x, y, width, height]; where there is none, the extent of the keypoints, enlarged by a quarter.",
    find: boxesMissing,
  },
  {
    id: "box-empty",
    severity: "error",
    unit: "annotations",
    formats: COCO,
    title: "the box has no extent, or a negative one",
    why: "No crop can be made of it. Negative sides mean corners in the wrong order.",
    fix: "Write [x, y, width, height] with x, y the top left corner.",
    find: boxesEmpty,
  },
  {
    id: "box-corners",
    severity: "error",
    unit: "dataset",
    formats: COCO,
    title: "boxes look like corners [x1, y1, x2, y2]",
    why: "COCO's boxes are [x, y, width, height]: read so, crops reach far beyond the person and the network sees it small.",
    fix: "Write x2 − x1 and y2 − y1 as the third and fourth number.",
    find: boxesAsCorners,
  },
  {
    id: "box-fractions",
    severity: "error",
    unit: "dataset",
    formats: COCO,
    title: "boxes look like fractions of the picture",
    why: "COCO counts pixels. As pixels, all persons are specks in the top left corner.",
    fix: "Multiply x and width by the picture's width, y and height by its height.",
    find: boxesAsFractions,
  },
  {
    id: "box-outside",
    severity: "error",
    unit: "annotations",
    formats: COCO,
    title: "the box lies wholly outside the picture",
    why: "The crop is empty; the person is left out.",
    fix: "Check the picture's size and the scale the boxes were written in.",
    find: boxesOutside,
  },
  {
    id: "box-beyond-picture",
    severity: "warning",
    unit: "annotations",
    formats: COCO,
    title: "the box reaches beyond the picture by more than 2 pixels and 2 % of its side",
    why: "It is cut at the picture, a negative corner is moved inside: the crop is not where the box says.",
    fix: "Cut boxes at the picture when they are written.",
    find: boxesBeyond,
  },
  {
    id: "box-of-another",
    severity: "warning",
    unit: "annotations",
    formats: COCO,
    title: "the box holds less than half of the person's keypoints",
    why: "The crop shows something else than the keypoints are of: the network learns noise, and evaluation cannot be won.",
    fix: "Look at them: mostly box and keypoints are of different persons, or are in different scales.",
    *find(examined) {
      for (const annotation of boxed(examined)) {
        const { inside, labelled, worst } = keypointsInBox(annotation);
        if (inside >= labelled / 2) continue;
        const text = `${inside} of ${labelled} keypoints in bbox ${list(annotation.box)}`;
        yield personHit(annotation, examined.dataset, text, worst);
      }
    },
  },
  {
    id: "keypoint-outside-box",
    severity: "warning",
    unit: "annotations",
    formats: COCO,
    title: "keypoints lie outside the person's box by more than a tenth of its side",
    why: "The crop is a quarter larger than the box; what lies farther out is cut off and cannot be learned or found.",
    fix: "Enlarge the box to hold the keypoints, or correct the keypoint that jumped.",
    *find(examined) {
      for (const annotation of boxed(examined)) {
        const { inside, labelled, worst } = keypointsInBox(annotation);
        if (inside < labelled / 2 || worst <= 0.1) continue; // the former is `box-of-another`
        const text = `${labelled - inside} of ${labelled} keypoints outside, the farthest by ${percent(worst, 1)} of the side`;
        yield personHit(annotation, examined.dataset, text, worst);
      }
    },
  },
  {
    id: "box-too-large",
    severity: "note",
    unit: "annotations",
    formats: COCO,
    title: "the box is far larger than the person's keypoints (8 or more, in less than a tenth of it)",
    why: "The person is small in the crop and keypoints lie few heatmap cells apart.",
    fix: "Look at them: the box may be of a group, or the keypoints in another scale.",
    *find(examined) {
      for (const annotation of boxed(examined)) {
        if (annotation.labelled < 8) continue;
        const [left, top, right, bottom] = keypointExtent(annotation.keypoints!);
        const [, , w, h] = annotation.box as [number, number, number, number];
        const share = ((right - left) * (bottom - top)) / (w * h);
        // Somebody lying or standing straight has a thin extent: both sides must be small.
        if (share >= 0.1 || (right - left) / w > 0.5 || (bottom - top) / h > 0.5) continue;
        const text = `box ${short(w)} × ${short(h)}, keypoints ${short(right - left)} × ${short(bottom - top)}`;
        yield personHit(annotation, examined.dataset, text, -share);
      }
    },
  },
  {
    id: "area-tiny",
    severity: "error",
    unit: "annotations",
    formats: COCO,
    title: "the area is 1 or less",
    why: "OKS divides distances by the area: with 1 only an exact hit counts and AP is 0. Persons with 0 are left out of training.",
    fix: `Write the mask's area, or ${AREA_PER_BOX} · width · height as CrowdPose does; or leave area out, then that is taken.`,
    *find({ dataset }) {
      for (const annotation of trainable(dataset)) {
        const { area, box } = annotation;
        if (area === undefined || area > 1) continue;
        yield personHit(annotation, dataset, `area ${area}${box ? `, bbox ${list(box)}` : ""}`);
      }
    },
  },
  {
    id: "area-above-box",
    severity: "warning",
    unit: "annotations",
    formats: COCO,
    title: "the area is larger than the box",
    why: "OKS forgives too much: AP comes out too high.",
    fix: "Area and box are in different scales, or the area is the picture's. Compute it anew.",
    *find(examined) {
      for (const annotation of boxed(examined)) {
        const { area, box } = annotation;
        if (area === undefined || area <= 1.02 * (box[2]! * box[3]!) + 1) continue;
        const text = `area ${short(area)}, box ${short(box[2]!)} × ${short(box[3]!)} = ${short(box[2]! * box[3]!)}`;
        yield personHit(annotation, examined.dataset, text, area / (box[2]! * box[3]!));
      }
    },
  },
  {
    id: "area-is-box",
    severity: "note",
    unit: "dataset",
    formats: COCO,
    title: "the area is that of the box, everywhere",
    why: `A person's mask fills about ${AREA_PER_BOX} of the box: OKS is more lenient than COCO's and AP a few points higher.`,
    fix: `Good for comparing runs. For figures beside COCO's, write ${AREA_PER_BOX} · width · height.`,
    *find(examined) {
      const persons = boxed(examined).filter(({ area }) => area !== undefined && area > 1);
      const equal = persons.filter(({ area, box }) => Math.abs(area! / (box[2]! * box[3]!) - 1) < 0.01);
      if (persons.length < ENOUGH || equal.length < MOST * persons.length) return;
      yield { text: `${equal.length} of ${persons.length} areas equal width · height` };
    },
  },
  {
    id: "area-missing",
    severity: "note",
    unit: "annotations",
    formats: COCO,
    title: "no area",
    why: `Here ${AREA_PER_BOX} · width · height is taken, CrowdPose's rule; pycocotools fails with a KeyError.`,
    fix: "Nothing for use here; write the area for other tools.",
    *find({ dataset }) {
      for (const annotation of trainable(dataset)) {
        if (annotation.area === undefined) yield personHit(annotation, dataset, "no area");
      }
    },
  },
  {
    id: "persons-small",
    severity: "note",
    unit: "annotations",
    formats: COCO,
    title: "the longer side of the box is below 32 pixels",
    why: "At an input of 256 × 192 such a person is enlarged eightfold: a blur, with keypoints placed by guess. COCO leaves out persons below 32².",
    fix: "Expect little of them. If they matter, use larger pictures rather than a larger input.",
    *find(examined) {
      for (const annotation of boxed(examined)) {
        const side = Math.max(annotation.box[2]!, annotation.box[3]!);
        if (side > 1 && side < 32) {
          const text = `box ${short(annotation.box[2]!)} × ${short(annotation.box[3]!)}`;
          yield personHit(annotation, examined.dataset, text, -side);
        }
      }
    },
  },
  {
    id: "boxes-wide",
    severity: "note",
    unit: "dataset",
    formats: COCO,
    title: "most boxes are wider than high",
    why: "Inputs of 256 × 192 are made for upright persons: half of a wide box's input is margin.",
    fix: "Take a square or wide input, such as 256 × 256.",
    *find(examined) {
      const ratios = boxed(examined).map(({ box }) => box[2]! / box[3]!);
      const wide = ratios.filter((ratio) => ratio > 1.1).length;
      if (ratios.length < 20 || wide < 0.6 * ratios.length) return;
      yield { text: `${wide} of ${ratios.length} boxes; median width : height ${short(median(ratios))}` };
    },
  },
];

/** How many labelled keypoints a box holds, and by how much of its side the farthest one lies outside. */
function keypointsInBox({ box, keypoints, labelled }: Boxed): {
  inside: number;
  labelled: number;
  worst: number;
} {
  const [x, y, w, h] = box as [number, number, number, number];
  let inside = 0;
  let worst = 0;
  for (let i = 2; i < keypoints!.length; i += 3) {
    if (!(keypoints![i]! > 0)) continue;
    const [px, py] = [keypoints![i - 2]!, keypoints![i - 1]!];
    // Two pixels of slack: boxes of masks are tight, and one may count from 1.
    const outX = Math.max(0, x - px - 2, px - x - w - 2) / w;
    const outY = Math.max(0, y - py - 2, py - y - h - 2) / h;
    if (outX === 0 && outY === 0) inside++;
    worst = Math.max(worst, outX, outY);
  }
  return { inside, labelled, worst };
}
