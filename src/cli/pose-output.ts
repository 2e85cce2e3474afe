// What a picture's poses become: a drawn picture and a JSON record, written whole, the record last.

import { writeFileAtomic } from "../files/atomic-write.ts";
import { encodeImage } from "../image/encode.ts";
import type { RgbImage } from "../image/rgb-image.ts";
import { drawPoses } from "../pose/draw-pose.ts";
import type { Person } from "../pose/types.ts";
import type { Skeleton } from "../skeleton/skeleton.ts";
import type { DrawFormat, OutputPaths, PictureRecord } from "./picture-output.ts";
import type { RunFolder } from "./run-folder.ts";

/** The JSON of one picture. */
export interface PoseRecord extends PictureRecord {
  readonly persons: readonly Person[];
}

/** How pictures are drawn. */
export interface DrawOptions {
  readonly format: DrawFormat;
  /** Keypoints below this score are not drawn. */
  readonly minScore: number;
}

/** Decimals kept: a thousandth of a pixel, far below any keypoint's accuracy, and a readable file. */
const rounded = (value: number, decimals: number): number => Number(value.toFixed(decimals));

/** The record of a picture. */
export function recordOf(
  source: string,
  { width, height }: RgbImage,
  model: string,
  persons: readonly Person[],
  run?: RunFolder,
): PoseRecord {
  return {
    source,
    width,
    height,
    model,
    ...(run && { run: run.id }),
    persons: persons.map(({ keypoints, score, box }) => ({
      score: rounded(score, 5),
      box: box.map((value) => rounded(value, 3)) as unknown as Person["box"],
      keypoints: keypoints.map((keypoint) => ({
        name: keypoint.name,
        x: rounded(keypoint.x, 3),
        y: rounded(keypoint.y, 3),
        score: rounded(keypoint.score, 5),
      })),
    })),
  };
}

/**
 * Writes the drawn picture, then the record. Draws into `image`.
 * @throws HRNetError `write-failed`, `invalid-image`.
 */
export async function writeResults(
  paths: OutputPaths,
  record: PoseRecord,
  image: RgbImage,
  skeleton: Skeleton,
  { format, minScore }: DrawOptions,
): Promise<void> {
  if (paths.drawn !== undefined && format !== "none") {
    drawPoses(image, record.persons, skeleton, { minScore });
    await writeFileAtomic(paths.drawn, await encodeImage(image, format === "jpg" ? "jpeg" : "png"));
  }
  await writeFileAtomic(paths.record, `${JSON.stringify(record)}\n`);
}

/** COCO's category of persons. */
const PERSON_CATEGORY = 1;

/**
 * A picture's persons as COCO results. Without `bbox`: pycocotools takes the box of the keypoints themselves, and other evaluators let a
 * stated box decide the size class.
 */
export function cocoPoses({ persons }: PoseRecord, imageId: number): object[] {
  return persons.map(({ keypoints, score }) => ({
    image_id: imageId,
    category_id: PERSON_CATEGORY,
    keypoints: keypoints.flatMap((keypoint) => [keypoint.x, keypoint.y, keypoint.score]),
    score,
  }));
}
