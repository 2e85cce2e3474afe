// What segmentations are measured by: a confusion matrix over all pixels of a data set, and the figures drawn from it.

import { HRNetError } from "../errors.ts";

/** Figures of one class, 0 … 1; NaN where nothing of the class was annotated (accuracy) or annotated or found (IoU). */
export interface ClassFigures {
  /** Share of the class's pixels that were found. */
  readonly accuracy: number;
  /** Pixels that are both, of those that are either, annotated as the class or found to be it. */
  readonly iou: number;
  /** Annotated pixels. */
  readonly pixels: number;
}

/** Figures of a data set, 0 … 1. */
export interface SegmentationFigures {
  /** Share of all pixels that were found right. */
  readonly pixelAccuracy: number;
  /** Means over all K classes; a class that does not occur counts as 0, as in the official code. */
  readonly meanAccuracy: number;
  readonly meanIou: number;
  /** The mean IoU over the classes that were annotated or found, as mmsegmentation reports it; NaN when none was. */
  readonly meanIouOfPresent: number;
  readonly classes: readonly ClassFigures[];
}

/**
 * Counts, for every pair of classes, the pixels annotated as the one and found to be the other, over any number of
 * pictures: mIoU is that of a data set, no mean over pictures. Source: `get_confusion_matrix` in `lib/utils/utils.py` and
 * `testval` in `lib/core/function.py` of HRNet-Semantic-Segmentation.
 */
export class ConfusionMatrix {
  readonly classes: number;
  /** K×K counts: row = annotated class, column = class found. Exact up to 2⁵³ pixels. */
  readonly counts: Float64Array;

  /** @throws HRNetError `invalid-config` for a number of classes that is no whole number from 1 to 65535 */
  constructor(classes: number) {
    if (!Number.isInteger(classes) || classes < 1 || classes > 65_535) {
      throw new HRNetError("invalid-config", `A confusion matrix has 1 to 65535 classes, not ${classes}.`);
    }
    this.classes = classes;
    this.counts = new Float64Array(classes * classes);
  }

  /**
   * Counts the pixels of a picture.
   * @param truth a class for each pixel; numbers that are no class are ignored
   * @param found as many classes, all below K
   * @throws HRNetError `invalid-shape` for maps of different sizes; `invalid-data` for a class found that there is not
   */
  add(truth: ArrayLike<number>, found: ArrayLike<number>): void {
    const { classes, counts } = this;
    if (truth.length !== found.length) {
      throw new HRNetError(
        "invalid-shape",
        `An annotation of ${truth.length} pixels was compared with a prediction of ${found.length}; both must have one size.`,
      );
    }
    for (let i = 0; i < truth.length; i++) {
      const wanted = truth[i]!;
      if (!(wanted >= 0 && wanted < classes)) continue;
      const given = found[i]!;
      if (!(given >= 0 && given < classes)) {
        throw new HRNetError(
          "invalid-data",
          `Pixel ${i} was found to be of class ${given}; there are ${classes} classes.`,
        );
      }
      counts[wanted * classes + given]! += 1;
    }
  }

  /**
   * Accuracy = TP / max(1, annotated), IoU = TP / max(1, annotated + found − TP) by class, as the official code has them but for the
   * NaN of absent classes, which its means count as 0.
   */
  figures(): SegmentationFigures {
    const { classes, counts } = this;
    const annotated = new Float64Array(classes);
    const found = new Float64Array(classes);
    for (let row = 0; row < classes; row++) {
      for (let column = 0; column < classes; column++) {
        const count = counts[row * classes + column]!;
        annotated[row]! += count;
        found[column]! += count;
      }
    }
    const right = Array.from({ length: classes }, (_, c) => counts[c * classes + c]!);
    const figures = right.map((correct, c): ClassFigures => {
      const pixels = annotated[c]!;
      return { accuracy: correct / pixels, iou: correct / (pixels + found[c]! - correct), pixels };
    });
    const total = annotated.reduce((sum, count) => sum + count, 0);
    const present = figures.map(({ iou }) => iou).filter((iou) => !Number.isNaN(iou));
    return {
      pixelAccuracy: right.reduce((sum, count) => sum + count, 0) / total,
      meanAccuracy: sumOf(figures.map(({ accuracy }) => accuracy)) / classes,
      meanIou: sumOf(present) / classes,
      meanIouOfPresent: sumOf(present) / present.length,
      classes: figures,
    };
  }
}

/** The sum of what is a number. */
const sumOf = (values: readonly number[]): number =>
  values.reduce((sum, value) => (Number.isNaN(value) ? sum : sum + value), 0);
