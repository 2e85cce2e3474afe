// COCO keypoint evaluation: AP and AR over object keypoint similarity, for any skeleton.

import { HRNetError } from "../errors.ts";
import { type CocoEvaluation, evaluateCoco } from "./coco-eval.ts";
import type { EvalDetection, EvalGroundTruth } from "./coco-matching.ts";
import { type AreaRange, type CocoParams, KEYPOINT_PARAMS, KEYPOINT_SUMMARY } from "./coco-params.ts";
import { summarize } from "./coco-summary.ts";
import { invalidInput, requireKnownImages } from "./eval-input.ts";
import { type KeypointFigures, keypointFigures } from "./keypoint-figures.ts";
import { type OksPose, type OksTruth, oksSimilarity, oksVariances } from "./oks.ts";

/** An annotated person (or animal, or thing). */
export interface KeypointTruth extends OksTruth {
  readonly imageId: number;
  /** 1, COCO's person, by default. */
  readonly categoryId?: number | undefined;
  /** COCO's `iscrowd`; false by default. */
  readonly crowd?: boolean | undefined;
  /** COCO's `num_keypoints`: objects with 0 are ignored. Counted from `keypoints` by default. */
  readonly keypointCount?: number | undefined;
}

/** A predicted person. Its area is that of the box around all its keypoints, as in pycocotools. */
export interface KeypointResult extends OksPose {
  readonly imageId: number;
  /** 1, COCO's person, by default. */
  readonly categoryId?: number | undefined;
  readonly score: number;
}

/** The annotated side of an evaluation. */
export interface KeypointTruthSet {
  /** Every image of the split, also those without persons: what is found on them is wrong. */
  readonly imageIds: readonly number[];
  readonly annotations: readonly KeypointTruth[];
  /** Categories to evaluate; `[1]` by default. */
  readonly categoryIds?: readonly number[] | undefined;
}

/** Parameters of {@link evaluateKeypoints}. */
export interface KeypointEvalOptions {
  /** σ per keypoint, in the annotations' order; their number is the number of keypoints. */
  readonly sigmas: readonly number[];
  /** COCO's all, medium, large by default. The figures APm … ARl need ranges of these names. */
  readonly areaRanges?: readonly AreaRange[] | undefined;
  /** Best-scored persons considered per image: 20 by default. */
  readonly maxDetections?: number | undefined;
  /** 0.5, 0.55, … 0.95 by default. */
  readonly thresholds?: readonly number[] | undefined;
}

/** COCO's ten figures, 0 … 1; −1 where there is nothing to find. */
export type KeypointStats = Record<(typeof KEYPOINT_SUMMARY)[number]["name"], number>;

/** How much was evaluated. */
export interface KeypointEvalCounts {
  readonly images: number;
  /** Annotated persons that are to be found. */
  readonly persons: number;
  /** Annotated crowds and persons without a labelled keypoint. */
  readonly ignored: number;
  readonly results: number;
  /** Persons found at the lowest threshold. */
  readonly found: number;
}

/** What {@link evaluateKeypoints} returns. */
export interface KeypointEvaluation {
  readonly stats: KeypointStats;
  /** One entry per keypoint. */
  readonly perKeypoint: readonly KeypointFigures[];
  readonly counts: KeypointEvalCounts;
  /** Precision at every threshold, recall, category, area and limit; see {@link CocoEvaluation}. */
  readonly tables: CocoEvaluation<Truth, Result>;
}

type Truth = EvalGroundTruth & OksTruth;
type Result = EvalDetection & OksPose;

/**
 * Evaluates predicted poses as pycocotools does, for any number of keypoints. An empty list of results gives zeros.
 * @throws HRNetError `invalid-data` for numbers that are not finite, keypoints that do not fit the sigmas, images that
 * the annotations do not know; `usage` for sigmas or other parameters without meaning
 */
