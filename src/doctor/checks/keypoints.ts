// Checks of keypoints: counts, v, places.

import { imageOf, keypointExtent, list, percent, personHit, short, sizeOf, trainable } from "../describe.ts";
import type { Check, DoctorAnnotation } from "../types.ts";
import { COCO } from "./formats.ts";

/** The places of keypoints for which something holds. */
function places(
  { keypoints }: DoctorAnnotation,
  holds: (x: number, y: number, v: number) => boolean,
): number[] {
  const found: number[] = [];
  if (keypoints === undefined) return found;
  for (let i = 0; i + 2 < keypoints.length; i += 3) {
    if (holds(keypoints[i]!, keypoints[i + 1]!, keypoints[i + 2]!)) found.push(i / 3);
  }
  return found;
}

/** Names of keypoints for a message, at most five. */
function names(found: readonly number[], keypoints: readonly string[] | undefined): string {
  const text = found.slice(0, 5).map((k) => keypoints?.[k] ?? `keypoint ${k + 1}`);
  return text.join(", ") + (found.length > 5 ? ` and ${found.length - 5} more` : "");
}

export const KEYPOINT_CHECKS: readonly Check[] = [
  {
    id: "keypoints-length",
    severity: "error",
    unit: "annotations",
    formats: COCO,
    title: "keypoints are not three numbers for each name",
    why: "It is not certain which number is which; our reader stops.",
    fix: "Write x, y, v for every keypoint of the category, also those not labelled (0, 0, 0).",
    *find({ dataset }) {
      const K = dataset.skeleton?.keypoints.length;
      const withKeypoints = new Set(
        dataset.categories.filter(({ keypoints }) => keypoints).map(({ id }) => id),
      );
      for (const annotation of dataset.annotations) {
        const { keypointNumbers: numbers, categoryId } = annotation;
        const expected = withKeypoints.size === 0 || withKeypoints.has(categoryId);
        if (K === undefined || !expected || numbers === 3 * K) continue;
        const has = numbers === undefined ? "no list of keypoints" : `${numbers} numbers`;
        yield personHit(annotation, dataset, `${has}, expected ${K} × 3 = ${3 * K}`);
      }
    },
  },
  {
    id: "visibility-value",
    severity: "error",
    unit: "annotations",
    formats: COCO,
    title: "v is none of 0, 1, 2",
    why: "v says whether a keypoint is labelled (0 no, 1 hidden, 2 visible). A score or -1 in its place is taken as labelled or not by chance.",
    fix: "Write 2 for what is seen, 1 for what is placed by guess behind something, 0 for the rest.",
    *find({ dataset }) {
      for (const annotation of dataset.annotations) {
        const found = places(annotation, (_x, _y, v) => v !== 0 && v !== 1 && v !== 2);
        if (found.length === 0) continue;
        const values = [...new Set(found.map((k) => annotation.keypoints![3 * k + 2]!))].slice(0, 4);
        yield personHit(annotation, dataset, `v ${values.map((v) => Number(v.toFixed(3))).join(", ")}`);
      }
    },
  },
  {
    id: "num-keypoints",
    severity: "warning",
    unit: "annotations",
    formats: COCO,
    title: "num_keypoints is not the number of keypoints with v above 0",
    why: "Evaluation ignores persons with num_keypoints 0 and counts the others: the wrong ones would be scored.",
    fix: "Count anew, or leave num_keypoints out.",
    *find({ dataset }) {
      for (const annotation of dataset.annotations) {
        const { keypointCount, labelled, keypoints } = annotation;
        if (keypointCount === undefined || keypoints === undefined || keypointCount === labelled) continue;
        const decisive = keypointCount === 0 || labelled === 0 ? 1 : 0;
        yield personHit(
          annotation,
          dataset,
          `num_keypoints ${keypointCount}, labelled are ${labelled}`,
          decisive,
        );
      }
    },
  },
  {
    id: "keypoint-at-origin",
    severity: "error",
    unit: "annotations",
    title: "a keypoint at (0, 0) is marked as labelled",
    why: "(0, 0) stands for not labelled: the network would learn to point at the corner of the picture.",
    fix: "Set v to 0 for it.",
    *find({ dataset }) {
      for (const annotation of dataset.annotations) {
        // MPII's files hold 0 or -1 where nothing is labelled; reading took 1 off.
        const found = places(
          annotation,
          (x, y, v) =>
            v > 0 && (dataset.format === "mpii" ? x === y && (x === -1 || x === -2) : x === 0 && y === 0),
        );
        if (found.length > 0)
          yield personHit(annotation, dataset, names(found, dataset.skeleton?.keypoints), found.length);
      }
    },
  },
  {
    id: "keypoint-outside-picture",
    severity: "warning",
    unit: "annotations",
    title: "labelled keypoints lie outside the picture",
    why: "Nothing can be seen there. Targets outside the crop get weight 0; those in its margin teach to guess.",
    fix: "Set v to 0 for them. If there are many: wrong size, wrong picture or swapped x and y.",
    *find(examined) {
      const { dataset } = examined;
      for (const annotation of dataset.annotations) {
        const size = sizeOf(imageOf(annotation, dataset), examined);
        if (size === undefined) continue;
        const [width, height] = size;
        // One pixel of slack: some tools count from 1, and the last pixel's far edge is the picture's.
        const found = places(annotation, (x, y, v) => v > 0 && (x < -1 || y < -1 || x > width || y > height));
        if (found.length === 0) continue;
        const k = found[0]!;
        const at = `${names([k], dataset.skeleton?.keypoints)} at ${list(annotation.keypoints!.slice(3 * k, 3 * k + 2))}`;
        const text = `${found.length} of ${annotation.labelled}, ${at}, picture ${width} × ${height}`;
        yield personHit(annotation, dataset, text, found.length);
      }
    },
  },
  {
    id: "keypoint-fractions",
    severity: "error",
    unit: "dataset",
    title: "keypoints look like fractions of the picture",
    why: "Coordinates are pixels. As pixels, all keypoints are in the first one.",
    fix: "Multiply x by the picture's width and y by its height.",
    *find({ dataset }) {
      const persons = trainable(dataset);
      const base = dataset.format === "mpii" ? 1 : 0; // reading took 1 off
      const fractions = persons.filter((annotation) => {
        const [left, top, right, bottom] = keypointExtent(annotation.keypoints!);
        if (Math.min(left, top) + base < 0 || Math.max(right, bottom) + base > 1) return false;
        return (
          places(annotation, (x, y, v) => v > 0 && !(Number.isInteger(x) && Number.isInteger(y))).length > 0
        );
      });
      if (persons.length === 0 || fractions.length < 0.9 * persons.length) return;
      yield personHit(
        fractions[0]!,
        dataset,
        `all within 0 … 1, as in ${fractions.length} of ${persons.length} persons`,
      );
    },
  },
  {
    id: "keypoints-collapsed",
    severity: "warning",
    unit: "annotations",
    title: "four or more keypoints on one spot",
    why: "No person looks like that: a tool filled in one place for all.",
    fix: "Label them anew, or set v to 0.",
    *find({ dataset }) {
      for (const annotation of trainable(dataset)) {
        if (annotation.labelled < 4) continue;
        const [left, top, right, bottom] = keypointExtent(annotation.keypoints!);
        const extent = Math.max(right - left, bottom - top);
        if (extent < 2)
          yield personHit(annotation, dataset, `${annotation.labelled} keypoints within ${short(extent)} px`);
      }
    },
  },
  {
    id: "pair-on-one-spot",
    severity: "note",
    unit: "annotations",
    title: "left and right of a pair are at exactly the same place",
    why: "Right in a strict side view only; more often a tool copied one to the other.",
    fix: "Set the hidden one to where it is (v 1) or to 0.",
    *find({ dataset }) {
      const pairs = dataset.skeleton?.flipPairs ?? [];
      for (const annotation of trainable(dataset)) {
        const { keypoints } = annotation;
        const same = pairs.filter(([a, b]) => {
          const [va, vb] = [keypoints![3 * a + 2]!, keypoints![3 * b + 2]!];
          const equal =
            keypoints![3 * a] === keypoints![3 * b] && keypoints![3 * a + 1] === keypoints![3 * b + 1];
          return va > 0 && vb > 0 && equal;
        });
        if (same.length > 0) {
          const text = names(
            same.map(([a]) => a),
            dataset.skeleton?.keypoints,
          );
          yield personHit(annotation, dataset, `${text} and the other side`, same.length);
        }
      }
    },
  },
  {
    id: "keypoint-never-labelled",
    severity: "warning",
    unit: "dataset",
    title: "a keypoint is not labelled in any person",
    why: "Its heatmap is never trained: the network's output there means nothing, and it is not evaluated.",
    fix: "Drop it from the skeleton, or expect nothing of it. Check that keypoints are in the order of the names.",
    *find({ dataset }) {
      const persons = trainable(dataset);
      const names = dataset.skeleton?.keypoints ?? [];
      if (persons.length < 5) return;
      const counts = names.map(
        (_, k) => persons.filter(({ keypoints }) => keypoints![3 * k + 2]! > 0).length,
      );
      for (const [k, count] of counts.entries()) {
        if (count === 0) yield { text: `${names[k]}, in none of ${persons.length} persons` };
      }
    },
  },
  {
    id: "keypoint-rarely-labelled",
    severity: "note",
    unit: "dataset",
    title: "a keypoint is labelled in less than 2 % of the persons",
    why: "The network learns little about it.",
    fix: "Expect a low accuracy there; look at the figures per keypoint, not at AP alone.",
    *find({ dataset }) {
      const persons = trainable(dataset);
      const names = dataset.skeleton?.keypoints ?? [];
      if (persons.length < 100) return;
      for (const [k, name] of names.entries()) {
        const count = persons.filter(({ keypoints }) => keypoints![3 * k + 2]! > 0).length;
        if (count > 0 && count < 0.02 * persons.length)
          yield { text: `${name}, in ${count} of ${persons.length} persons` };
      }
    },
  },
  {
    id: "visibility-all-2",
    severity: "note",
    unit: "dataset",
    formats: COCO,
    title: "every labelled keypoint has v 2 (visible)",
    why: "Hidden keypoints cannot be told from seen ones. Training and AP treat both alike, so nothing is lost there.",
    fix: "Nothing, unless you mean to learn visibility.",
    *find({ dataset }) {
      const persons = trainable(dataset);
      const hidden = persons.some((annotation) => places(annotation, (_x, _y, v) => v === 1).length > 0);
      if (!hidden && persons.length >= 20) yield { text: `no v 1 in ${persons.length} persons` };
    },
  },
  {
    id: "not-labelled-with-place",
    severity: "note",
    unit: "annotations",
    formats: COCO,
    title: "keypoints with v 0 have a place",
    why: "v 0 means not labelled: they are not used. Some tools write v 0 for hidden ones, which are then lost.",
    fix: "If the places are right, write v 1.",
    *find({ dataset }) {
      for (const annotation of dataset.annotations) {
        const found = places(annotation, (x, y, v) => v === 0 && (x !== 0 || y !== 0));
        if (found.length > 0)
          yield personHit(annotation, dataset, names(found, dataset.skeleton?.keypoints), found.length);
      }
    },
  },
  {
    id: "persons-unlabelled",
    severity: "note",
    unit: "annotations",
    title: "no keypoint labelled",
    why: "Left out of training; evaluation ignores what is found there. Usual in COCO for small or cut persons.",
    fix: "Nothing, unless there are more than you expect.",
    *find({ dataset }) {
      for (const annotation of dataset.annotations) {
        if (annotation.keypoints && annotation.labelled === 0 && !annotation.crowd)
          yield personHit(
            annotation,
            dataset,
            annotation.box ? `box ${list(annotation.box)}` : "no keypoint labelled",
          );
      }
    },
  },
  {
    id: "persons-barely-labelled",
    severity: "note",
    unit: "annotations",
    title: "one or two keypoints labelled",
    why: "They teach little, and in evaluation weigh as much as whole persons.",
    fix: "Nothing; common for cut persons.",
    *find({ dataset }) {
      const K = dataset.skeleton?.keypoints.length ?? 0;
      if (K < 6) return;
      for (const annotation of trainable(dataset)) {
        if (annotation.labelled > 2) continue;
        const text = `${annotation.labelled} of ${K} (${percent(annotation.labelled, K)})`;
        yield personHit(annotation, dataset, text, -annotation.labelled);
      }
    },
  },
];
