// Checks of the file itself: its kind, types of fields, ids, references between lists.

import { imageHit, imageOf, nameAnnotation, nameImage, percent, personHit } from "../describe.ts";
import type { Check, DoctorAnnotation, Hit } from "../types.ts";
import { ANY, COCO, COCO_FILES } from "./formats.ts";
import { repeated } from "./repeated.ts";

/** Whether a file name leads out of the folder of pictures. */
export function leadsOutside(fileName: string): boolean {
  return /^([\\/]|[a-z]:)/i.test(fileName) || fileName.split(/[\\/]/).includes("..");
}

export const STRUCTURE_CHECKS: readonly Check[] = [
  {
    id: "file-unusable",
    severity: "error",
    unit: "dataset",
    formats: ["other"],
    title: "the file is no set of annotations",
    why: "Nothing can be trained or evaluated with it.",
    fix: "Give the file named below, or convert to COCO's format.",
    *find({ dataset }) {
      yield { text: dataset.problem ?? dataset.source };
    },
  },
  {
    id: "field-type",
    severity: "error",
    unit: "dataset",
    formats: ANY,
    title: "fields are missing or of the wrong type",
    why: "Training and evaluation stop at the first of them.",
    fix: "Correct what writes the file: ids are whole numbers, not texts; boxes are four numbers.",
    find: ({ dataset }) => dataset.faults,
  },
  {
    id: "no-persons",
    severity: "error",
    unit: "dataset",
    title: "no annotation has a labelled keypoint",
    why: "There is nothing to learn from or to measure.",
    fix: "Check that v (every third number) is 1 or 2 for labelled keypoints: 0 means not labelled.",
    *find({ dataset }) {
      if (dataset.annotations.some(({ labelled }) => labelled > 0)) return;
      yield { text: `${dataset.annotations.length} annotations, all without labelled keypoints` };
    },
  },
  {
    id: "image-id-twice",
    severity: "error",
    unit: "images",
    formats: COCO_FILES,
    title: "the id is there twice",
    why: "Annotations of two pictures run together: objects are looked for in the wrong picture.",
    fix: "Number the pictures anew, and their annotations' image_id with them (typical when files were merged).",
    *find({ dataset }) {
      for (const [image, first] of repeated(dataset.images, ({ id }) => id)) {
        yield imageHit(image, dataset, `also the id of ${first.fileName ?? "a picture without name"}`);
      }
    },
  },
  {
    id: "annotation-id-twice",
    severity: "error",
    unit: "annotations",
    formats: COCO_FILES,
    title: "the id is there twice",
    why: "pycocotools keeps one of the two without a word; our reader stops.",
    fix: "Number the annotations anew (typical when files were merged).",
    *find({ dataset }) {
      for (const [annotation, first] of repeated(dataset.annotations, ({ id }) => id)) {
        yield personHit(annotation, dataset, `the same id as ${nameAnnotation(first, dataset)}`);
      }
    },
  },
  {
    id: "category-id-twice",
    severity: "error",
    unit: "categories",
    formats: COCO_FILES,
    title: "the id is there twice",
    why: "It is not certain which of the two an annotation means.",
    fix: "Give each category an id of its own.",
    *find({ dataset }) {
      for (const [category, first] of repeated(dataset.categories, ({ id }) => id)) {
        yield { text: `category ${category.id}: "${first.name}" and "${category.name}"` };
      }
    },
  },
  {
    id: "image-unknown",
    severity: "error",
    unit: "annotations",
    formats: COCO_FILES,
    title: "image_id names a picture that is not listed",
    why: "Our reader stops, other code fails in the middle of training.",
    fix: "List the picture, or drop the annotation (typical after a split into train and val).",
    *find({ dataset }) {
      for (const annotation of dataset.annotations) {
        if (annotation.imageId === undefined || imageOf(annotation, dataset) !== undefined) continue;
        yield personHit(annotation, dataset, `there is no image ${annotation.imageId}`);
      }
    },
  },
  {
    id: "category-unknown",
    severity: "error",
    unit: "annotations",
    formats: COCO_FILES,
    title: "category_id is none of the categories",
    why: "Reading stops, or such annotations are left out without a word.",
    fix: "Correct the category_id. Ids are those of the list, not places in it; COCO's person is 1.",
    *find({ dataset }) {
      const ids = new Set(dataset.categories.map(({ id }) => id));
      for (const annotation of dataset.annotations) {
        if (annotation.categoryId === undefined || ids.has(annotation.categoryId)) continue;
        const there = [...ids].slice(0, 5).join(", ");
        yield personHit(
          annotation,
          dataset,
          `category_id ${annotation.categoryId}, there are ${there || "none"}`,
        );
      }
    },
  },
  {
    id: "category-unused",
    severity: "note",
    unit: "categories",
    formats: COCO_FILES,
    title: "no annotation is of this category",
    why: "Harmless; or a sign that ids and categories do not fit.",
    fix: "Drop the category if it is not meant to be there.",
    *find({ dataset }) {
      const used = new Set(dataset.annotations.map(({ categoryId }) => categoryId));
      for (const { id, name } of dataset.categories) {
        if (id !== undefined && !used.has(id)) yield { text: `category ${id} "${name}"` };
      }
    },
  },
  {
    id: "category-not-person",
    severity: "note",
    unit: "categories",
    formats: COCO,
    title: 'keypoints belong to a category other than 1 "person"',
    why: "Fine for training. Detections files are read for category 1 unless told otherwise.",
    fix: "Nothing, or use id 1 if boxes will come from a person detector.",
    *find({ dataset }) {
      for (const { id, name, keypoints } of dataset.categories) {
        if (keypoints && (id !== 1 || name !== "person")) yield { text: `category ${id} "${name}"` };
      }
    },
  },
  {
    id: "person-twice",
    severity: "warning",
    unit: "annotations",
    title: "the same person is annotated twice (same picture, same box and keypoints)",
    why: "It counts twice in training; in evaluation only one of the two can be found, so AP stays below 1.",
    fix: "Drop the copies.",
    *find({ dataset }) {
      // A digest first: whole persons as text would take seconds in large sets. The factor makes places count.
      const digest = (values: readonly number[] | undefined): number =>
        values?.reduce((sum, value) => 1.0173 * sum + value, 0) ?? 0;
      const keyOf = ({ imageId, box, keypoints, labelled }: DoctorAnnotation): string | undefined =>
        labelled > 0 && imageId !== undefined ? `${imageId}|${digest(box)}|${digest(keypoints)}` : undefined;
      const same = (one: readonly number[] = [], other: readonly number[] = []): boolean =>
        one.length === other.length && one.every((value, i) => value === other[i]);
      for (const [annotation, first] of repeated(dataset.annotations, keyOf)) {
        if (same(annotation.box, first.box) && same(annotation.keypoints, first.keypoints))
          yield personHit(annotation, dataset, `a copy of ${nameAnnotation(first, dataset)}`);
      }
    },
  },
  {
    id: "file-name-twice",
    severity: "warning",
    unit: "images",
    formats: COCO_FILES,
    title: "the same file is listed under several ids",
    why: "What is in it is split over two entries: evaluation counts what it finds in one as wrong in the other.",
    fix: "List the file once and give all its annotations that id.",
    *find({ dataset }) {
      for (const [image, first] of repeated(dataset.images, ({ fileName }) => fileName)) {
        yield imageHit(image, dataset, `also listed as ${nameImage(first, dataset)}`);
      }
    },
  },
  {
    id: "file-name-outside",
    severity: "error",
    unit: "images",
    formats: ANY,
    title: "the file name leads out of the folder of pictures",
    why: "Absolute paths and .. work on one machine only, and are refused for safety.",
    fix: "Write paths relative to the folder of pictures.",
    *find({ dataset }) {
      for (const image of dataset.images) {
        const { fileName } = image;
        if (fileName === undefined || !leadsOutside(fileName)) continue;
        yield imageHit(image, dataset, `"${fileName}"`);
      }
    },
  },
  {
    id: "mpii-file-folder",
    severity: "error",
    unit: "images",
    formats: ["mpii"],
    title: "the image has folders in its name",
    why: "MPII's names are plain file names; the reader refuses others.",
    fix: "Put all pictures in one folder.",
    *find({ dataset }) {
      for (const image of dataset.images) {
        if (image.fileName !== undefined && /[\\/]/.test(image.fileName) && !leadsOutside(image.fileName))
          yield imageHit(image, dataset, "expected a name without folders");
      }
    },
  },
  {
    id: "image-without-annotations",
    severity: "note",
    unit: "images",
    formats: COCO_FILES,
    title: "no annotations",
    why: "Pose training skips them; in evaluation everything found there counts as wrong, in detector training too.",
    fix: "Fine if nothing is in them. If most are like this, pictures and annotations may be of different splits.",
    *find({ dataset }) {
      const used = new Set(dataset.annotations.map(({ imageId }) => imageId));
      for (const image of dataset.images)
        if (!used.has(image.id)) yield imageHit(image, dataset, "no annotation");
    },
  },
  {
    id: "crowds",
    severity: "note",
    unit: "annotations",
    formats: COCO_FILES,
    title: "crowd regions (iscrowd 1)",
    why: "Left out of training; evaluation ignores what is found in them.",
    fix: "Nothing, unless single objects are marked as crowds.",
    *find({ dataset }) {
      for (const annotation of dataset.annotations) {
        if (!annotation.crowd) continue;
        const { labelled } = annotation;
        const text = labelled > 0 ? `has ${labelled} labelled keypoints: a single person?` : "a crowd";
        yield personHit(annotation, dataset, text, labelled);
      }
    },
  },
  {
    id: "few-persons",
    severity: "warning",
    unit: "dataset",
    title: "few persons to train with",
    why: "Below about 200 persons a network learns the pictures by heart, even from pretrained weights.",
    fix: "Annotate more, or fine-tune with the backbone frozen; for evaluation: figures will jump by several points.",
    *find({ dataset }): Iterable<Hit> {
      const persons = dataset.annotations.filter(({ crowd, labelled }) => !crowd && labelled > 0).length;
      if (persons === 0 || persons >= 200) return;
      const share = percent(persons, dataset.annotations.length);
      yield { text: `${persons} persons with labelled keypoints (${share} of the annotations)` };
    },
  },
];
