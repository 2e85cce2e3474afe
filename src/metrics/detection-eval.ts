// COCO evaluation of boxes and of masks: AP and AR over intersection over union.

import type { HRNetError } from "../errors.ts";
import { maskArea, maskIou, type RunLengthMask } from "../masks/run-length.ts";
import { boxSimilarity, type IouBox } from "./box-iou.ts";
import { type CocoEvaluation, evaluateCoco } from "./coco-eval.ts";
import type { EvalDetection, EvalGroundTruth } from "./coco-matching.ts";
import { type AreaRange, BOX_PARAMS, BOX_SUMMARY, type CocoParams } from "./coco-params.ts";
import { summarize } from "./coco-summary.ts";
import { invalidInput, requireKnownImages } from "./eval-input.ts";

/** What is compared. */
export type DetectionEvalKind = "box" | "mask";

/** An annotated object. */
export interface DetectionTruth {
  readonly imageId: number;
  readonly categoryId: number;
  /** `[x, y, width, height]` in pixels. */
  readonly box: IouBox;
  /** COCO's `area`: the mask's, in square pixels. */
  readonly area: number;
  /** COCO's `iscrowd`; false by default. */
  readonly crowd?: boolean | undefined;
  /** Needed to evaluate masks. */
  readonly mask?: RunLengthMask | undefined;
}

/** A detected object. */
export interface DetectionResult {
  readonly imageId: number;
  readonly categoryId: number;
  readonly score: number;
  /** `[x, y, width, height]` in pixels. */
  readonly box: IouBox;
  /** Needed to evaluate masks. */
  readonly mask?: RunLengthMask | undefined;
}

/** The annotated side of an evaluation. */
export interface DetectionTruthSet {
  /** Every image of the split, also those without objects: what is found on them is wrong. */
  readonly imageIds: readonly number[];
  readonly categoryIds: readonly number[];
  readonly annotations: readonly DetectionTruth[];
}

/** Parameters of {@link evaluateDetections}. */
export interface DetectionEvalOptions {
  /** What similarity is of. Default `box`. */
  readonly kind?: DetectionEvalKind | undefined;
  /**
   * Whose area decides the range of an unmatched mask: its own (default), or its box's, as in results that hold both and in the
   * figures of papers from before mmdetection 2.12. Without meaning for boxes.
   */
  readonly maskAreaFrom?: "mask" | "box" | undefined;
  /** COCO's all, small, medium, large by default. The figures APs … ARl need ranges of these names. */
  readonly areaRanges?: readonly AreaRange[] | undefined;
  /** Ascending; 1, 10, 100 by default. The figures AR1 … AR100 need these. */
  readonly maxDetections?: readonly number[] | undefined;
  /** 0.5, 0.55, … 0.95 by default. */
  readonly thresholds?: readonly number[] | undefined;
}

/** COCO's twelve figures, 0 … 1; −1 where there is nothing to find. */
export type DetectionStats = Record<(typeof BOX_SUMMARY)[number]["name"], number>;

/** Figures of one category. */
export interface CategoryFigures {
  readonly categoryId: number;
  /** −1 where there is nothing to find. */
  readonly AP: number;
  readonly AP50: number;
  readonly AR100: number;
  /** Annotated objects that are to be found, and results. */
  readonly objects: number;
  readonly results: number;
}

/** What {@link evaluateDetections} returns. */
export interface DetectionEvaluation {
  readonly stats: DetectionStats;
  /** By ascending id. */
  readonly perCategory: readonly CategoryFigures[];
  readonly counts: {
    readonly images: number;
    /** Annotated objects that are to be found, and crowds. */
    readonly objects: number;
    readonly crowds: number;
    readonly results: number;
  };
  /** Precision at every threshold, recall, category, area and limit; see {@link CocoEvaluation}. */
  readonly tables: CocoEvaluation<Truth, Result>;
}

type Truth = EvalGroundTruth & { readonly box: IouBox; readonly mask: RunLengthMask | undefined };
type Result = EvalDetection & { readonly box: IouBox; readonly mask: RunLengthMask | undefined };

/**
 * Evaluates detections as pycocotools does. An empty list of results gives zeros.
 * @throws HRNetError `invalid-data` for numbers that are not finite, images that the annotations do not know, missing
 * masks where masks are compared; `usage` for parameters without meaning
 */