export function evaluateKeypoints(
  truthSet: KeypointTruthSet,
  results: readonly KeypointResult[],
  options: KeypointEvalOptions,
): KeypointEvaluation {
  const { sigmas } = options;
  if (sigmas.length === 0 || !sigmas.every((sigma) => sigma > 0 && Number.isFinite(sigma))) {
    throw new HRNetError(
      "usage",
      `sigmas is [${sigmas.join(", ")}]; expected one number above 0 per keypoint.`,
    );
  }
  const params: CocoParams = {
    ...KEYPOINT_PARAMS,
    ...(options.areaRanges && { areaRanges: options.areaRanges }),
    ...(options.thresholds && { thresholds: options.thresholds }),
    ...(options.maxDetections !== undefined && { maxDetections: [options.maxDetections] }),
  };
  const images = new Set(truthSet.imageIds);
  const truths = truthSet.annotations.map((annotation, index) => toTruth(annotation, index, sigmas.length));
  requireKnownImages(truths, images, "annotations");
  const detections = results.map((result, index) => toResult(result, index, sigmas.length));
  requireKnownImages(detections, images, "results");

  const variances = oksVariances(sigmas);
  const categoryIds = truthSet.categoryIds ?? [1];
  const tables = evaluateCoco<Truth, Result>(
    { imageIds: truthSet.imageIds, categoryIds, truths },
    detections,
    (gts, dts) => oksSimilarity(gts, dts, variances),
    params,
  );
  const wanted = new Set(categoryIds);
  const evaluated = truths.filter((truth) => wanted.has(truth.categoryId));
  const persons = evaluated.filter((truth) => !truth.ignore);
  return {
    stats: summarize(tables, KEYPOINT_SUMMARY),
    perKeypoint: keypointFigures(persons, tables.matched, variances),
    counts: {
      images: images.size,
      persons: persons.length,
      ignored: evaluated.length - persons.length,
      results: detections.length,
      found: tables.matched.length,
    },
    tables,
  };
}

function toTruth(annotation: KeypointTruth, index: number, K: number): Truth {
  const { imageId, keypoints, area, box, categoryId = 1, crowd = false } = annotation;
  const where = `annotations[${index}] (image ${imageId})`;
  checkKeypoints(keypoints, K, where);
  if (!Number.isFinite(area)) throw invalidInput(`${where} has the area ${area}; expected a finite number`);
  if (box.length !== 4 || !Array.from(box).every(Number.isFinite)) {
    throw invalidInput(`${where} has the box [${Array.from(box).join(", ")}]; expected four finite numbers`);
  }
  const keypointCount = annotation.keypointCount ?? countLabelled(keypoints);
  return { imageId, categoryId, area, box, keypoints, crowd, ignore: crowd || keypointCount === 0 };
}

function toResult(result: KeypointResult, index: number, K: number): Result {
  const { imageId, keypoints, score, categoryId = 1 } = result;
  const where = `results[${index}] (image ${imageId})`;
  checkKeypoints(keypoints, K, where);
  if (!Number.isFinite(score))
    throw invalidInput(`${where} has the score ${score}; expected a finite number`);
  return { imageId, categoryId, keypoints, score, area: extentArea(keypoints) };
}

/** Area of the box around all keypoints, however low their scores. Source: `COCO.loadRes` of pycocotools. */
function extentArea(keypoints: ArrayLike<number>): number {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let i = 0; i < keypoints.length; i += 3) {
    left = Math.min(left, keypoints[i]!);
    right = Math.max(right, keypoints[i]!);
    top = Math.min(top, keypoints[i + 1]!);
    bottom = Math.max(bottom, keypoints[i + 1]!);
  }
  return (right - left) * (bottom - top);
}

function countLabelled(keypoints: ArrayLike<number>): number {
  let count = 0;
  for (let i = 2; i < keypoints.length; i += 3) if (keypoints[i]! > 0) count++;
  return count;
}

function checkKeypoints(keypoints: ArrayLike<number>, K: number, where: string): void {
  if (keypoints.length !== 3 * K) {
    throw invalidInput(
      `${where} has ${keypoints.length} keypoint numbers; expected ${3 * K}, x, y and a third for each of the ` +
        `${K} sigmas. Pass the sigmas of the skeleton that the data has`,
    );
  }
  for (let i = 0; i < keypoints.length; i++) {
    if (i % 3 === 2 || Number.isFinite(keypoints[i])) continue; // the third number of a result plays no part
    throw invalidInput(
      `${where}: keypoint ${Math.floor(i / 3)} has ${i % 3 === 0 ? "x" : "y"} = ${keypoints[i]}; expected a finite number`,
    );
  }
}
