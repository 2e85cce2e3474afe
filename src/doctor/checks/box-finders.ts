// Faults of boxes, whatever is in them: empty, written otherwise, beyond the picture.

import { imageOf, list, personHit, sizeOf, trainable } from "../describe.ts";
import type { DoctorAnnotation, Examined, Hit } from "../types.ts";

/** A habit of the whole file needs this share of its boxes… */
export const MOST = 0.9;
/** …and this many of them. */
export const ENOUGH = 5;

/** An annotation whose box has an extent. */
export type Boxed = DoctorAnnotation & { readonly box: readonly number[] };

const hasExtent = (annotation: DoctorAnnotation): annotation is Boxed =>
  annotation.box !== undefined && annotation.box[2]! > 0 && annotation.box[3]! > 0;

/** What training uses and has a box with an extent. */
export const boxed = ({ dataset }: Examined): Boxed[] => trainable(dataset).filter(hasExtent);

/** Whether all four numbers of a box, or all coordinates, look like fractions of the picture. */
const isFraction = (values: readonly number[]): boolean =>
  values.every((value) => value >= 0 && value <= 1) && values.some((value) => value > 0 && value < 1);

/** What training uses and has no box. */
export function* boxesMissing({ dataset }: Examined): Iterable<Hit> {
  for (const annotation of trainable(dataset)) {
    if (annotation.box === undefined) yield personHit(annotation, dataset, "no bbox");
  }
}

/** Boxes without extent, or with a negative one. */
export function* boxesEmpty({ dataset }: Examined): Iterable<Hit> {
  for (const annotation of dataset.annotations) {
    const { box } = annotation;
    if (box !== undefined && !hasExtent(annotation))
      yield personHit(annotation, dataset, `bbox ${list(box)}`);
  }
}

/** Whether boxes of the file are `[x1, y1, x2, y2]`: most fit as corners, and many leave the picture otherwise. */
export function* boxesAsCorners(examined: Examined): Iterable<Hit> {
  let [corners, outside, known] = [0, 0, 0];
  let example: Boxed | undefined;
  for (const annotation of boxed(examined)) {
    const size = sizeOf(imageOf(annotation, examined.dataset), examined);
    if (size === undefined) continue;
    known++;
    const [x, y, w, h] = annotation.box as [number, number, number, number];
    if (w > x && h > y && w <= size[0] + 1 && h <= size[1] + 1) corners++;
    if (x + w > size[0] + 2 || y + h > size[1] + 2) {
      outside++;
      example ??= annotation;
    }
  }
  if (known < ENOUGH || corners < MOST * known || outside < 0.3 * known || example === undefined) return;
  const text = `${outside} of ${known} boxes leave the picture as [x, y, width, height], ${corners} fit as corners`;
  yield personHit(example, examined.dataset, `${list(example.box)}; ${text}`);
}

/** Whether boxes of the file are fractions of the picture. */
export function* boxesAsFractions(examined: Examined): Iterable<Hit> {
  const all = boxed(examined);
  const fractions = all.filter(({ box }) => isFraction(box));
  if (fractions.length < MOST * all.length || all.length === 0) return;
  const first = fractions[0]!;
  yield personHit(
    first,
    examined.dataset,
    `bbox [${first.box}]; ${fractions.length} of ${all.length} are so`,
  );
}

/** Boxes with a picture of known size, and how they are said. */
function* boxesInPictures(examined: Examined): Iterable<{
  annotation: Boxed;
  size: readonly [number, number];
  outside: boolean;
  text: string;
}> {
  const { dataset } = examined;
  for (const annotation of dataset.annotations) {
    const size = sizeOf(imageOf(annotation, dataset), examined);
    if (size === undefined || !hasExtent(annotation)) continue;
    const [x, y, w, h] = annotation.box as [number, number, number, number];
    const outside = x >= size[0] || y >= size[1] || x + w <= 0 || y + h <= 0;
    yield { annotation, size, outside, text: `bbox ${list(annotation.box)}, picture ${size.join(" × ")}` };
  }
}

/** Boxes that have nothing of their picture. */
export function* boxesOutside(examined: Examined): Iterable<Hit> {
  for (const { annotation, outside, text } of boxesInPictures(examined)) {
    if (outside) yield personHit(annotation, examined.dataset, text);
  }
}

/** Boxes that reach beyond their picture by more than 2 pixels and 2 % of their side. */
export function* boxesBeyond(examined: Examined): Iterable<Hit> {
  for (const { annotation, size, outside, text } of boxesInPictures(examined)) {
    if (outside) continue;
    const [x, y, w, h] = annotation.box as [number, number, number, number];
    const [width, height] = size;
    const beyond = Math.max(
      Math.max(-x, x + w - width) - Math.max(2, 0.02 * w),
      Math.max(-y, y + h - height) - Math.max(2, 0.02 * h),
    );
    if (beyond > 0) yield personHit(annotation, examined.dataset, text, beyond);
  }
}
