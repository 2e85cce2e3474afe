// Matrix products: MatMul, Gemm, and ONNX Runtime's FusedMatMul, which transposes on the way.

import { defineOperator, emitOne, type Inputs, numberOf, shapeError } from "../operator.ts";
import { sizeOr1, type Value, type ValueType } from "../value.ts";
import { broadcastShapes, sumTo } from "./broadcast.ts";
import { scale } from "./elementwise.ts";

/** Inputs of a matrix product checked; the shape of the product of their last two axes, seen transposed or not. */
function inferProduct(type: string, inputs: Inputs, transA: boolean, transB: boolean): ValueType[] {
  const [a, b] = inputs as readonly Value[];
  const [rows, innerA] = transA ? [a!.shape.at(-1), a!.shape.at(-2)] : [a!.shape.at(-2), a!.shape.at(-1)];
  const [innerB, columns] = transB ? [b!.shape.at(-1), b!.shape.at(-2)] : [b!.shape.at(-2), b!.shape.at(-1)];
  if (a!.shape.length < 2 || b!.shape.length < 2 || innerA !== innerB) {
    throw shapeError(type, inputs, "the columns of the first must be as many as the rows of the second");
  }
  if (a!.dtype !== b!.dtype) throw shapeError(type, inputs, "both inputs must share a dtype");
  const leading = broadcastShapes(type, inputs, a!.shape.slice(0, -2), b!.shape.slice(0, -2));
  return [{ dtype: a!.dtype, shape: [...leading, rows!, columns!] }];
}

/** Matrix product over the last two axes, leading axes broadcast. */
export const MatMul = defineOperator({
  type: "MatMul",
  minInputs: 2,
  attributeKinds: {},
  infer: (inputs) => inferProduct("MatMul", inputs, false, false),
  macs(node) {
    const inner = sizeOr1(node.inputs[0]!.shape.at(-1));
    return node.outputs[0]!.shape.reduce<number>((product, dim) => product * sizeOr1(dim), 1) * inner;
  },
  gradient({ node, gradients: [dy], wanted }) {
    const [a, b] = node.inputs as readonly Value[];
    return [
      wanted[0] ? sumTo(fusedMatMul(dy!, b!, { transB: true }), a!.shape) : undefined,
      wanted[1] ? sumTo(fusedMatMul(a!, dy!, { transA: true }), b!.shape) : undefined,
    ];
  },
});

/** MatMul of inputs whose last two axes may be seen transposed, times `alpha` (com.microsoft, ONNX Runtime only). */
export const FusedMatMul = defineOperator({
  type: "FusedMatMul",
  domain: "com.microsoft",
  minInputs: 2,
  attributeKinds: { transA: "int", transB: "int", alpha: "float" },
  infer: (inputs, attributes) =>
    inferProduct(
      "FusedMatMul",
      inputs,
      numberOf(attributes, "transA", 0) === 1,
      numberOf(attributes, "transB", 0) === 1,
    ),
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
    const [rows, out] = node.outputs[0]!.shape;
    return sizeOr1(rows) * (out as number) * sizeOr1(node.inputs[0]!.shape[1]);
  },
  gradient({ node, gradients: [dy], wanted }) {
    const [x, weight, bias] = node.inputs;
    const transposed = numberOf(node.attributes, "transB", 0) === 1;
    const alpha = numberOf(node.attributes, "alpha", 1);
    const beta = numberOf(node.attributes, "beta", 1);
    const forWeight = (): Value =>
      transposed
        ? fusedMatMul(dy!, x!, { transA: true, alpha })
        : fusedMatMul(x!, dy!, { transA: true, alpha });
    const forBias = (): Value => sumTo(beta === 1 ? dy! : scale(dy!, beta), bias!.shape);
    return [
      wanted[0] ? fusedMatMul(dy!, weight!, { transB: !transposed, alpha }) : undefined,
      wanted[1] ? forWeight() : undefined,
      wanted[2] ? forBias() : undefined,
    ];
  },
});

/** a·b over the last two axes. */
export const matMul = (a: Value, b: Value, name = ""): Value => emitOne(MatMul, [a, b], {}, name);

/** a·b over the last two axes, either of them seen transposed, times `alpha`. */
export const fusedMatMul = (
  a: Value,
  b: Value,
  options: { readonly transA?: boolean; readonly transB?: boolean; readonly alpha?: number } = {},
  name = "",
): Value => {
  const { transA = false, transB = false, alpha = 1 } = options;
  return emitOne(FusedMatMul, [a, b], { transA: transA ? 1 : 0, transB: transB ? 1 : 0, alpha }, name);
};

/** x (N×I) times weightᵀ (O×I) plus bias (O): a fully connected layer. */
export const gemm = (x: Value, weight: Value, bias: Value | undefined, name = ""): Value =>
  emitOne(Gemm, bias ? [x, weight, bias] : [x, weight], { transB: 1 }, name);
