// NumPy broadcasting: its shape rule, Expand, and the sum that undoes it.

import { tensor } from "../../tensor/tensor.ts";
import {
  axisOf,
  constantInts,
  defineOperator,
  emitOne,
  type Inputs,
  numberOf,
  shapeError,
} from "../operator.ts";
import { constant, type Dim, type Shape, type Value } from "../value.ts";
import { reshape } from "./shape.ts";

/** The shape that two shapes of the inputs `inputs` of a `type` broadcast to (NumPy rule). */
export function broadcastShapes(type: string, inputs: Inputs, a: Shape, b: Shape): Dim[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const left = a[axis - rank + a.length] ?? 1;
    const right = b[axis - rank + b.length] ?? 1;
    if (left === right || right === 1) return left;
    if (left === 1) return right;
    throw shapeError(type, inputs, `shapes must broadcast; axis ${axis} has ${left} and ${right}`);
  });
}

const ints = (values: readonly number[]): Value =>
  constant(tensor("int64", [values.length], BigInt64Array.from(values, BigInt)));

/** A shape whose sizes are all known; training graphs have no others. */
export function knownShape(type: string, value: Value): readonly number[] {
  const unknown = value.shape.find((dim) => typeof dim === "string");
  if (unknown !== undefined) throw shapeError(type, [value], `its gradient needs the size of ${unknown}`);
  return value.shape as readonly number[];
}

/** ONNX Expand: x broadcast to the constant shape of input 1. */
export const Expand = defineOperator({
  type: "Expand",
  minInputs: 2,
  attributeKinds: {},
  infer(inputs) {
    const target = constantInts("Expand", inputs, 1)!;
    return [{ dtype: inputs[0]!.dtype, shape: broadcastShapes("Expand", inputs, inputs[0]!.shape, target) }];
  },
  gradient: ({ node, gradients: [dy] }) => [sumTo(dy!, node.inputs[0]!.shape)],
});

/** ONNX ReduceSum over the constant axes of input 1; `keepdims` (default 1) leaves them with size 1. */
export const ReduceSum = defineOperator({
  type: "ReduceSum",
  minInputs: 2,
  attributeKinds: { keepdims: "int" },
  infer(inputs, attributes) {
    const x = inputs[0]!;
    const axes = constantInts("ReduceSum", inputs, 1)!.map((axis) =>
      axisOf("ReduceSum", inputs, axis, x.shape.length),
    );
    if (axes.length === 0) throw shapeError("ReduceSum", inputs, "needs at least one axis"); // to ONNX none means all
    const keep = numberOf(attributes, "keepdims", 1) === 1;
    const shape = x.shape.flatMap((dim, axis) => (axes.includes(axis) ? (keep ? [1] : []) : [dim]));
    return [{ dtype: x.dtype, shape }];
  },
  gradient({ node, gradients: [dy] }) {
    const shape = knownShape("ReduceSum", node.inputs[0]!);
    const axes = constantInts("ReduceSum", node.inputs, 1)!.map((axis) =>
      axisOf("ReduceSum", node.inputs, axis, shape.length),
    );
    const kept = shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
    return [expand(reshape(dy!, kept), shape)];
  },
});

/** x broadcast to `shape`; x itself when it has it. */
export const expand = (x: Value, shape: readonly number[], name = ""): Value =>
  x.shape.join() === shape.join() ? x : emitOne(Expand, [x, ints(shape)], {}, name);

/** Σ x over `axes`, which stay with size 1 unless `keep` is false. */
export const reduceSum = (x: Value, axes: readonly number[], keep = true, name = ""): Value =>
  axes.length === 0 ? x : emitOne(ReduceSum, [x, ints(axes)], { keepdims: keep ? 1 : 0 }, name);

/** Σ of all elements: one number. */
export const sumAll = (x: Value): Value =>
  x.shape.length === 0
    ? x
    : reduceSum(
        x,
        x.shape.map((_, axis) => axis),
        false,
      );

/** The adjoint of broadcasting: x summed over every axis along which a value of `shape` was repeated. */
export function sumTo(x: Value, shape: Shape): Value {
  const lead = x.shape.length - shape.length;
  const axes = x.shape.flatMap((dim, axis) => {
    const target = axis < lead ? 1 : shape[axis - lead]!;
    return axis < lead || (target === 1 && dim !== 1) ? [axis] : [];
  });
  const summed = axes.length > 0 ? reduceSum(x, axes) : x;
  return lead > 0 ? reshape(summed, shape as readonly number[]) : summed;
}
