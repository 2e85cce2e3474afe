// Matching of one image's detections with its ground truth, as the COCO evaluation does it.

import type { AreaRange } from "./coco-params.ts";

/** An annotated object, whatever its shape. */
export interface EvalGroundTruth {
  readonly imageId: number;
  readonly categoryId: number;
  /** Annotated area in square pixels: decides the area ranges it belongs to. */
  readonly area: number;
  /** Neither to be found nor wrong to find. Every crowd is to be ignored too. */
  readonly ignore: boolean;
  /** A region of many objects: any number of detections may match it. */
  readonly crowd: boolean;
}

/** A detected object, whatever its shape. */
export interface EvalDetection {
  readonly imageId: number;
  readonly categoryId: number;
  /** Area in square pixels: unmatched detections outside of an area range are ignored there. */
  readonly area: number;
  readonly score: number;
}

/** What became of one image's detections of one category, within one area range. */
export interface ImageMatches {
  /** T×D: index of the ground truth matched, or −1. Detections are by descending score. */
  readonly matches: Int32Array;
  /** T×D: 1 where the detection counts neither as right nor as wrong. */
  readonly ignored: Uint8Array;
  /** Annotated objects that are to be found. */
  readonly positives: number;
}

/**
 * Indices by descending score; equal scores keep their order, as numpy's mergesort of the negated scores has it.
 * @param scores finite numbers
 */
export function stableOrder(scores: ArrayLike<number>): Int32Array {
  const order = Array.from({ length: scores.length }, (_, i) => i);
  return Int32Array.from(order.sort((a, b) => scores[b]! - scores[a]!)); // Array.prototype.sort is stable
}

/**
 * Matches greedily: the best detection first takes the ground truth most similar to it that is still free, at each
 * threshold anew. Of equally similar ground truths the later one is taken; one that counts is preferred to an ignored
 * one. Source: `COCOeval.evaluateImg` of pycocotools.
 * @param truths the image's ground truth, in file order
 * @param detections the image's detections by descending score, cut to the largest `maxDetections`
 * @param similarities D×G, in the orders of both
 */
export function matchImage(
  truths: readonly EvalGroundTruth[],
  detections: readonly EvalDetection[],
  similarities: ArrayLike<number>,
  thresholds: readonly number[],
  range: AreaRange,
): ImageMatches {
  const G = truths.length;
  const D = detections.length;
  const outside = (object: { readonly area: number }) => object.area < range.min || object.area > range.max;
  const counting: number[] = [];
  const ignoring: number[] = [];
  for (let g = 0; g < G; g++) {
    const truth = truths[g]!;
    (truth.ignore || outside(truth) ? ignoring : counting).push(g);
  }
  const order = [...counting, ...ignoring];
  const positives = counting.length;

  const matches = new Int32Array(thresholds.length * D).fill(-1);
  const ignored = new Uint8Array(thresholds.length * D);
  const taken = new Uint8Array(G);
  for (let t = 0; t < thresholds.length; t++) {
    taken.fill(0);
    for (let d = 0; d < D; d++) {
      let best = Math.min(thresholds[t]!, 1 - 1e-10); // pycocotools' guard: a similarity of 1 matches at threshold 1
      let match = -1;
      let matchCounts = false;
      for (let i = 0; i < G; i++) {
        if (matchCounts && i >= positives) break;
        const g = order[i]!;
        if (taken[g] === 1 && !truths[g]!.crowd) continue;
        const similarity = similarities[d * G + g]!;
        if (similarity < best) continue;
        best = similarity;
        match = g;
        matchCounts = i < positives;
      }
      const at = t * D + d;
      if (match >= 0) {
        taken[match] = 1;
        matches[at] = match;
        ignored[at] = matchCounts ? 0 : 1;
      } else if (outside(detections[d]!)) {
        ignored[at] = 1;
      }
    }
  }
  return { matches, ignored, positives };
}
