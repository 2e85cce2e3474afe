// A segmentation model measured on labelled pictures.

import { readLabelMap } from "../data/read-label-map.ts";
import type { LabelledPicture } from "../data/segmentation-pairs.ts";
import { HRNetError } from "../errors.ts";
import { decodeImage } from "../image/decode.ts";
import type { RgbImage } from "../image/rgb-image.ts";
import { ConfusionMatrix, type SegmentationFigures } from "../metrics/confusion-matrix.ts";
import { type ClassTable, labelLookup } from "../segmentation/class-table.ts";
import { matchClasses } from "../segmentation/match-classes.ts";
import { mapAhead } from "./map-ahead.ts";
import type { Segmentation, Segmenter } from "./segmenter.ts";

/** How an evaluation is done. */
export interface SegmentationEvaluationOptions {
  /** The classes of the label maps, by the names of the segmenter's; by default these themselves. */
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
  /** Pictures that were counted. */
  readonly pictures: number;
  readonly matrix: ConfusionMatrix;
  /** What was done with each picture, in words: sizes, scales, windows, flip test. */
  readonly method: string;
  /** Pictures that could not be read, or whose labels could not; they are not counted. */
  readonly unreadable: readonly { readonly path: string; readonly reason: string }[];
}

/** Pictures decoded while the network works on one. */
const DECODING_AHEAD = 2;

/**
 * Segments every picture at its own size and counts its pixels by annotated and found class.
 * @throws HRNetError as `Segmenter.segment` and {@link matchClasses}; `invalid-data` when none of the pictures can be read; `aborted`
 */
export async function evaluateSegmentation(
  segmenter: Segmenter,
  pictures: readonly LabelledPicture[],
  options: SegmentationEvaluationOptions = {},
): Promise<SegmentationEvaluation> {
  const { classes, limit = Number.POSITIVE_INFINITY, signal, onProgress, onPicture } = options;
  const matrix = new ConfusionMatrix(segmenter.classes.classes.length);
  const lookup = labelLookup(classes ? matchClasses(classes, segmenter.classes) : segmenter.classes);
  const used = pictures.slice(0, limit);
  const unreadable: { path: string; reason: string }[] = [];
  let done = 0;
  const read = (picture: LabelledPicture) => readPicture(picture, lookup, signal);
  for await (const { picture, image, truth, reason } of mapAhead(used, DECODING_AHEAD, read, signal)) {
    if (image) {
      const found = await segmenter.segment(image, signal ? { signal } : {});
      matrix.add(truth, found.data);
      onPicture?.(picture, found, truth);
    } else unreadable.push({ path: picture.imagePath, reason });
    onProgress?.(++done, used.length);
  }
  if (unreadable.length === used.length && used.length > 0) {
    throw new HRNetError(
      "invalid-data",
      `None of the ${used.length} pictures can be used; the first: ${unreadable[0]!.reason}`,
    );
  }
  const counted = used.length - unreadable.length;
  return { ...matrix.figures(), pictures: counted, matrix, method: segmenter.method, unreadable };
}

/** A picture with its labels as classes, or why there is none. */
type ReadPicture =
  | {
      readonly picture: LabelledPicture;
      readonly image: RgbImage;
      readonly truth: Uint16Array;
      readonly reason?: never;
    }
  | {
      readonly picture: LabelledPicture;
      readonly image?: never;
      readonly truth?: never;
      readonly reason: string;
    };

async function readPicture(
  picture: LabelledPicture,
  lookup: Uint16Array,
  signal: AbortSignal | undefined,
): Promise<ReadPicture> {
  try {
    // Labels are made on the stored pixels.
    const image = await decodeImage(picture.imagePath, { orientation: "ignore", ...(signal && { signal }) });
    const labels = await readLabelMap(picture.labelPath);
    if (labels.width !== image.width || labels.height !== image.height) {
      const reason =
        `${picture.imagePath} has ${image.width}×${image.height} pixels, its label map ${labels.width}×${labels.height}; both must ` +
        "have one size.";
      return { picture, reason };
    }
    return { picture, image, truth: Uint16Array.from(labels.data, (label) => lookup[label]!) };
  } catch (error) {
    if (error instanceof HRNetError && error.code !== "aborted") return { picture, reason: error.message };
    throw error;
  }
}
