// The losses of CenterNet: heatmaps by a focal loss, corners of one object brought together and of different ones apart, offsets.

import { reduceSum, sumAll } from "../graph/ops/broadcast.ts";
import { cast } from "../graph/ops/cast.ts";
import {
  absolute,
  add,
  atLeast1,
  div,
  equal,
  greater,
  indicator,
  mul,
  neg,
  relu,
  scalar,
  scale,
  shift,
  sigmoid,
  sub,
} from "../graph/ops/elementwise.ts";
import { gatherRows } from "../graph/ops/select.ts";
import { reshape, slice } from "../graph/ops/shape.ts";
import { constant, type Value } from "../graph/value.ts";
import { tensor } from "../tensor/tensor.ts";
import { binaryCrossEntropy, smoothL1 } from "./detection-losses.ts";

/** What is fed: fields of the samples with the batch in front. */
export interface TripletTruth {
  /** B×3×K×h×w. */
  readonly heatmaps: Value;
  /** B×3×2×h×w. */
  readonly offsets: Value;
  /** B×3×h×w. */
  readonly marks: Value;
  /** B×h×w. */
  readonly asked: Value;
  /** B×G×2 cells; −1: none. */
  readonly corners: Value;
}

/** Weights of bringing together and of keeping apart. Source: `CenterNet-104.json`. */
const PULL = 0.1;
const PUSH = 0.1;
/** Objects' tags are kept this far apart. */
const MARGIN = 1;

/**
 * The focal loss of heatmaps with soft peaks: (1 − p)²·(−ln p) at keypoints, (1 − y)⁴·p²·(−ln(1 − p)) elsewhere, over the number of keypoints.
 * Source: Law & Deng 2018 (arXiv:1808.01244), equation 1.
 * @param logits B×K×h×w, like `truth`; `asked` B×1×h×w
 */
export function peakLoss(logits: Value, truth: Value, asked: Value): Value {
  const peaks = indicator(greater(truth, scalar(1 - 1e-6)));
  const p = sigmoid(logits);
  const missed = shift(neg(p), 1);
  const near = shift(neg(truth), 1);
  const near2 = mul(near, near);
  const at = mul(mul(missed, missed), binaryCrossEntropy(logits, peaks));
  const beside = mul(mul(mul(near2, near2), mul(p, p)), binaryCrossEntropy(logits, peaks));
  const rest = sub(scalar(1), peaks);
  const all = add(mul(at, peaks), mul(mul(beside, rest), asked));
  return div(sumAll(all), atLeast1(sumAll(peaks)));
}

/**
 * Pull: (e₁ − ē)² + (e₂ − ē)² of both corners' tags from their mean; push: max(0, 1 − |ē − ē′|) of the means of each two objects of a picture.
 * Source: Law & Deng 2018, equations 4 and 5.
 * @param tags of both corners, B×1×h×w each
 */
export function tagLoss(
  tags: readonly [Value, Value],
  corners: Value,
): { readonly pull: Value; readonly push: Value } {
  const [batch, objects] = corners.shape as readonly [number, number];
  const [, , height, width] = tags[0].shape as readonly [number, number, number, number];
  const area = height * width;
  const first = constant(
    tensor(
      "float32",
      [batch, 1],
      Float32Array.from({ length: batch }, (_, n) => n * area),
    ),
  );
  const present = indicator(greater(reshape(slice(corners, 2, 0, 1), [batch, objects]), scalar(-0.5))); // B×G
  const tagsAt = (at: 0 | 1): Value => {
    const cells = add(relu(reshape(slice(corners, 2, at, at + 1), [batch, objects])), first);
    const rows = gatherRows(
      reshape(tags[at], [batch * area, 1]),
      reshape(cast(cells, "int64"), [batch * objects]),
    );
    return reshape(rows, [batch, objects]);
  };
  const [a, b] = [tagsAt(0), tagsAt(1)];
  const mean = scale(add(a, b), 0.5);
  const off = (tag: Value): Value => mul(sub(tag, mean), sub(tag, mean));
  const count = reduceSum(present, [1]); // B×1
  const pull = sumAll(div(mul(add(off(a), off(b)), present), atLeast1(count)));
  const apart = absolute(sub(reshape(mean, [batch, objects, 1]), reshape(mean, [batch, 1, objects])));
  const numbers = constant(
    tensor(
      "float32",
      [objects],
      Float32Array.from({ length: objects }, (_, g) => g),
    ),
  );
  const itself = indicator(equal(reshape(numbers, [1, objects, 1]), reshape(numbers, [1, 1, objects])));
  const both = mul(
    mul(reshape(present, [batch, objects, 1]), reshape(present, [batch, 1, objects])),
    sub(scalar(1), itself),
  );
  const pairs = atLeast1(reshape(mul(count, shift(count, -1)), [batch, 1, 1]));
  const push = sumAll(div(mul(relu(shift(neg(apart), MARGIN)), both), pairs));
  return { pull: scale(pull, 1 / batch), push: scale(push, 1 / batch) };
}

/** The parts, each a number and weighted, and their sum. */
export interface CenternetLoss {
  readonly parts: Readonly<Record<string, Value>>;
  readonly total: Value;
}

/**
 * The whole loss for the outputs of `centernetHead`.
 * @param kinds names of the three kinds of keypoint, in the order of the truth, the corners first
 */
export function centernetLoss(
  outputs: Readonly<Record<string, Value>>,
  kinds: readonly [string, string, string],
  truth: TripletTruth,
): CenternetLoss {
  const [batch, , classes, height, width] = truth.heatmaps.shape as readonly number[] as [
    number,
    number,
    number,
    number,
    number,
  ];
  const of = (value: Value, kind: number, channels: number): Value =>
    reshape(slice(value, 1, kind, kind + 1), [batch, channels, height, width]);
  const asked = reshape(truth.asked, [batch, 1, height, width]);
  const parts: Record<string, Value> = {};
  kinds.forEach((name, kind) => {
    parts[`heatmaps.${name}`] = peakLoss(
      outputs[`heatmaps_${name}`]!,
      of(truth.heatmaps, kind, classes),
      asked,
    );
    const marks = of(truth.marks, kind, 1);
    const off = smoothL1(outputs[`offsets_${name}`]!, of(truth.offsets, kind, 2), 1);
    parts[`offsets.${name}`] = div(sumAll(mul(off, marks)), atLeast1(sumAll(marks)));
  });
  const { pull, push } = tagLoss([outputs[`tags_${kinds[0]}`]!, outputs[`tags_${kinds[1]}`]!], truth.corners);
  parts["pull"] = scale(pull, PULL);
  parts["push"] = scale(push, PUSH);
  return { parts, total: Object.values(parts).reduce((total, part) => add(total, part)) };
}