export function evaluateDetections(
  truthSet: DetectionTruthSet,
  results: readonly DetectionResult[],
  options: DetectionEvalOptions = {},
): DetectionEvaluation {
  const { kind = "box", maskAreaFrom = "mask" } = options;
  const params: CocoParams = {
    ...BOX_PARAMS,
    ...(options.areaRanges && { areaRanges: options.areaRanges }),
    ...(options.thresholds && { thresholds: options.thresholds }),
    ...(options.maxDetections && { maxDetections: options.maxDetections }),
  };
  const images = new Set(truthSet.imageIds);
  const truths = truthSet.annotations.map((annotation, index) => toTruth(annotation, index, kind));
  requireKnownImages(truths, images, "annotations");
  const byMask = kind === "mask" && maskAreaFrom === "mask";
  const detections = results.map((result, index) => toResult(result, index, kind, byMask));
  requireKnownImages(detections, images, "results");
  const { imageIds, categoryIds } = truthSet;
  const tables = evaluateCoco<Truth, Result>(
    { imageIds, categoryIds, truths },
    detections,
    kind === "box" ? boxSimilarity : maskSimilarity,
    params,
  );
  const wanted = new Set(categoryIds);
  const evaluated = truths.filter(({ categoryId }) => wanted.has(categoryId));
  const objects = evaluated.filter(({ ignore }) => !ignore);
  return {
    stats: summarize(tables, BOX_SUMMARY),
    perCategory: tables.categoryIds.map((id) => categoryFigures(tables, id, objects, detections)),
    counts: {
      images: images.size,
      objects: objects.length,
      crowds: evaluated.length - objects.length,
      results: detections.length,
    },
    tables,
  };
}

/** IoU of each detection's mask with each ground truth's, D×G row by row; 0 where the boxes do not meet. */
function maskSimilarity(truths: readonly Truth[], detections: readonly Result[]): Float64Array {
  const similarities = new Float64Array(detections.length * truths.length);
  let at = 0;
  for (const detection of detections) {
    for (const truth of truths) similarities[at++] = maskIou(detection.mask!, truth.mask!, truth.crowd);
  }
  return similarities;
}

function categoryFigures(
  tables: CocoEvaluation<Truth, Result>,
  categoryId: number,
  objects: readonly Truth[],
  detections: readonly Result[],
): CategoryFigures {
  const { params, categoryIds, precision, recall } = tables;
  const k = categoryIds.indexOf(categoryId);
  const [T, R, K] = [params.thresholds.length, params.recallThresholds.length, categoryIds.length];
  const [A, M] = [params.areaRanges.length, params.maxDetections.length];
  const most = M - 1;
  const precisionAt = (t: number): number => {
    let sum = 0;
    for (let r = 0; r < R; r++) sum += precision[(((t * R + r) * K + k) * A + 0) * M + most]!;
    return sum / R;
  };
  const thresholds = params.thresholds.map((_, t) => t);
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / T;
  const half = params.thresholds.indexOf(0.5);
  return {
    categoryId,
    AP: mean(thresholds.map(precisionAt)),
    AP50: half < 0 ? -1 : precisionAt(half),
    AR100: mean(thresholds.map((t) => recall[((t * K + k) * A + 0) * M + most]!)),
    objects: objects.filter((object) => object.categoryId === categoryId).length,
    results: detections.filter((detection) => detection.categoryId === categoryId).length,
  };
}

function toTruth(annotation: DetectionTruth, index: number, kind: DetectionEvalKind): Truth {
  const { imageId, categoryId, box, area, crowd = false, mask } = annotation;
  const where = `annotations[${index}] (image ${imageId})`;
  checkBox(box, where);
  if (!Number.isFinite(area)) throw invalidInput(`${where} has the area ${area}; expected a finite number`);
  if (kind === "mask" && !mask) throw noMask(where);
  return { imageId, categoryId, box, area, crowd, ignore: crowd, mask };
}

function toResult(result: DetectionResult, index: number, kind: DetectionEvalKind, byMask: boolean): Result {
  const { imageId, categoryId, box, score, mask } = result;
  const where = `results[${index}] (image ${imageId})`;
  checkBox(box, where);
  if (!Number.isFinite(score))
    throw invalidInput(`${where} has the score ${score}; expected a finite number`);
  if (kind === "mask" && !mask) throw noMask(where);
  const area = byMask && mask ? maskArea(mask) : box[2]! * box[3]!;
  return { imageId, categoryId, box, score, area, mask };
}

function checkBox(box: IouBox, where: string): void {
  if (box.length === 4 && Array.from(box).every(Number.isFinite)) return;
  throw invalidInput(`${where} has the box [${Array.from(box).join(", ")}]; expected four finite numbers`);
}

const noMask = (where: string): HRNetError =>
  invalidInput(`${where} has no mask, and masks are to be compared. Evaluate boxes, or add masks`);
