// Reads and writes COCO results files: predicted keypoints, detected boxes and masks.

import { HRNetError } from "../errors.ts";
import { writeFileAtomic } from "../files/atomic-write.ts";
import { readJsonFile } from "../files/json-file.ts";
import { compressCounts } from "../masks/compressed-counts.ts";
import type { RunLengthMask } from "../masks/run-length.ts";
import { FieldReader } from "./field-reader.ts";

/** A predicted pose. */
export interface CocoKeypointResult {
  readonly imageId: number;
  readonly categoryId: number;
  /** K×3, `[x, y, score]` in image pixels. */
  readonly keypoints: ArrayLike<number>;
  readonly score: number;
}

/** A detected box. */
export interface CocoDetection {
  readonly imageId: number;
  readonly categoryId: number;
  /** `[x, y, width, height]` in image pixels. */
  readonly box: readonly [number, number, number, number];
  readonly score: number;
  readonly mask?: RunLengthMask | undefined;
}

/** A mask as COCO's JSON has it: `size` height and width, `counts` compressed. */
export const cocoMask = ({
  width,
  height,
  counts,
}: RunLengthMask): { readonly size: readonly [number, number]; readonly counts: string } => ({
  size: [height, width],
  counts: compressCounts(counts),
});

/** Results written per chunk: about a megabyte. */
const RESULTS_PER_CHUNK = 1000;

/**
 * Reads predicted poses: `[{ "image_id", "category_id", "keypoints": [x, y, score, …], "score" }, …]`.
 * @param keypointCount K, when known: another number of keypoints is then an error
 * @throws HRNetError `file-not-found`, `read-failed`, `limit-exceeded`, `invalid-data` naming the entry's index and field
 */
export async function readCocoResults(path: string, keypointCount?: number): Promise<CocoKeypointResult[]> {
  const fields = new FieldReader(path);
  const entries = fields.array(await readJsonFile(path, "results file"), "the file");
  return entries.map((value, index) => {
    const where = `entry ${index}`;
    const entry = fields.object(value, where);
    const length = keypointCount === undefined ? undefined : 3 * keypointCount;
    return {
      imageId: fields.integer(entry, "image_id", where),
      categoryId: fields.integer(entry, "category_id", where),
      keypoints: fields.numbers(entry, "keypoints", where, length),
      score: fields.number(entry, "score", where),
    };
  });
}

/**
 * Writes predicted poses as a COCO results file, numbers unrounded.
 * @throws HRNetError `invalid-data` for a number that is not finite (JSON has none), `write-failed`
 */
export async function writeCocoResults(path: string, results: readonly CocoKeypointResult[]): Promise<void> {
  await writeFileAtomic(path, resultChunks(results, poseLine));
}

function* resultChunks<Result>(
  results: readonly Result[],
  resultLine: (result: Result, index: number) => string,
): Generator<Uint8Array> {
  const encoder = new TextEncoder();
  yield encoder.encode("[");
  for (let start = 0; start < results.length; start += RESULTS_PER_CHUNK) {
    const lines = results
      .slice(start, start + RESULTS_PER_CHUNK)
      .map((result, offset) => resultLine(result, start + offset));
    yield encoder.encode(`${start === 0 ? "" : ","}\n${lines.join(",\n")}`);
  }
  yield encoder.encode("\n]\n");
}

function poseLine({ imageId, categoryId, keypoints, score }: CocoKeypointResult, index: number): string {
  const numbers = Array.from(keypoints);
  requireFinite([score, ...numbers], index, imageId);
  return JSON.stringify({ image_id: imageId, category_id: categoryId, keypoints: numbers, score });
}

function detectionLine({ imageId, categoryId, box, score, mask }: CocoDetection, index: number): string {
  requireFinite([score, ...box], index, imageId);
  return JSON.stringify({
    image_id: imageId,
    category_id: categoryId,
    bbox: box,
    score,
    ...(mask && { segmentation: cocoMask(mask) }),
  });
}

/** JSON has no other numbers. */
function requireFinite(numbers: readonly number[], index: number, imageId: number): void {
  if (numbers.every(Number.isFinite)) return;
  throw new HRNetError(
    "invalid-data",
    `Result ${index} (image ${imageId}) has a score or coordinate that is not finite; it was not written.`,
  );
}

/**
 * Writes detected boxes as a COCO results file, numbers unrounded.
 * @throws HRNetError as {@link writeCocoResults}
 */
export async function writeCocoDetections(path: string, detections: readonly CocoDetection[]): Promise<void> {
  await writeFileAtomic(path, resultChunks(detections, detectionLine));
}

/**
 * Reads detected boxes: `[{ "image_id", "category_id", "bbox": [x, y, width, height], "score" }, …]`.
 * @throws HRNetError as {@link readCocoResults}
 */
export async function readCocoDetections(path: string): Promise<CocoDetection[]> {
  const fields = new FieldReader(path);
  const entries = fields.array(await readJsonFile(path, "detections file"), "the file");
  return entries.map((value, index) => {
    const where = `entry ${index}`;
    const entry = fields.object(value, where);
    return {
      imageId: fields.integer(entry, "image_id", where),
      categoryId: fields.integer(entry, "category_id", where),
      box: fields.box(entry, "bbox", where),
      score: fields.number(entry, "score", where),
    };
  });
}
