// Matrix products: MatMul and Gemm.

import { defineOperator, emitOne, numberOf, shapeError } from "../operator.ts";
import type { Dim, Value } from "../value.ts";
import { broadcastShapes } from "./elementwise.ts";

const sizeOr1 = (dim: Dim | undefined): number => (typeof dim === "number" ? dim : 1);

/** Matrix product over the last two axes, leading axes broadcast. */
export const MatMul = defineOperator({
  type: "MatMul",
  minInputs: 2,
  attributeKinds: {},
  infer(inputs) {
    const a = inputs[0]!.shape;
    const b = inputs[1]!.shape;
    if (a.length < 2 || b.length < 2 || a.at(-1) !== b.at(-2)) {
      throw shapeError(
        "MatMul",
        inputs,
        "the last axis of the first must equal the last but one of the second",
      );
    }
    const leading = broadcastShapes("MatMul", inputs, a.slice(0, -2), b.slice(0, -2));
    if (inputs[0]!.dtype !== inputs[1]!.dtype)
      throw shapeError("MatMul", inputs, "both inputs must share a dtype");
    return [{ dtype: inputs[0]!.dtype, shape: [...leading, a.at(-2)!, b.at(-1)!] }];
  },
  macs(node) {
    const inner = sizeOr1(node.inputs[0]!.shape.at(-1));
    return node.outputs[0]!.shape.reduce<number>((product, dim) => product * sizeOr1(dim), 1) * inner;
  },
});

/** A·B + C, with B transposed when `transB` is 1. */
export const Gemm = defineOperator({
  type: "Gemm",
  minInputs: 2,
  attributeKinds: { alpha: "float", beta: "float", transA: "int", transB: "int" },
  infer(inputs, attributes) {
    const a = inputs[0]!.shape;
    const b = inputs[1]!.shape;
    const transposed = numberOf(attributes, "transB", 0) === 1;
    if (a.length !== 2 || b.length !== 2 || a[1] !== b[transposed ? 1 : 0]) {
      throw shapeError("Gemm", inputs, "the columns of A must be the rows of B");
    }
    if (numberOf(attributes, "transA", 0) !== 0) throw shapeError("Gemm", inputs, "transA is not supported");
    const shape = [a[0]!, b[transposed ? 0 : 1]!];
    const bias = inputs[2];
    if (bias && broadcastShapes("Gemm", inputs, shape, bias.shape).join() !== shape.join())
      throw shapeError("Gemm", inputs, `the bias must broadcast to ${shape.join("×")}`);
    return [{ dtype: inputs[0]!.dtype, shape }];
  },
  macs(node) {
    return (node.outputs[0]!.shape[1] as number) * sizeOr1(node.inputs[0]!.shape[1]);
  },
});

/** a·b over the last two axes. */
export const matMul = (a: Value, b: Value, name = ""): Value => emitOne(MatMul, [a, b], {}, name);

/** x (N×I) times weightᵀ (O×I) plus bias (O): a fully connected layer. */
export const gemm = (x: Value, weight: Value, bias: Value | undefined, name = ""): Value =>
  emitOne(Gemm, bias ? [x, weight, bias] : [x, weight], { transB: 1 }, name);
