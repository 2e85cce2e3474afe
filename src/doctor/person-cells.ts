// Cells of contact sheets: persons with their box and skeleton as annotated.

import sharp from "sharp";
import { messageOf } from "../errors.ts";
import { decodeImage } from "../image/decode.ts";
import { type Color, drawBox } from "../image/draw.ts";
import { type RgbImage, rgbImage } from "../image/rgb-image.ts";
import { drawPoses } from "../pose/draw-pose.ts";
import { CELL, type SheetCell } from "./contact-sheet.ts";
import { imageOf, keypointExtent, personBox, trainable } from "./describe.ts";
import { sampleOf } from "./sample.ts";
import type { DoctorAnnotation, Examined } from "./types.ts";

const BOX: Color = [240, 228, 66];

/** A random choice of persons or objects, in the file's order; the same for the same seed. */
export function sampleCells({ dataset }: Examined, seed: number): SheetCell[] {
  return sampleOf(trainable(dataset), seed).map((annotation) => {
    const image = imageOf(annotation, dataset);
    const category = dataset.categories.find(({ id }) => id === annotation.categoryId);
    const what = dataset.format === "instances" ? [category?.name ?? "?"] : [];
    return { label: [...what, `id ${annotation.id ?? "?"}`, image?.fileName ?? ""], image, annotation };
  });
}

/** A person's surroundings, or a whole picture, with what is annotated; or why not. */
export async function drawPersonCell(
  { image, annotation }: SheetCell,
  examined: Examined,
): Promise<RgbImage | string> {
  const facts = image && examined.pictures.get(image.index);
  if (facts === undefined || facts.state === "missing" || facts.state === "empty")
    return facts ? `${facts.state} file` : "no picture";
  let picture: RgbImage;
  try {
    picture = await decodeImage(facts.path, { orientation: "ignore", truncated: "accept" });
  } catch (error) {
    return messageOf(error).includes("damaged") ? "damaged file" : "not readable";
  }
  const { dataset } = examined;
  const persons = annotation
    ? [annotation]
    : dataset.annotations.filter(({ imageId }) => imageId === image?.id);
  const region = annotation ? regionOf(annotation, picture) : [0, 0, picture.width, picture.height];
  const [left, top, width, height] = region as [number, number, number, number];
  const scale = CELL / Math.max(width, height);
  const [w, h] = [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
  const { data } = await sharp(picture.data, {
    raw: { width: picture.width, height: picture.height, channels: 3 },
  })
    .extract({ left, top, width, height })
    .resize(w, h, { fit: "fill" })
    .raw()
    .toBuffer({ resolveWithObject: true });
  const cell = rgbImage(w, h, new Uint8Array(data));
  // Pixel centres are whole numbers before and after scaling.
  const toCell = (x: number, y: number): [number, number] => [
    (x - left + 0.5) * scale - 0.5,
    (y - top + 0.5) * scale - 0.5,
  ];
  for (const person of persons) {
    const box = personBox(person);
    if (box) {
      const [x, y] = toCell(box[0]!, box[1]!);
      drawBox(cell, [x, y, box[2]! * scale, box[3]! * scale], 0.8, { color: BOX, outlineWidth: 0.6 });
    }
    const { skeleton } = dataset;
    const { keypoints } = person;
    if (!skeleton || keypoints?.length !== 3 * skeleton.keypoints.length) continue;
    const points = skeleton.keypoints.map((_, k) => {
      const [x, y] = toCell(keypoints[3 * k]!, keypoints[3 * k + 1]!);
      return { x, y, score: keypoints[3 * k + 2]! > 0 ? 1 : 0 };
    });
    drawPoses(cell, [{ keypoints: points }], skeleton, {
      minScore: 0.5,
      lineWidth: 3,
      discRadius: 3,
      opacity: 0.8,
    });
  }
  return cell;
}

/** What is shown around a person: box and keypoints with a margin, inside the picture; the whole picture otherwise. */
function regionOf(annotation: DoctorAnnotation, { width, height }: RgbImage): number[] {
  const box = personBox(annotation);
  const extent =
    annotation.labelled > 0 && annotation.keypoints ? keypointExtent(annotation.keypoints) : undefined;
  const boxes = [box && [box[0]!, box[1]!, box[0]! + box[2]!, box[1]! + box[3]!], extent].filter(
    (b) => b !== undefined,
  );
  if (boxes.length === 0) return [0, 0, width, height];
  const bounds = [0, 1, 2, 3].map((i) => (i < 2 ? Math.min : Math.max)(...boxes.map((b) => b[i]!)));
  const margin = 0.15 * Math.max(bounds[2]! - bounds[0]!, bounds[3]! - bounds[1]!, 16);
  const left = Math.max(0, Math.floor(bounds[0]! - margin));
  const top = Math.max(0, Math.floor(bounds[1]! - margin));
  const right = Math.min(width, Math.ceil(bounds[2]! + margin));
  const bottom = Math.min(height, Math.ceil(bounds[3]! + margin));
  return right - left >= 4 && bottom - top >= 4
    ? [left, top, right - left, bottom - top]
    : [0, 0, width, height];
}
