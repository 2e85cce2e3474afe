// Losses of detectors on classes and boxes, element by element, as graphs: what is counted, and by what it is divided, is up to
// those who use them.

import {
  absolute,
  add,
  clip,
  detach,
  div,
  exp,
  less,
  log,
  maximum,
  minimum,
  mul,
  neg,
  relu,
  scalar,
  scale,
  shift,
  sigmoid,
  sub,
  where,
} from "../graph/ops/elementwise.ts";
import { slice } from "../graph/ops/shape.ts";
import type { Value } from "../graph/value.ts";

/** Below any probability and any area that matter: keeps logarithms and quotients finite. */
const TINY = 1e-12;

/**
 * −t·ln σ(x) − (1 − t)·ln(1 − σ(x)) = m + ln(e^(x − m) + e^−m) − x·t with m = max(x, 0), which no logit makes infinite. m is no
 * part of the gradient, which so is σ(x) − t at 0 as well, where max has none.
 * @param targets as many numbers, 0 … 1
 */
export function binaryCrossEntropy(logits: Value, targets: Value): Value {
  const m = detach(relu(logits));
  const softplus = add(m, log(add(exp(sub(logits, m)), exp(neg(m)))));
  return sub(softplus, mul(logits, targets));
}

/** How {@link focalLoss} weighs. */
export interface FocalOptions {
  /** Weight of what is there, 1 − alpha that of what is not; −1: both 1. 0.25 in RetinaNet and FCOS. */
  readonly alpha: number;
  /** How much what is already told well counts less. 2 in RetinaNet and FCOS. */
  readonly gamma: number;
}

/**
 * α_t·(1 − p_t)^γ times the {@link binaryCrossEntropy}; p_t is σ(x) where the target is 1, else 1 − σ(x). Source: Lin et al. 2017
 * (arXiv:1708.02002), equation 5.
 * @param targets as many numbers, 0 or 1
 */
export function focalLoss(logits: Value, targets: Value, { alpha, gamma }: FocalOptions): Value {
  const p = sigmoid(logits);
  const absent = shift(neg(targets), 1);
  // 1 − p_t
  const missed = add(mul(shift(neg(p), 1), targets), mul(p, absent));
  const power = gamma === 2 ? mul(missed, missed) : exp(scale(log(clip(missed, TINY, 1)), gamma));
  const loss = mul(power, binaryCrossEntropy(logits, targets));
  if (alpha < 0) return loss;
  return mul(add(scale(targets, alpha), scale(absent, 1 - alpha)), loss);
}

/**
 * ½·d²/β where the difference d is less than β, |d| − ½·β beyond. Source: Girshick 2015 (arXiv:1504.08083), equation 3.
 * @param beta above 0: 1/9 in region proposal networks, 1 in box heads
 */
export function smoothL1(predictions: Value, targets: Value, beta: number): Value {
  const distance = absolute(sub(predictions, targets));
  const near = scale(mul(distance, distance), 0.5 / beta);
  return where(less(distance, scalar(beta)), near, shift(distance, -0.5 * beta));
}

/** |d|. */
export const l1 = (predictions: Value, targets: Value): Value => absolute(sub(predictions, targets));

/** What two sets of boxes share, and what they cover. */
interface Overlap {
  /** N×1, 0 … 1. */
  readonly iou: Value;
  /** N×1: area of both together, and of the box around both. */
  readonly union: Value;
  readonly around: Value;
}

function overlapOf(a: Value, b: Value): Overlap {
  const corner = (boxes: Value, at: number): Value => slice(boxes, 1, at, at + 1); // N×1
  const [ax1, ay1, ax2, ay2] = [0, 1, 2, 3].map((at) => corner(a, at)) as [Value, Value, Value, Value];
  const [bx1, by1, bx2, by2] = [0, 1, 2, 3].map((at) => corner(b, at)) as [Value, Value, Value, Value];
  const area = (x1: Value, y1: Value, x2: Value, y2: Value): Value =>
    mul(relu(sub(x2, x1)), relu(sub(y2, y1)));
  const shared = area(maximum(ax1, bx1), maximum(ay1, by1), minimum(ax2, bx2), minimum(ay2, by2));
  const union = sub(add(area(ax1, ay1, ax2, ay2), area(bx1, by1, bx2, by2)), shared);
  const around = area(minimum(ax1, bx1), minimum(ay1, by1), maximum(ax2, bx2), maximum(ay2, by2));
  return { iou: div(shared, shift(union, TINY)), union, around };
}

/**
 * −ln IoU of each box with its target. Source: Yu et al. 2016 (arXiv:1608.01471); boxes apart count as an IoU of 10⁻⁶, as in mmdetection.
 * @param boxes N×4, corners `x1, y1, x2, y2`
 * @returns N×1
 */
export function iouLoss(boxes: Value, targets: Value): Value {
  return neg(log(clip(overlapOf(boxes, targets).iou, 1e-6, 1)));
}

/**
 * 1 − generalised IoU of each box with its target. Source: Rezatofighi et al. 2019 (arXiv:1902.09630).
 * @param boxes N×4, corners `x1, y1, x2, y2`
 * @returns N×1, 0 … 2
 */
export function giouLoss(boxes: Value, targets: Value): Value {
  const { iou, union, around } = overlapOf(boxes, targets);
  const empty = div(sub(around, union), shift(around, TINY));
  return shift(neg(sub(iou, empty)), 1);
}
