// A detector measured on annotated pictures.

import { outlineMask } from "../data/coco-instances.ts";
import type { DetectionPicture } from "../data/detection-sets.ts";
import { HRNetError } from "../errors.ts";
import { decodeImage } from "../image/decode.ts";
import type { RgbImage } from "../image/rgb-image.ts";
import type { RunLengthMask } from "../masks/run-length.ts";
import { type DetectionEvaluation, evaluateDetections } from "../metrics/detection-eval.ts";
import type { Detection, Detector } from "./detector.ts";
import { mapAhead } from "./map-ahead.ts";

/** How an evaluation is done. */
export interface DetectionEvaluationOptions {
  /** Only the first pictures. */
  readonly limit?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** After each picture. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Told of each picture and what was found in it. */
  readonly onPicture?: (picture: DetectionPicture, found: readonly Detection[]) => void;
}

/** An object found during an evaluation. */
export interface FoundObject {
  /** Place of the picture among those given. */
  readonly picture: number;
  /** Number of the class. */
  readonly class: number;
  /** `[x, y, width, height]` in pixels. */
  readonly box: Detection["box"];
  readonly score: number;
  /** Of detectors that give masks. */
  readonly mask?: RunLengthMask | undefined;
}

/** Figures of a data set, and where they come from. */
export interface DetectorEvaluation extends DetectionEvaluation {
  /** The figures of masks, where the detector gives them and the annotations have them; the others are of boxes. */
  readonly masks?: DetectionEvaluation | undefined;
  /** Pictures that were counted. */
  readonly pictures: number;
  /** What was found, in the order of the pictures. */
  readonly results: readonly FoundObject[];
  /** Pictures that could not be read; they are not counted. */
  readonly unreadable: readonly { readonly path: string; readonly reason: string }[];
}

/** Pictures decoded while the network works on one. */
const DECODING_AHEAD = 2;

/**
 * Finds the objects of every picture and compares them with the annotated ones as COCO's evaluation does.
 * @param pictures their objects numbered by the detector's classes
 * @throws HRNetError as `Detector.detect`; `invalid-data` when none of the pictures can be read; `aborted`
 */
export async function evaluateDetector(
  detector: Detector,
  pictures: readonly DetectionPicture[],
  { limit = Number.POSITIVE_INFINITY, signal, onProgress, onPicture }: DetectionEvaluationOptions = {},
): Promise<DetectorEvaluation> {
  const used = pictures.slice(0, limit);
  const unreadable: { path: string; reason: string }[] = [];
  const counted: number[] = [];
  const results: FoundObject[] = [];
  let done = 0;
  const read = (picture: DetectionPicture, index: number) => readPicture(picture, index, signal);
  for await (const { picture, index, image, reason } of mapAhead(used, DECODING_AHEAD, read, signal)) {
    if (image) {
      const found = await detector.detect(image, signal ? { signal } : {});
      counted.push(index);
      for (const { box, score, class: number, mask } of found)
        results.push({ picture: index, class: number, box, score, ...(mask && { mask }) });
      onPicture?.(picture, found);
    } else unreadable.push({ path: picture.path, reason: reason! });
    onProgress?.(++done, used.length);
  }
  if (counted.length === 0 && used.length > 0) {
    throw new HRNetError(
      "invalid-data",
      `None of the ${used.length} pictures can be used; the first: ${unreadable[0]!.reason}`,
    );
  }
  const masked =
    detector.findsMasks &&
    counted.every((index) => used[index]!.objects.every(({ outline }) => outline !== undefined));
  const annotations = counted.flatMap((imageId) =>
    used[imageId]!.objects.map(({ box, area, crowd, class: categoryId, outline }) => ({
      imageId,
      categoryId,
      box,
      area,
      crowd,
      ...(masked && { mask: outlineMask(outline!, used[imageId]!) }),
    })),
  );
  const truth = {
    imageIds: counted,
    categoryIds: detector.classes.classes.map((_, index) => index),
    annotations,
  };
  const detections = results.map(({ picture: imageId, class: categoryId, box, score, mask }) => ({
    imageId,
    categoryId,
    box,
    score,
    mask,
  }));
  return {
    ...evaluateDetections(truth, detections),
    ...(masked && { masks: evaluateDetections(truth, detections, { kind: "mask" }) }),
    pictures: counted.length,
    results,
    unreadable,
  };
}

async function readPicture(
  picture: DetectionPicture,
  index: number,
  signal: AbortSignal | undefined,
): Promise<{ picture: DetectionPicture; index: number; image?: RgbImage; reason?: string }> {
  try {
    // Boxes are made on the stored pixels.
    const image = await decodeImage(picture.path, { orientation: "ignore", ...(signal && { signal }) });
    return { picture, index, image };
  } catch (error) {
    if (error instanceof HRNetError && error.code !== "aborted")
      return { picture, index, reason: error.message };
    throw error;
  }
}
