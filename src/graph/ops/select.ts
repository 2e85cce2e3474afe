// Operators of detectors: rows picked by indices known at run time, non-maximum suppression, counting along an axis, the shape itself.

import { tensor } from "../../tensor/tensor.ts";
import { constantInts, defineOperator, emitOne, numberOf, shapeError } from "../operator.ts";
import { constant, type Value } from "../value.ts";
import { knownShape } from "./broadcast.ts";
import { equal, indicator } from "./elementwise.ts";
import { scatterAddRows } from "./scatter.ts";
import { reshape } from "./shape.ts";

/** ONNX GatherND: slices of the data at index tuples; the first `batch_dims` axes of both go together. */
export const GatherND = defineOperator({
  type: "GatherND",
  minInputs: 2,
  attributeKinds: { batch_dims: "int" },
  infer(inputs, attributes) {
    const [data, indices] = inputs as readonly Value[];
    const batch = numberOf(attributes, "batch_dims", 0);
    const depth = indices!.shape.at(-1);
    const agree = data!.shape.slice(0, batch).join() === indices!.shape.slice(0, batch).join();
    if (
      typeof depth !== "number" ||
      !agree ||
      indices!.dtype !== "int64" ||
      batch + depth > data!.shape.length
    )
      throw shapeError(
        "GatherND",
        inputs,
        "indices must be int64 tuples into the data, with the same leading axes",
      );
    return [
      { dtype: data!.dtype, shape: [...indices!.shape.slice(0, -1), ...data!.shape.slice(batch + depth)] },
    ];
  },
  gradient({ node, gradients: [dy] }) {
    const [data, indices] = node.inputs as readonly [Value, Value];
    const [rows, ...rest] = knownShape("GatherND", data) as [number, ...number[]];
    if (numberOf(node.attributes, "batch_dims", 0) !== 0 || indices.shape.at(-1) !== 1 || rest.length !== 1)
      throw shapeError("GatherND", node.inputs, "has a gradient for rows of one table only");
    const taken = indices.shape.slice(0, -1).reduce<number>((product, size) => product * (size as number), 1);
    return [scatterAddRows(rows, reshape(indices, [taken, 1]), reshape(dy!, [taken, rest[0]!]))];
  },
});

/** Name of the number of boxes that {@link NonMaxSuppression} leaves, which is known at run time. */
export const SELECTED = "selected";

/**
 * ONNX NonMaxSuppression: boxes B×N×4 (`x1, y1, x2, y2`), scores B×C×N, and three numbers: boxes of a class at most, IoU above which
 * the weaker goes, score above which a box counts.
 */
export const NonMaxSuppression = defineOperator({
  type: "NonMaxSuppression",
  minInputs: 5,
  attributeKinds: { center_point_box: "int" },
  infer(inputs) {
    const [boxes, scores] = inputs as readonly Value[];
    const [b, n, four] = boxes!.shape;
    if (
      boxes!.shape.length !== 3 ||
      four !== 4 ||
      scores!.shape.length !== 3 ||
      scores!.shape[0] !== b ||
      scores!.shape[2] !== n
    )
      throw shapeError("NonMaxSuppression", inputs, "expected B×N×4 boxes and B×C×N scores");
    return [{ dtype: "int64", shape: [SELECTED, 3] }];
  },
});

/** ONNX CumSum along the constant axis of input 1. */
export const CumSum = defineOperator({
  type: "CumSum",
  minInputs: 2,
  attributeKinds: { exclusive: "int", reverse: "int" },
  infer: (inputs) => {
    constantInts("CumSum", inputs, 1);
    return [{ dtype: inputs[0]!.dtype, shape: inputs[0]!.shape }];
  },
});

/** ONNX Shape: the sizes of the input, int64. */
export const ShapeOf = defineOperator({
  type: "Shape",
  attributeKinds: {},
  infer: (inputs) => [{ dtype: "int64", shape: [inputs[0]!.shape.length] }],
});

/**
 * Rows of tables at indices known at run time.
 * @param table P×… or, with `batched`, B×P×…
 * @param indices int64, B×K with `batched`, else of any shape
 * @returns the shape of the indices, then that of a row
 */
export function gatherRows(table: Value, indices: Value, batched = false): Value {
  const tuples = reshape(indices, [...indices.shape.map(() => 0), 1]);
  return emitOne(GatherND, [table, tuples], { batch_dims: batched ? 1 : 0 });
}

/** How {@link nonMaxSuppression} works. */
export interface NonMaxSuppressionOptions {
  /** IoU above which the weaker of two boxes goes. */
  readonly threshold: number;
  /** Boxes with a score that is not above this do not count. */
  readonly minScore: number;
  /** Boxes of a class that stay, at most. */
  readonly most: number;
}

/**
 * Boxes that stay, as rows of picture, class and box, class by class by descending score: int64 `selected`×3.
 * @param boxes B×N×4
 * @param scores B×C×N
 */
export function nonMaxSuppression(
  boxes: Value,
  scores: Value,
  { threshold, minScore, most }: NonMaxSuppressionOptions,
): Value {
  const number = (value: number): Value => constant(tensor("float32", [1], Float32Array.of(value)));
  const count = constant(tensor("int64", [1], BigInt64Array.of(BigInt(most))));
  return emitOne(NonMaxSuppression, [boxes, scores, count, number(threshold), number(minScore)], {
    center_point_box: 0,
  });
}

/** 1, 2, 3 … along `axis` where x is all ones: running sums. */
export const cumulativeSum = (x: Value, axis: number): Value =>
  emitOne(CumSum, [x, constant(tensor("int64", [], BigInt64Array.of(BigInt(axis))))], {});

/** The sizes of x, int64. */
export const shapeOf = (x: Value): Value => emitOne(ShapeOf, [x], {});

/** 1 in the column of each row's class, else 0: float32 …×1 → …×classes. Labels that are no class give none. */
export function oneHot(labels: Value, classes: number): Value {
  const numbers = Float32Array.from({ length: classes }, (_, k) => k);
  return indicator(equal(labels, constant(tensor("float32", [classes], numbers))));
}
