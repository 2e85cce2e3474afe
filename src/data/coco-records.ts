// The persons a pose network is trained on and evaluated with, chosen from COCO's annotations as the original code does.

import { join } from "node:path";
import { HRNetError } from "../errors.ts";
import type { CocoKeypointDataset } from "./coco.ts";
import type { CocoImage } from "./coco-images.ts";
import type { CocoDetection } from "./coco-results.ts";

/** One person to crop. */
export interface PersonRecord {
  readonly imageId: number;
  readonly imagePath: string;
  readonly categoryId: number;
  /** `[x, y, width, height]` in image pixels. */
  readonly box: readonly [number, number, number, number];
  /** 1 for annotated boxes, the detector's for detected ones. */
  readonly score: number;
  /** Annotated area in square pixels; absent for detected boxes. */
  readonly area?: number;
  /** K×3, `[x, y, v]` with v 0 or 1 (labelled); absent for detected boxes. */
  readonly keypoints?: readonly number[];
}

/**
 * The annotated persons, picture by picture. Crowds, objects without area or with all keypoint numbers 0, and boxes
 * outside the picture are left out; boxes are cleaned by {@link cleanBox}.
 * Source: `COCODataset._load_coco_keypoint_annotation_kernal` in `lib/dataset/coco.py` of
 * deep-high-resolution-net.pytorch.
 */
export function groundTruthRecords(dataset: CocoKeypointDataset, imageFolder: string): PersonRecord[] {
  const byImage = new Map<number, PersonRecord[]>();
  for (const annotation of dataset.annotations) {
    if (annotation.crowd || !annotation.keypoints.some((value) => value > 0)) continue;
    const image = dataset.images.get(annotation.imageId)!; // checked when the file was read
    const box = annotation.area > 0 ? cleanBox(annotation.box, image) : undefined;
    if (box === undefined) continue;
    const record: PersonRecord = {
      imageId: image.id,
      imagePath: join(imageFolder, image.fileName),
      categoryId: annotation.categoryId,
      box,
      score: 1,
      area: annotation.area,
      keypoints: annotation.keypoints.map((value, i) => (i % 3 === 2 ? Math.min(value, 1) : value)),
    };
    const list = byImage.get(image.id);
    if (list === undefined) byImage.set(image.id, [record]);
    else list.push(record);
  }
  return [...dataset.images.keys()].flatMap((id) => byImage.get(id) ?? []);
}

/**
 * A box as the original trains and evaluates with: its last pixel is `x + max(0, w − 1)`, cut to the picture's, and the
 * width is the difference, so one pixel less than annotated. A box that begins left of or above the picture is moved
 * inside, not cut. Source: as {@link groundTruthRecords}.
 * @returns `undefined` for a box outside the picture
 */
export function cleanBox(
  [x, y, width, height]: readonly [number, number, number, number],
  image: Pick<CocoImage, "width" | "height">,
): [number, number, number, number] | undefined {
  const x1 = Math.max(0, x);
  const y1 = Math.max(0, y);
  const x2 = Math.min(image.width - 1, x1 + Math.max(0, width - 1));
  const y2 = Math.min(image.height - 1, y1 + Math.max(0, height - 1));
  return x2 >= x1 && y2 >= y1 ? [x1, y1, x2 - x1, y2 - y1] : undefined;
}

/** What to take of a detections file. */
export interface DetectionRecordOptions {
  /** 1, COCO's person, by default. */
  readonly categoryId?: number;
  /** Detections below are left out: 0 by default, as in the published evaluations (`IMAGE_THRE`). */
  readonly scoreThreshold?: number;
}

/** Detected persons, and how many detections were left out for their picture is not in the split. */
export interface DetectionRecords {
  readonly records: readonly PersonRecord[];
  readonly onOtherImages: number;
}

/**
 * The detected persons, in the file's order, boxes as they are.
 * Source: `COCODataset._load_coco_person_detection_results`, which looks at category and score alone.
 * @throws HRNetError `invalid-data` when not one detection lies on a picture of the split, or a kept box has no extent
 */
export function detectionRecords(
  dataset: CocoKeypointDataset,
  detections: readonly CocoDetection[],
  imageFolder: string,
  { categoryId = 1, scoreThreshold = 0 }: DetectionRecordOptions = {},
): DetectionRecords {
  const records: PersonRecord[] = [];
  let onOtherImages = 0;
  detections.forEach((detection, index) => {
    if (detection.categoryId !== categoryId || detection.score < scoreThreshold) return;
    const image = dataset.images.get(detection.imageId);
    if (image === undefined) {
      onOtherImages++;
      return;
    }
    if (!(detection.box[2] > 0 && detection.box[3] > 0)) {
      throw new HRNetError(
        "invalid-data",
        `Detection ${index} (image ${image.id}) has the box [${detection.box.join(", ")}]; ` +
          "expected [x, y, width, height] with a width and height above 0.",
      );
    }
    records.push({
      imageId: image.id,
      imagePath: join(imageFolder, image.fileName),
      categoryId,
      box: detection.box,
      score: detection.score,
    });
  });
  if (records.length === 0 && onOtherImages > 0) {
    throw new HRNetError(
      "invalid-data",
      `None of ${onOtherImages} detections lies on a picture of ${dataset.source}. Were they made for another split?`,
    );
  }
  return { records, onOtherImages };
}
