// PCKh, the measure of MPII: the percentage of joints that are closer to the truth than a part of the head's size.

import { HRNetError } from "../errors.ts";

/** One annotated person of MPII; coordinates count from 1, as in the data set's own files. */
export interface PckhTruth {
  /** J×2, `[x, y]` per joint in image pixels counted from 1. */
  readonly joints: ArrayLike<number>;
  /** J: whether the joint is not annotated. */
  readonly missing: ArrayLike<number | boolean>;
  /** `[x1, y1, x2, y2]`, the head's box. */
  readonly headBox: ArrayLike<number>;
}

/** Options of {@link evaluatePckh}; the defaults are MPII's. */
export interface PckhOptions {
  /** Figures by name, each the mean over its joints. */
  readonly groups?: Readonly<Record<string, readonly number[]>>;
  /** Joints left out of the means: pelvis and thorax. */
  readonly excluded?: readonly number[];
}

/** Percentages, 0 … 100; NaN for a joint nobody has annotated. */
export interface PckhResult {
  /** Head, Shoulder, Elbow, Wrist, Hip, Knee, Ankle at 0.5 of the head size; both sides' mean, unweighted. */
  readonly groups: Readonly<Record<string, number>>;
  /** J: per joint, at 0.5. */
  readonly joints: readonly number[];
  /** Mean over all annotated joints but the excluded ones, at 0.5: "PCKh@0.5". */
  readonly mean50: number;
  /** The same at 0.10: PCKh@0.1 as the paper and mmpose understand it. */
  readonly mean10: number;
  /**
   * The same at 0.11: what HRNet's and SimpleBaseline's code prints as "Mean@0.1", for it reads the 12th of the thresholds
   * 0, 0.01, …
   */
  readonly mean11: number;
  readonly persons: number;
}

/** MPII's joint indices per published figure. Source: `MPIIDataset.evaluate` of deep-high-resolution-net.pytorch. */
export const MPII_PCKH_GROUPS = {
  Head: [9],
  Shoulder: [13, 12],
  Elbow: [14, 11],
  Wrist: [15, 10],
  Hip: [3, 2],
  Knee: [4, 1],
  Ankle: [5, 0],
} as const;

/** Pelvis and thorax. Source: as above. */
export const MPII_PCKH_EXCLUDED: readonly number[] = [6, 7];

/** The head size is this part of its box's diagonal (`SC_BIAS`). Source: as above. */
export const HEAD_SIZE_FACTOR = 0.6;

/** MPII counts pixels from 1, predictions from 0. */
const FIRST_PIXEL = 1;

/**
 * PCKh of predictions in the order of the ground truth.
 * @param predictions per person J×2 or J×3 (`[x, y]` or `[x, y, score]`), in image pixels counted from 0
 * @param stride numbers per joint in a prediction: 2 or 3
 * @throws HRNetError `invalid-data` for numbers of persons or joints that disagree, coordinates that are not finite, heads without size
 */
export function evaluatePckh(
  truths: readonly PckhTruth[],
  predictions: readonly ArrayLike<number>[],
  stride: 2 | 3,
  options: PckhOptions = {},
): PckhResult {
  const { groups = MPII_PCKH_GROUPS, excluded = MPII_PCKH_EXCLUDED } = options;
  if (predictions.length !== truths.length || truths.length === 0) {
    throw new HRNetError(
      "invalid-data",
      `${predictions.length} predictions for ${truths.length} annotated persons; expected one each, in the same order.`,
    );
  }
  const J = truths[0]!.missing.length;
  const errors = truths.map((truth, person) => headErrors(truth, predictions[person]!, stride, J, person));
  const annotated = Array.from({ length: J }, (_, j) => truths.filter((truth) => !truth.missing[j]).length);
  const at = (threshold: number) =>
    annotated.map((count, j) => (100 * errors.filter((e) => e[j]! <= threshold).length) / count);
  const counted = annotated.map((count, j) => (excluded.includes(j) ? 0 : count));
  const total = counted.reduce((sum, count) => sum + count, 0);
  const mean = (figures: readonly number[]) =>
    figures.reduce((sum, figure, j) => (counted[j] === 0 ? sum : sum + figure * counted[j]!), 0) / total;

  const joints = at(0.5);
  const groupMean = (members: readonly number[]) =>
    members.reduce((sum, j) => sum + joints[j]!, 0) / members.length;
  return {
    groups: Object.fromEntries(Object.entries(groups).map(([name, members]) => [name, groupMean(members)])),
    joints,
    mean50: mean(joints),
    mean10: mean(at(0.1)),
    mean11: mean(at(0.11)),
    persons: truths.length,
  };
}

/** J distances in head sizes; Infinity for a joint that is not annotated. */
function headErrors(
  { joints, missing, headBox }: PckhTruth,
  prediction: ArrayLike<number>,
  stride: number,
  J: number,
  person: number,
): Float64Array {
  const fail = (fault: string): never => {
    throw new HRNetError("invalid-data", `Person ${person} ${fault}.`);
  };
  if (missing.length !== J || joints.length !== 2 * J || prediction.length !== stride * J) {
    fail(
      `has ${joints.length} joint numbers, ${missing.length} marks and ${prediction.length} predicted numbers; ` +
        `expected ${2 * J}, ${J} and ${stride * J}`,
    );
  }
  const headSize = HEAD_SIZE_FACTOR * Math.hypot(headBox[2]! - headBox[0]!, headBox[3]! - headBox[1]!);
  if (!(headSize > 0 && Number.isFinite(headSize))) {
    fail(
      `has the head box [${Array.from(headBox).join(", ")}]; expected two different corners x1, y1, x2, y2`,
    );
  }
  return Float64Array.from({ length: J }, (_, j) => {
    if (missing[j]) return Infinity;
    const dx = prediction[stride * j]! + FIRST_PIXEL - joints[2 * j]!;
    const dy = prediction[stride * j + 1]! + FIRST_PIXEL - joints[2 * j + 1]!;
    const error = Math.hypot(dx, dy) / headSize;
    return Number.isFinite(error) ? error : fail(`has a coordinate of joint ${j} that is not finite`);
  });
}
