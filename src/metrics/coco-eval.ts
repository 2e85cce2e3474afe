// The COCO evaluation, for any kind of object that has a similarity: keypoints, boxes, masks.

import { accumulate, type ScoredMatches } from "./coco-accumulate.ts";
import { type EvalDetection, type EvalGroundTruth, matchImage, stableOrder } from "./coco-matching.ts";
import { type CocoParams, checkParams } from "./coco-params.ts";

/**
 * Similarity of each detection with each ground truth of one image and category, 0 … 1.
 * @returns D×G, row by row
 */
export type SimilarityFunction<G, D> = (truths: readonly G[], detections: readonly D[]) => Float64Array;

/** What to evaluate against. */
export interface EvalSet<G> {
  /** Every image of the split, also those without an object: a detection on them is wrong. */
  readonly imageIds: readonly number[];
  /** Every category. */
  readonly categoryIds: readonly number[];
  readonly truths: readonly G[];
}

/** A pair of a detection and the ground truth it was matched with. */
export interface MatchedPair<G, D> {
  readonly truth: G;
  readonly detection: D;
}

/** The tables of an evaluation. −1 stands wherever a category has nothing to find in an area range. */
export interface CocoEvaluation<G, D> {
  readonly params: CocoParams;
  /** Ascending; the order of the tables' categories. */
  readonly categoryIds: readonly number[];
  /** T×R×K×A×M (thresholds, recall thresholds, categories, area ranges, maxDetections), the last fastest. */
  readonly precision: Float64Array;
  /** T×K×A×M. */
  readonly recall: Float64Array;
  /** Pairs at the first threshold in the first area range, ignored ground truth left out. */
  readonly matched: readonly MatchedPair<G, D>[];
}

/**
 * Runs the COCO evaluation: per category and image match, per category accumulate. Equal to pycocotools except that an
 * annotation's id plays no part (there, an annotation with id 0 can never be matched).
 * Detections of categories or images that the set does not list are not looked at.
 * @throws HRNetError `usage` for parameters without meaning
 */
export function evaluateCoco<G extends EvalGroundTruth, D extends EvalDetection>(
  set: EvalSet<G>,
  detections: readonly D[],
  similarity: SimilarityFunction<G, D>,
  params: CocoParams,
): CocoEvaluation<G, D> {
  checkParams(params);
  const ascending = (ids: readonly number[]) => [...new Set(ids)].sort((a, b) => a - b);
  const categoryIds = ascending(set.categoryIds);
  const imageIds = ascending(set.imageIds);
  const [T, R, K] = [params.thresholds.length, params.recallThresholds.length, categoryIds.length];
  const [A, M] = [params.areaRanges.length, params.maxDetections.length];
  const truthsOf = groupByCategoryAndImage(set.truths);
  const detectionsOf = groupByCategoryAndImage(detections);
  const most = params.maxDetections[M - 1]!;

  const precision = new Float64Array(T * R * K * A * M).fill(-1);
  const recall = new Float64Array(T * K * A * M).fill(-1);
  const matched: MatchedPair<G, D>[] = [];
  categoryIds.forEach((categoryId, k) => {
    const images = params.areaRanges.map((): ScoredMatches[] => []);
    for (const imageId of imageIds) {
      const truths = truthsOf.get(categoryId)?.get(imageId) ?? [];
      const found = bestOf(detectionsOf.get(categoryId)?.get(imageId) ?? [], most);
      if (truths.length === 0 && found.length === 0) continue;
      const scores = Float64Array.from(found, (detection) => detection.score);
      const similarities =
        truths.length === 0 || found.length === 0 ? new Float64Array(0) : similarity(truths, found);
      params.areaRanges.forEach((range, a) => {
        const matches = matchImage(truths, found, similarities, params.thresholds, range);
        images[a]!.push({ ...matches, scores });
        if (a > 0) return;
        found.forEach((detection, d) => {
          const g = matches.matches[d]!;
          if (g >= 0 && matches.ignored[d] === 0) matched.push({ truth: truths[g]!, detection });
        });
      });
    }
    for (let a = 0; a < A; a++) {
      for (let m = 0; m < M; m++) {
        const curves = accumulate(images[a]!, T, params.recallThresholds, params.maxDetections[m]!);
        if (curves === undefined) continue;
        for (let t = 0; t < T; t++) {
          recall[((t * K + k) * A + a) * M + m] = curves.recall[t]!;
          for (let r = 0; r < R; r++) {
            precision[(((t * R + r) * K + k) * A + a) * M + m] = curves.precision[t * R + r]!;
          }
        }
      }
    }
  });
  return { params, categoryIds, precision, recall, matched };
}

/** The `most` best-scored, best first. */
function bestOf<D extends EvalDetection>(detections: readonly D[], most: number): D[] {
  const order = stableOrder(Float64Array.from(detections, (detection) => detection.score));
  return Array.from(order.subarray(0, most), (index) => detections[index]!);
}

function groupByCategoryAndImage<T extends { readonly imageId: number; readonly categoryId: number }>(
  objects: readonly T[],
): Map<number, Map<number, T[]>> {
  const categories = new Map<number, Map<number, T[]>>();
  for (const object of objects) {
    let images = categories.get(object.categoryId);
    if (images === undefined) {
      images = new Map();
      categories.set(object.categoryId, images);
    }
    const list = images.get(object.imageId);
    if (list === undefined) images.set(object.imageId, [object]);
    else list.push(object);
  }
  return categories;
}
