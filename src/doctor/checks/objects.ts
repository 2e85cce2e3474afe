// Checks of objects with boxes and masks: what a detector learns from.

import { list, percent, personHit, short, trainable } from "../describe.ts";
import type { Check, DoctorAnnotation, DoctorDataset, Examined, Hit } from "../types.ts";
import {
  boxed,
  boxesAsCorners,
  boxesAsFractions,
  boxesBeyond,
  boxesEmpty,
  boxesMissing,
  boxesOutside,
} from "./box-finders.ts";
import { INSTANCES } from "./formats.ts";
import { repeated } from "./repeated.ts";

/** Below, a class is learned late or never; a set of so many objects is learned by heart. */
const FEW_OF_CLASS = 10;
const FEW = 200;
/** Of a box's side: masks are drawn by hand, boxes rounded. */
const MASK_SLACK = 0.05;
/** Of the mask: polygons and their pixels differ a little. */
const AREA_SLACK = 0.25;
/** Pixels of the shorter side. The first heatmaps have a stride of 4. */
const TINY = 4;

/** Objects by the id of their category. */
export function objectsByCategory(dataset: DoctorDataset): Map<number, number> {
  const counts = new Map<number, number>();
  for (const { id } of dataset.categories) if (id !== undefined) counts.set(id, 0);
  for (const { categoryId } of trainable(dataset))
    if (categoryId !== undefined && counts.has(categoryId))
      counts.set(categoryId, counts.get(categoryId)! + 1);
  return counts;
}

/** By how much the sides of a mask's extent are away from those of the box, and by how much they may be. */
function maskDistance({ box, mask }: DoctorAnnotation): { far: number; allowed: number } | undefined {
  if (box === undefined || mask === undefined || "fault" in mask) return undefined;
  const [x, y, w, h] = box as [number, number, number, number];
  const [mx, my, mw, mh] = mask.box;
  const far = Math.max(
    Math.abs(mx - x),
    Math.abs(my - y),
    Math.abs(mx + mw - x - w),
    Math.abs(my + mh - y - h),
  );
  return { far, allowed: Math.max(2, MASK_SLACK * Math.max(w, h)) };
}

/** The areas of masks that the file says otherwise; of boxes where there is no mask and the area is larger still. */
function* areasAway({ dataset }: Examined): Iterable<Hit> {
  for (const annotation of trainable(dataset)) {
    const { area, box, mask } = annotation;
    if (area === undefined) continue;
    const hit = (text: string): Hit => personHit(annotation, dataset, `area ${short(area)}, ${text}`);
    if (area <= 0) yield hit("nothing to be found");
    else if (mask !== undefined && !("fault" in mask)) {
      if (Math.abs(area - mask.area) > Math.max(10, AREA_SLACK * mask.area))
        yield hit(`the mask has ${short(mask.area)}`);
    } else if (box !== undefined && area > 1.02 * box[2]! * box[3]! + 1)
      yield hit(`the box ${short(box[2]!)} × ${short(box[3]!)} = ${short(box[2]! * box[3]!)}`);
  }
}

