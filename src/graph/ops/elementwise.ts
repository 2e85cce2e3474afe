// Elementwise operators with NumPy broadcasting, and activations.

import { HRNetError } from "../../errors.ts";
import { elementCount, type Tensor, tensor } from "../../tensor/tensor.ts";
import { defineOperator, emitOne, type Inputs, type Operator, shapeError } from "../operator.ts";
import { constant, type Dim, type Shape, type Value, type ValueType } from "../value.ts";

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

function inferBinary(type: string) {
  return (inputs: Inputs): ValueType[] => {
    if (inputs[0]!.dtype !== inputs[1]!.dtype)
      throw shapeError(type, inputs, "both inputs must share a dtype");
    return [
      { dtype: inputs[0]!.dtype, shape: broadcastShapes(type, inputs, inputs[0]!.shape, inputs[1]!.shape) },
    ];
  };
}

/** Elementwise `f` over two float32 constants with broadcasting, computed in double precision. */
function evaluateBinary(f: (a: number, b: number) => number) {
  return ([a, b]: readonly (Tensor | undefined)[]): Tensor[] => {
    const left = a!;
    const right = b!;
    if (left.dtype !== "float32" || right.dtype !== "float32") {
      throw new HRNetError(
        "invalid-shape",
        `Constant folding works on float32, not ${left.dtype} and ${right.dtype}.`,
      );
    }
    const rank = Math.max(left.shape.length, right.shape.length);
    const sizeOf = (t: Tensor, axis: number): number => t.shape[axis - rank + t.shape.length] ?? 1;
    const shape = Array.from({ length: rank }, (_, axis) =>
      Math.max(sizeOf(left, axis), sizeOf(right, axis)),
    );
    const result = tensor("float32", shape);
    const count = elementCount(shape);
    for (let i = 0; i < count; i++) {
      let rest = i;
      let ia = 0;
      let ib = 0;
      let strideA = 1;
      let strideB = 1;
      for (let axis = rank - 1; axis >= 0; axis--) {
        const index = rest % shape[axis]!;
        rest = Math.floor(rest / shape[axis]!);
        const na = sizeOf(left, axis);
        const nb = sizeOf(right, axis);
        if (na > 1) ia += index * strideA;
        if (nb > 1) ib += index * strideB;
        strideA *= na;
        strideB *= nb;
      }
      result.data[i] = f(left.data[ia] as number, right.data[ib] as number);
    }
    return [result];
  };
}

function binary(type: string, f: (a: number, b: number) => number): Operator {
  return defineOperator({
    type,
    minInputs: 2,
    attributeKinds: {},
    infer: inferBinary(type),
    evaluate: evaluateBinary(f),
  });
}

function unary(type: string): Operator {
  return defineOperator({
    type,
    attributeKinds: {},
    infer: (inputs) => [{ dtype: inputs[0]!.dtype, shape: inputs[0]!.shape }],
  });
}

/** A value as it is, under another name: what a graph output that is an input or a constant needs. */
export const Identity: Operator = unary("Identity");
/** ONNX Add. */
export const Add: Operator = binary("Add", (a, b) => a + b);
/** ONNX Mul. */
export const Mul: Operator = binary("Mul", (a, b) => a * b);
/** ONNX Relu. */
export const Relu: Operator = unary("Relu");
/** ONNX Sigmoid. */
export const Sigmoid: Operator = unary("Sigmoid");

/** Clip(x, min, max); min and max are scalar inputs. */
export const Clip = defineOperator({
  type: "Clip",
  attributeKinds: {},
  infer: (inputs) => [{ dtype: inputs[0]!.dtype, shape: inputs[0]!.shape }],
});

/** a + b, broadcast. */
export const add = (a: Value, b: Value, name = ""): Value => emitOne(Add, [a, b], {}, name);
/** a · b, broadcast. */
export const mul = (a: Value, b: Value, name = ""): Value => emitOne(Mul, [a, b], {}, name);
/** x·factor. */
export const scale = (x: Value, factor: number, name = ""): Value =>
  mul(x, constant(tensor("float32", [], Float32Array.of(factor))), name);
/** min(max(x, low), high). */
export function clip(x: Value, low: number, high: number, name = ""): Value {
  const scalar = (value: number): Value => constant(tensor("float32", [], Float32Array.of(value)));
  return emitOne(Clip, [x, scalar(low), scalar(high)], {}, name);
}
/** max(x, 0). */
export const relu = (x: Value, name = ""): Value => emitOne(Relu, [x], {}, name);
/** 1/(1 + e^−x). */
export const sigmoid = (x: Value, name = ""): Value => emitOne(Sigmoid, [x], {}, name);
