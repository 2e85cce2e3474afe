// A segmentation model measured on labelled pictures.

import { readLabelMap } from "../data/read-label-map.ts";
import type { LabelledPicture } from "../data/segmentation-pairs.ts";
import { HRNetError } from "../errors.ts";
import { decodeImage } from "../image/decode.ts";
import { ConfusionMatrix, type SegmentationFigures } from "../metrics/confusion-matrix.ts";
import { type ClassTable, labelLookup } from "../segmentation/class-table.ts";
import type { Segmentation, Segmenter } from "./segmenter.ts";

/** How an evaluation is done. */
export interface SegmentationEvaluationOptions {
  /** The numbers in the label maps; the segmenter's classes by default. */
  readonly classes?: ClassTable | undefined;
  /** Only the first pictures. */
  readonly limit?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** After each picture. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Told of each picture: what was found, beside the truth as classes (255, or 65535 of many classes: ignored). */
  readonly onPicture?: (picture: LabelledPicture, found: Segmentation, truth: Uint16Array) => void;
}

/** Figures of a data set, and where they come from. */
export interface SegmentationEvaluation extends SegmentationFigures {
  readonly pictures: number;
  readonly matrix: ConfusionMatrix;
}

/**
 * Segments every picture at its own size and counts its pixels by annotated and found class.
 * @throws HRNetError as `decodeImage`, `readLabelMap` and `Segmenter.segment`; `invalid-data` for a label map of another size than its picture;
 * `aborted`
 */
export async function evaluateSegmentation(
  segmenter: Segmenter,
  pictures: readonly LabelledPicture[],
  options: SegmentationEvaluationOptions = {},
): Promise<SegmentationEvaluation> {
  const {
    classes = segmenter.classes,
    limit = Number.POSITIVE_INFINITY,
    signal,
    onProgress,
    onPicture,
  } = options;
  const matrix = new ConfusionMatrix(segmenter.classes.classes.length);
  const lookup = labelLookup(classes);
  const used = pictures.slice(0, limit);
  let done = 0;
  for (const picture of used) {
    // Labels are made on the stored pixels.
    const image = await decodeImage(picture.imagePath, { orientation: "ignore", ...(signal && { signal }) });
    const labels = await readLabelMap(picture.labelPath);
    if (labels.width !== image.width || labels.height !== image.height) {
      throw new HRNetError(
        "invalid-data",
        `${picture.imagePath} has ${image.width}×${image.height} pixels, its label map ${labels.width}×${labels.height}; both must ` +
          "have one size.",
      );
    }
    const found = await segmenter.segment(image, signal ? { signal } : {});
    const truth = Uint16Array.from(labels.data, (label) => lookup[label]!);
    matrix.add(truth, found.data);
    onPicture?.(picture, found, truth);
    onProgress?.(++done, used.length);
  }
  return { ...matrix.figures(), pictures: used.length, matrix };
}
