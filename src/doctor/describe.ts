// How findings name persons and pictures, and small measures that several checks share.

import type { DoctorAnnotation, DoctorDataset, DoctorImage, Examined, Hit } from "./types.ts";

/** `annotation 17 (image 4, a.jpg)`, `entry 3 (a.jpg)` in MPII. */
export function nameAnnotation(annotation: DoctorAnnotation, dataset: DoctorDataset): string {
  const image = imageOf(annotation, dataset);
  if (dataset.format === "mpii") return `entry ${annotation.index} (${image?.fileName ?? "no image"})`;
  const who =
    annotation.id === undefined ? `annotation at place ${annotation.index}` : `annotation ${annotation.id}`;
  const file = image?.fileName === undefined ? "" : `, ${image.fileName}`;
  return `${who} (image ${annotation.imageId ?? "?"}${file})`;
}

/** `image 4 (a.jpg)`, `a.jpg` in MPII. */
export function nameImage(image: DoctorImage, dataset: DoctorDataset): string {
  if (dataset.format === "mpii") return image.fileName ?? "an entry without image";
  return `image ${image.id ?? `at place ${image.index}`} (${image.fileName ?? "no file_name"})`;
}

/** The picture an annotation belongs to. */
export function imageOf(annotation: DoctorAnnotation, dataset: DoctorDataset): DoctorImage | undefined {
  return annotation.imageId === undefined ? undefined : dataset.imageById.get(annotation.imageId);
}

/** A hit on a person. */
export function personHit(
  annotation: DoctorAnnotation,
  dataset: DoctorDataset,
  text: string,
  strength?: number,
): Hit {
  const image = imageOf(annotation, dataset);
  return {
    text: `${nameAnnotation(annotation, dataset)}: ${text}`,
    annotation,
    ...(image && { image }),
    ...(strength !== undefined && { strength }),
  };
}

/** A hit on a picture. */
export function imageHit(image: DoctorImage, dataset: DoctorDataset, text: string, strength?: number): Hit {
  return {
    text: `${nameImage(image, dataset)}: ${text}`,
    image,
    ...(strength !== undefined && { strength }),
  };
}

/** A number for people: at most one decimal. */
export function short(value: number): string {
  return String(Math.round(value * 10) / 10);
}

/** `[1, 2.5, 3, 4]` */
export function list(values: readonly number[]): string {
  return `[${values.map(short).join(", ")}]`;
}

/** `37 %`, `0.2 %` below one. */
export function percent(part: number, whole: number): string {
  const share = (100 * part) / Math.max(1, whole);
  return `${share > 0 && share < 1 ? share.toFixed(1) : Math.round(share)} %`;
}

/** Width and height in pixels, as annotated or else as the file says. */
export function sizeOf(
  image: DoctorImage | undefined,
  { pictures }: Examined,
): readonly [number, number] | undefined {
  if (image === undefined) return undefined;
  if (image.width !== undefined && image.height !== undefined) return [image.width, image.height];
  const facts = pictures.get(image.index);
  return facts?.width === undefined || facts.height === undefined ? undefined : [facts.width, facts.height];
}

/** Left, top, right, bottom of the labelled keypoints. */
export function keypointExtent(
  keypoints: readonly number[],
): readonly [left: number, top: number, right: number, bottom: number] {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let i = 2; i < keypoints.length; i += 3) {
    if (!(keypoints[i]! > 0)) continue;
    left = Math.min(left, keypoints[i - 2]!);
    right = Math.max(right, keypoints[i - 2]!);
    top = Math.min(top, keypoints[i - 1]!);
    bottom = Math.max(bottom, keypoints[i - 1]!);
  }
  return [left, top, right, bottom];
}

/** What training uses: no crowds; of persons with keypoints, those with at least one labelled. */
export function trainable({ annotations, format }: DoctorDataset): DoctorAnnotation[] {
  return annotations.filter(({ crowd, labelled }) => !crowd && (format === "instances" || labelled > 0));
}

/** `[x, y, width, height]` of a person: the box, or MPII's square of 200 · scale about the centre. */
export function personBox({ box, mpii }: DoctorAnnotation): readonly number[] | undefined {
  if (mpii === undefined) return box;
  const { center, scale } = mpii;
  if (center === undefined || scale === undefined) return undefined;
  const side = 200 * scale; // MPII's unit: the height of a person in 200 pixels
  return [center[0]! - 1 - side / 2, center[1]! - 1 - side / 2, side, side];
}

/** The middle of sorted values; NaN of none. */
export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** `3.2 MB` */
export function byteText(bytes: number): string {
  return `${short(bytes / 1e6)} MB`;
}
