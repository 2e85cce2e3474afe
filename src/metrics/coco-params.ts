// The parameters of the COCO evaluation per kind of similarity, as data.

import { HRNetError } from "../errors.ts";

/** A range of object areas in square pixels; both ends belong to it. */
export interface AreaRange {
  readonly name: string;
  readonly min: number;
  readonly max: number;
}

/** One figure of the summary: which slice of the precision or recall table it is the mean of. */
export interface SummaryRow {
  /** The figure's name, such as `AP50`. */
  readonly name: string;
  readonly kind: "precision" | "recall";
  /** Only this similarity threshold; all of them when absent. */
  readonly threshold?: number;
  /** Name of an {@link AreaRange}. */
  readonly area: string;
  /** An entry of `maxDetections`; the largest when absent. */
  readonly maxDetections?: number;
}

/** Everything that the evaluation's core can vary. */
export interface CocoParams {
  /** Similarities from which a detection counts as found, ascending. */
  readonly thresholds: readonly number[];
  /** Recalls at which precision is read, ascending from 0 to 1. */
  readonly recallThresholds: readonly number[];
  readonly areaRanges: readonly AreaRange[];
  /** Detections considered per image and category, ascending; matching is done once, at the largest. */
  readonly maxDetections: readonly number[];
}

/**
 * `count` numbers from `start` to `stop`, each bit what `numpy.linspace` gives: `start + i·step`, and the last exactly
 * `stop`. Comparisons with the thresholds are exact, so their last bit matters (the ninth of COCO's is 0.8999999999999999).
 */
export function linspace(start: number, stop: number, count: number): number[] {
  const step = (stop - start) / (count - 1);
  return Array.from({ length: count }, (_, i) => (i === count - 1 ? stop : i * step + start));
}

/** 0.50, 0.55, … 0.95. */
export const COCO_THRESHOLDS: readonly number[] = linspace(0.5, 0.95, 10);

/** 0, 0.01, … 1. */
export const COCO_RECALL_THRESHOLDS: readonly number[] = linspace(0, 1, 101);

/** Upper end of the ranges that have none, as pycocotools has it (1e5²). */
const UNBOUNDED = 1e10;

const ALL: AreaRange = { name: "all", min: 0, max: UNBOUNDED };
const SMALL: AreaRange = { name: "small", min: 0, max: 32 ** 2 };
const MEDIUM: AreaRange = { name: "medium", min: 32 ** 2, max: 96 ** 2 };
const LARGE: AreaRange = { name: "large", min: 96 ** 2, max: UNBOUNDED };

/** Parameters for keypoints. Source: `Params.setKpParams` of pycocotools. */
export const KEYPOINT_PARAMS: CocoParams = {
  thresholds: COCO_THRESHOLDS,
  recallThresholds: COCO_RECALL_THRESHOLDS,
  areaRanges: [ALL, MEDIUM, LARGE],
  maxDetections: [20],
};

/** Parameters for boxes and masks. Source: `Params.setDetParams` of pycocotools. */
export const BOX_PARAMS: CocoParams = {
  thresholds: COCO_THRESHOLDS,
  recallThresholds: COCO_RECALL_THRESHOLDS,
  areaRanges: [ALL, SMALL, MEDIUM, LARGE],
  maxDetections: [1, 10, 100],
};

/** The ten figures of the keypoint evaluation, in pycocotools' order. */
export const KEYPOINT_SUMMARY = [
  { name: "AP", kind: "precision", area: "all" },
  { name: "AP50", kind: "precision", threshold: 0.5, area: "all" },
  { name: "AP75", kind: "precision", threshold: 0.75, area: "all" },
  { name: "APm", kind: "precision", area: "medium" },
  { name: "APl", kind: "precision", area: "large" },
  { name: "AR", kind: "recall", area: "all" },
  { name: "AR50", kind: "recall", threshold: 0.5, area: "all" },
  { name: "AR75", kind: "recall", threshold: 0.75, area: "all" },
  { name: "ARm", kind: "recall", area: "medium" },
  { name: "ARl", kind: "recall", area: "large" },
] as const satisfies readonly SummaryRow[];

/** The twelve figures of the box and mask evaluation, in pycocotools' order. */
export const BOX_SUMMARY = [
  { name: "AP", kind: "precision", area: "all" },
  { name: "AP50", kind: "precision", threshold: 0.5, area: "all" },
  { name: "AP75", kind: "precision", threshold: 0.75, area: "all" },
  { name: "APs", kind: "precision", area: "small" },
  { name: "APm", kind: "precision", area: "medium" },
  { name: "APl", kind: "precision", area: "large" },
  { name: "AR1", kind: "recall", area: "all", maxDetections: 1 },
  { name: "AR10", kind: "recall", area: "all", maxDetections: 10 },
  { name: "AR100", kind: "recall", area: "all", maxDetections: 100 },
  { name: "ARs", kind: "recall", area: "small" },
  { name: "ARm", kind: "recall", area: "medium" },
  { name: "ARl", kind: "recall", area: "large" },
] as const satisfies readonly SummaryRow[];

/**
 * Refuses parameters that the algorithm has no meaning for.
 * @throws HRNetError `usage` naming the parameter
 */
export function checkParams(params: CocoParams): void {
  const ascending = (
    values: readonly number[],
    name: string,
    low: number,
    high: number,
    integer: boolean,
  ) => {
    const right =
      values.length > 0 &&
      values.every(
        (value, i) =>
          value >= low &&
          value <= high &&
          (!integer || Number.isInteger(value)) &&
          (i === 0 || value > values[i - 1]!),
      );
    if (right) return;
    throw new HRNetError(
      "usage",
      `${name} is [${values.join(", ")}]; expected ascending ${integer ? "whole numbers" : "numbers"} from ${low} to ${high}.`,
    );
  };
  ascending(params.thresholds, "thresholds", 0, 1, false);
  ascending(params.recallThresholds, "recallThresholds", 0, 1, false);
  ascending(params.maxDetections, "maxDetections", 1, 1e6, true);
  const names = new Set<string>();
  for (const { name, min, max } of params.areaRanges) {
    if (!(min <= max) || names.has(name)) {
      throw new HRNetError(
        "usage",
        `The area range "${name}" from ${min} to ${max} is not valid; expected min ≤ max and a name used once.`,
      );
    }
    names.add(name);
  }
}