export const OBJECT_CHECKS: readonly Check[] = [
  {
    id: "no-objects",
    severity: "error",
    unit: "dataset",
    formats: INSTANCES,
    title: "there is no object",
    why: "There is nothing to learn from or to measure.",
    fix: "Check that iscrowd is 0 for single objects: crowds are neither learned nor counted.",
    *find({ dataset }) {
      if (trainable(dataset).length > 0) return;
      yield { text: `${dataset.annotations.length} annotations, all of them crowds` };
    },
  },
  {
    id: "object-box-missing",
    severity: "error",
    unit: "annotations",
    formats: INSTANCES,
    title: "the object has no bbox",
    why: "Our reader stops; other code takes the mask's, or fails in the middle of training.",
    fix: "Write bbox [x, y, width, height]: the extent of the mask, where there is one.",
    find: boxesMissing,
  },
  {
    id: "object-box-empty",
    severity: "error",
    unit: "annotations",
    formats: INSTANCES,
    title: "the box has no extent, or a negative one",
    why: "Nothing can overlap it: it is never found, and its targets are not numbers in some code. Negative sides mean corners in the wrong order.",
    fix: "Drop it, or write [x, y, width, height] with x, y the top left corner.",
    find: boxesEmpty,
  },
  {
    id: "object-corners",
    severity: "error",
    unit: "dataset",
    formats: INSTANCES,
    title: "boxes look like corners [x1, y1, x2, y2]",
    why: "COCO's boxes are [x, y, width, height]: read so, they reach far beyond the objects.",
    fix: "Write x2 − x1 and y2 − y1 as the third and fourth number.",
    find: boxesAsCorners,
  },
  {
    id: "object-fractions",
    severity: "error",
    unit: "dataset",
    formats: INSTANCES,
    title: "boxes look like fractions of the picture",
    why: "COCO counts pixels. As pixels, all objects are specks in the top left corner.",
    fix: "Multiply x and width by the picture's width, y and height by its height.",
    find: boxesAsFractions,
  },
  {
    id: "object-outside",
    severity: "error",
    unit: "annotations",
    formats: INSTANCES,
    title: "the box lies wholly outside the picture",
    why: "It cannot be found, and counts as missed.",
    fix: "Check the picture's size and the scale the boxes were written in.",
    find: boxesOutside,
  },
  {
    id: "mask-unreadable",
    severity: "error",
    unit: "annotations",
    formats: INSTANCES,
    title: "the mask cannot be read",
    why: "Our reader stops at it; pycocotools may read beyond its memory.",
    fix: "Polygons are lists of x and y of three vertices or more; run lengths have the picture's [height, width] and fill it.",
    *find({ dataset }) {
      for (const annotation of dataset.annotations) {
        const { mask } = annotation;
        if (mask !== undefined && "fault" in mask) yield personHit(annotation, dataset, mask.fault);
      }
    },
  },
  {
    id: "class-name-twice",
    severity: "error",
    unit: "categories",
    formats: INSTANCES,
    title: "two classes have the same name",
    why: "Classes are told apart by name when sets are joined or a model is measured: one of the two gets lost.",
    fix: "Give them different names, or put their annotations together.",
    *find({ dataset }) {
      for (const [category, first] of repeated(dataset.categories, ({ name }) => name))
        yield { text: `"${category.name}": categories ${first.id} and ${category.id}` };
    },
  },
  {
    id: "object-beyond-picture",
    severity: "warning",
    unit: "annotations",
    formats: INSTANCES,
    title: "the box reaches beyond the picture by more than 2 pixels and 2 % of its side",
    why: "Detections end at the picture: the overlap with such a box stays low however good they are.",
    fix: "Cut boxes at the picture when they are written.",
    find: boxesBeyond,
  },
  {
    id: "mask-box",
    severity: "warning",
    unit: "annotations",
    formats: INSTANCES,
    title: "mask and box disagree by more than 2 pixels and 5 % of the longer side",
    why: "The network is taught two truths, and box and mask AP measure different objects.",
    fix: "Look at them: mostly one of the two was scaled, or belongs to another object. Else write the mask's extent as box.",
    *find({ dataset }) {
      for (const annotation of trainable(dataset)) {
        const distance = maskDistance(annotation);
        if (distance === undefined || distance.far <= distance.allowed) continue;
        const { box, mask } = annotation as { box: readonly number[]; mask: { box: readonly number[] } };
        yield personHit(
          annotation,
          dataset,
          `bbox ${list(box)}, the mask's ${list(mask.box)}`,
          distance.far / distance.allowed,
        );
      }
    },
  },
  {
    id: "object-area",
    severity: "warning",
    unit: "annotations",
    formats: INSTANCES,
    title: "the area is not that of the mask (or larger than the box)",
    why: "Small, medium and large objects are told apart by it: figures by size are of other objects.",
    fix: "Write the mask's pixels as area, or leave area out: then the box's is taken.",
    find: areasAway,
  },
  {
    id: "object-twice",
    severity: "warning",
    unit: "annotations",
    formats: INSTANCES,
    title: "the same object is annotated twice (same picture, class and box)",
    why: "In evaluation only one of the two can be found after suppression, so AP stays below 1.",
    fix: "Drop the copies.",
    *find({ dataset }) {
      const keyOf = ({ imageId, categoryId, box }: DoctorAnnotation): string | undefined =>
        imageId === undefined || box === undefined ? undefined : `${imageId}|${categoryId}|${box}`;
      for (const [annotation, first] of repeated(trainable(dataset), keyOf))
        yield personHit(annotation, dataset, `a copy of annotation ${first.id ?? `at place ${first.index}`}`);
    },
  },
  {
    id: "masks-partly",
    severity: "warning",
    unit: "dataset",
    formats: INSTANCES,
    title: "some objects have masks, others have none",
    why: "Boxes can be trained and measured with all of them, masks only with some: mask AP counts the others as empty.",
    fix: "Nothing for boxes. For masks, draw the missing ones or leave their pictures out.",
    *find({ dataset }) {
      const objects = trainable(dataset);
      const without = objects.filter(({ mask }) => mask === undefined).length;
      if (without > 0 && without < objects.length)
        yield { text: `${without} of ${objects.length} objects have none` };
    },
  },
  {
    id: "few-objects",
    severity: "warning",
    unit: "dataset",
    formats: INSTANCES,
    title: "few objects to train with",
    why: `Below about ${FEW} objects a network learns the pictures by heart, even from pretrained weights.`,
    fix: "Annotate more; for evaluation: figures will jump by several points.",
    *find({ dataset }) {
      const { length } = trainable(dataset);
      if (length > 0 && length < FEW) yield { text: `${length} objects` };
    },
  },
  {
    id: "class-few",
    severity: "note",
    unit: "categories",
    formats: INSTANCES,
    title: `the class has fewer than ${FEW_OF_CLASS} objects`,
    why: "It is learned late or never, and counts as much as others in the mean over the classes.",
    fix: "Add pictures that have it, or limit the classes in the recipe (data.classes).",
    *find({ dataset }) {
      const counts = objectsByCategory(dataset);
      for (const { id, name } of dataset.categories) {
        const count = counts.get(id ?? Number.NaN) ?? 0;
        if (count > 0 && count < FEW_OF_CLASS) yield { text: `${name}: ${count}` };
      }
    },
  },
  {
    id: "class-gaps",
    severity: "note",
    unit: "dataset",
    formats: INSTANCES,
    title: "the ids of the classes are not 1, 2, 3, …",
    why: "Right here, as in COCO's own files: classes are numbered by their place. Code that takes ids for places mixes them up.",
    fix: "Nothing for use here.",
    *find({ dataset }) {
      const ids = dataset.categories
        .flatMap(({ id }) => (id === undefined ? [] : [id]))
        .sort((a, b) => a - b);
      if (ids.some((id, place) => id !== place + 1))
        yield { text: `${ids.length} classes with ids from ${ids[0]} to ${ids.at(-1)}` };
    },
  },
  {
    id: "objects-tiny",
    severity: "note",
    unit: "annotations",
    formats: INSTANCES,
    title: `the shorter side of the box is below ${TINY} pixels`,
    why: "Less than one cell of the finest feature map: it is found by luck, if at all.",
    fix: "Expect little of them, use larger pictures or tiles, or mark them as crowds so that they do not count.",
    *find(examined) {
      for (const annotation of boxed(examined)) {
        const [, , w, h] = annotation.box as [number, number, number, number];
        if (Math.min(w, h) < TINY)
          yield personHit(annotation, examined.dataset, `box ${short(w)} × ${short(h)}`, -Math.min(w, h));
      }
    },
  },
  {
    id: "class-uneven",
    severity: "note",
    unit: "dataset",
    formats: INSTANCES,
    title: "one class has nine tenths of the objects or more",
    why: "Others are seen rarely; the loss is mostly that class's.",
    fix: "Look at the AP by class, not the mean alone; add pictures of the others, or repeat them in the recipe.",
    *find({ dataset }) {
      const counts = objectsByCategory(dataset);
      const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
      const most = Math.max(...counts.values());
      if ([...counts.values()].filter((count) => count > 0).length < 2 || most < 0.9 * total) return;
      const first = dataset.categories.find(({ id }) => id !== undefined && counts.get(id) === most);
      yield { text: `${first?.name}: ${percent(most, total)} of ${total}` };
    },
  },
];
