// Validation of a segmentation network during its training: mIoU on labelled pictures.

import { readLabelMap } from "../data/read-label-map.ts";
import { findLabelledPictures, type LabelledPicture } from "../data/segmentation-pairs.ts";
import { evaluateSegmentation, type SegmentationEvaluation } from "../estimators/evaluate-segmentation.ts";
import { type Segmentation, Segmenter } from "../estimators/segmenter.ts";
import { decodeImage } from "../image/decode.ts";
import type { LabelMap } from "../image/label-map.ts";
import { rgbImage } from "../image/rgb-image.ts";
import type { Model } from "../model-file/import-checkpoint.ts";
import { shuffle, uniformRandom } from "../random/random.ts";
import type { SegmentationRecipe } from "../recipe/schema.ts";
import { sideBySide } from "../report/draw-sample.ts";
import type { GalleryItem, ReportTable } from "../report/run-report.ts";
import { type ClassTable, labelLookup } from "../segmentation/class-table.ts";
import { drawSegmentation } from "../segmentation/draw-segmentation.ts";
import { INFERENCE_METHODS } from "../segmentation/inference-method.ts";
import { setFolders } from "./segmentation-sets.ts";
import type { Validation, ValidationOptions } from "./training-task.ts";

/**
 * The labelled pictures that measure a recipe's run; `undefined` where it names none.
 * @throws HRNetError as `findLabelledPictures`
 */
export async function findValidationPictures({
  data,
}: Pick<SegmentationRecipe, "data">): Promise<readonly LabelledPicture[] | undefined> {
  return data.validation === null ? undefined : findLabelledPictures(setFolders(data.validation, data));
}

/** A picture of the report: what was found in it. */
interface ShownPicture {
  readonly picture: LabelledPicture;
  readonly found: Segmentation;
  /** Share of its classified pixels that were found right; 1 where none is classified. */
  readonly accuracy: number;
}

/** Pictures under each heading of the report. */
const MOST_SHOWN = 8;

/**
 * Measures a model on the validation data of its recipe.
 * @throws HRNetError as the evaluation; `aborted`
 */
export async function validateSegmentation(
  recipe: SegmentationRecipe,
  model: Model,
  pictures: readonly LabelledPicture[],
  { signal, onProgress, ...device }: ValidationOptions,
): Promise<Validation> {
  const { flipTest, limit } = recipe.validate;
  const method = recipe.inference === "whole" ? undefined : INFERENCE_METHODS[recipe.inference];
  await using segmenter = await Segmenter.load(model, { ...device, flipTest, ...(method && { method }) });
  const { classes } = segmenter;
  const order = shuffle(
    pictures.slice(0, limit ?? undefined).map((_, index) => index),
    uniformRandom(recipe.seed),
  );
  const wanted = new Set(Array.from(order.slice(0, MOST_SHOWN), (index) => pictures[index]!));
  const chosen: ShownPicture[] = [];
  let worst: ShownPicture[] = [];
  const evaluation = await evaluateSegmentation(segmenter, pictures, {
    limit: limit ?? undefined,
    ...(signal && { signal }),
    ...(onProgress && { onProgress }),
    onPicture: (picture, found, truth) => {
      const shown = { picture, found, accuracy: accuracyOf(found, truth, classes) };
      if (wanted.has(picture)) chosen.push(shown);
      worst = [...worst, shown].sort((a, b) => a.accuracy - b.accuracy).slice(0, MOST_SHOWN);
    },
  });
  return {
    main: "mIoU",
    metrics: {
      mIoU: evaluation.meanIou,
      "pixel accuracy": evaluation.pixelAccuracy,
      "mean accuracy": evaluation.meanAccuracy,
    },
    headline: ["mIoU", "pixel accuracy", "mean accuracy"],
    tables: tablesOf(evaluation, classes),
    notes:
      evaluation.unreadable.length > 0
        ? [
            `${evaluation.unreadable.length} pictures could not be used and are not counted; the first: ${evaluation.unreadable[0]!.reason}`,
          ]
        : [],
    pictures: async () => ({
      chosen: await Promise.all(chosen.map((shown) => drawPicture(shown, classes))),
      worst: await Promise.all(worst.map((shown) => drawPicture(shown, classes))),
    }),
  };
}

function accuracyOf(found: Segmentation, truth: Uint16Array, { classes }: ClassTable): number {
  let classified = 0;
  let right = 0;
  truth.forEach((label, at) => {
    if (label >= classes.length) return;
    classified++;
    if (found.data[at] === label) right++;
  });
  return classified === 0 ? 1 : right / classified;
}

function tablesOf(
  { classes: figures, pictures, matrix }: SegmentationEvaluation,
  { classes }: ClassTable,
): ReportTable[] {
  const percent = (share: number): number => Number((100 * share).toFixed(1));
  /** The class that a class's pixels were most often taken for instead. */
  const taken = (row: number): string => {
    const others = classes.map((_, column) =>
      column === row ? 0 : matrix.counts[row * classes.length + column]!,
    );
    const most = Math.max(...others);
    return most > 0 ? classes[others.indexOf(most)]! : "–";
  };
  return [
    {
      title: "By class",
      note: `${pictures} pictures. IoU: pixels that are annotated and found as the class, of those that are either.`,
      columns: ["class", "pixels", "IoU, %", "found, %", "most often taken for"],
      rows: figures.map(({ iou, accuracy, pixels }, index) => [
        classes[index]!,
        pixels,
        percent(iou),
        percent(accuracy),
        taken(index),
      ]),
    },
  ];
}

/** The picture, the truth on it, and what was found. */
async function drawPicture(
  { picture, found, accuracy }: ShownPicture,
  classes: ClassTable,
): Promise<GalleryItem> {
  const image = await decodeImage(picture.imagePath, { orientation: "ignore" });
  const lookup = labelLookup(classes);
  const labels = await readLabelMap(picture.labelPath);
  const truth: LabelMap = { ...labels, data: Uint16Array.from(labels.data, (label) => lookup[label]!) };
  const drawn = [truth, found].map((map) => {
    const copy = rgbImage(image.width, image.height, image.data.slice());
    drawSegmentation(copy, map, classes);
    return copy;
  });
  return {
    image: sideBySide([image, ...drawn]),
    caption: `${picture.name}: ${(100 * accuracy).toFixed(1)} % of the pixels right`,
  };
}
