// Elementwise operators with NumPy broadcasting, and activations.

import { HRNetError } from "../../errors.ts";
import { elementCount, type Tensor, tensor } from "../../tensor/tensor.ts";
import {
  type Backward,
  defineOperator,
  emitOne,
  type Inputs,
  type Operator,
  shapeError,
} from "../operator.ts";
import { constant, type Value, type ValueType } from "../value.ts";
import { broadcastShapes, sumTo } from "./broadcast.ts";

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

/** Gradients of an elementwise operator of two inputs from those by element, summed where an input was broadcast. */
function binaryGradient(
  byElement: (dy: Value, a: Value, b: Value, y: Value) => readonly [() => Value, () => Value],
) {
  return ({ node, gradients: [dy], wanted }: Backward): (Value | undefined)[] => {
    const [a, b] = node.inputs as [Value, Value];
    const parts = byElement(dy!, a, b, node.outputs[0]!);
    return [a, b].map((value, index) => (wanted[index] ? sumTo(parts[index]!(), value.shape) : undefined));
  };
}

function binary(
  type: string,
  f: (a: number, b: number) => number,
  gradient: Operator["gradient"] & {},
): Operator {
  return defineOperator({
    type,
    minInputs: 2,
    attributeKinds: {},
    infer: inferBinary(type),
    evaluate: evaluateBinary(f),
    gradient,
  });
}

/** An operator of one input whose gradient is `byElement` of ∂loss/∂y, x and y. */
function unary(type: string, byElement: (dy: Value, x: Value, y: Value) => Value | undefined): Operator {
  return defineOperator({
    type,
    attributeKinds: {},
    infer: (inputs) => [{ dtype: inputs[0]!.dtype, shape: inputs[0]!.shape }],
    gradient: ({ node, gradients: [dy] }) => [byElement(dy!, node.inputs[0]!, node.outputs[0]!)],
  });
}

/** A comparison of two inputs, as 0 and 1. */
function comparison(type: string): Operator {
  return defineOperator({
    type,
    minInputs: 2,
    attributeKinds: {},
    infer: (inputs) => inferBinary(type)(inputs).map(({ shape }) => ({ dtype: "bool", shape })),
  });
}

/** A number: float32[]. */
export const scalar = (value: number): Value => constant(tensor("float32", [], Float32Array.of(value)));

/** A value as it is, under another name: what a graph output that is an input or a constant needs. */
export const Identity: Operator = unary("Identity", (dy) => dy);
/** {@link Identity} as a constant to gradients. */
const Detached: Operator = { ...Identity, gradient: () => [undefined] };
/** ONNX Add. */
export const Add: Operator = binary(
  "Add",
  (a, b) => a + b,
  binaryGradient((dy) => [() => dy, () => dy]),
);
/** ONNX Sub. */
export const Sub: Operator = binary(
  "Sub",
  (a, b) => a - b,
  binaryGradient((dy) => [() => dy, () => neg(dy)]),
);
/** ONNX Mul. */
export const Mul: Operator = binary(
  "Mul",
  (a, b) => a * b,
  binaryGradient((dy, a, b) => [() => mul(dy, b), () => mul(dy, a)]),
);
/** ONNX Div. ∂(a/b)/∂b = −(a/b)/b. */
export const Div: Operator = binary(
  "Div",
  (a, b) => a / b,
  binaryGradient((dy, _, b, y) => [() => div(dy, b), () => neg(div(mul(dy, y), b))]),
);
/** ONNX Greater: 1 where a > b. */
export const Greater: Operator = comparison("Greater");
/** ONNX Less: 1 where a < b. */
export const Less: Operator = comparison("Less");
/** ONNX Equal: 1 where a = b. */
export const Equal: Operator = comparison("Equal");
/** ONNX Neg. */
export const Neg: Operator = unary("Neg", (dy) => neg(dy));
/** ONNX Sqrt. ∂√x/∂x = ½/√x. */
export const Sqrt: Operator = unary("Sqrt", (dy, _, y) => scale(div(dy, y), 0.5));
/** ONNX Exp. */
export const Exp: Operator = unary("Exp", (dy, _, y) => mul(dy, y));
/** ONNX Log. */
export const Log: Operator = unary("Log", (dy, x) => div(dy, x));
/** ONNX Sign: −1, 0 or 1. Its gradient is 0 wherever there is one. */
export const Sign: Operator = unary("Sign", () => undefined);
/** ONNX Relu. Its output is positive exactly where its input is, so the gradient needs no more than the output. */
export const Relu: Operator = unary("Relu", (dy, _, y) => mul(dy, isPositive(y)));
/** ONNX HardSigmoid: min(max(alpha·x + beta, 0), 1). */
export const HardSigmoid = defineOperator({
  type: "HardSigmoid",
  attributeKinds: { alpha: "float", beta: "float" },
  infer: (inputs) => [{ dtype: inputs[0]!.dtype, shape: inputs[0]!.shape }],
});
/** ONNX Sigmoid. ∂σ/∂x = σ(1 − σ). */
export const Sigmoid: Operator = unary("Sigmoid", (dy, _, y) => mul(dy, sub(y, mul(y, y))));

/** Clip(x, min, max); min and max are scalar inputs. Passes the gradient strictly between them, as torch's hardtanh. */
export const Clip = defineOperator({
  type: "Clip",
  attributeKinds: {},
  infer: (inputs) => [{ dtype: inputs[0]!.dtype, shape: inputs[0]!.shape }],
  gradient({ node, gradients: [dy] }) {
    const [x, low, high] = node.inputs;
    let gradient = dy!;
    if (low) gradient = where(greater(x!, low), gradient, scalar(0));
    if (high) gradient = where(less(x!, high), gradient, scalar(0));
    return [gradient];
  },
});

/** ONNX Where: a where the condition holds, else b. */
export const Where = defineOperator({
  type: "Where",
  minInputs: 3,
  attributeKinds: {},
  infer(inputs) {
    const [condition, a, b] = inputs as readonly Value[];
    if (condition!.dtype !== "bool" || a!.dtype !== b!.dtype)
      throw shapeError("Where", inputs, "needs a bool and two values of one dtype");
    const values = broadcastShapes("Where", inputs, a!.shape, b!.shape);
    return [{ dtype: a!.dtype, shape: broadcastShapes("Where", inputs, condition!.shape, values) }];
  },
  gradient({ node, gradients: [dy], wanted }) {
    const [condition, a, b] = node.inputs as readonly Value[];
    return [
      undefined,
      wanted[1] ? sumTo(where(condition!, dy!, scalar(0)), a!.shape) : undefined,
      wanted[2] ? sumTo(where(condition!, scalar(0), dy!), b!.shape) : undefined,
    ];
  },
});

/** a + b, broadcast. */
export const add = (a: Value, b: Value, name = ""): Value => emitOne(Add, [a, b], {}, name);
/** a − b, broadcast. */
export const sub = (a: Value, b: Value, name = ""): Value => emitOne(Sub, [a, b], {}, name);
/** a · b, broadcast. */
export const mul = (a: Value, b: Value, name = ""): Value => emitOne(Mul, [a, b], {}, name);
/** a / b, broadcast. */
export const div = (a: Value, b: Value, name = ""): Value => emitOne(Div, [a, b], {}, name);
/** −x. */
export const neg = (x: Value, name = ""): Value => emitOne(Neg, [x], {}, name);
/** x·factor. */
export const scale = (x: Value, factor: number, name = ""): Value => mul(x, scalar(factor), name);
/** x + term. */
export const shift = (x: Value, term: number, name = ""): Value => add(x, scalar(term), name);
/** √x. */
export const sqrt = (x: Value, name = ""): Value => emitOne(Sqrt, [x], {}, name);
/** e^x. */
export const exp = (x: Value, name = ""): Value => emitOne(Exp, [x], {}, name);
/** Natural logarithm. */
export const log = (x: Value, name = ""): Value => emitOne(Log, [x], {}, name);
/** −1, 0 or 1. */
export const sign = (x: Value, name = ""): Value => emitOne(Sign, [x], {}, name);
/** 1 where x > 0, else 0: a very steep line, clipped. ONNX Runtime's Sign and Where take several times as long on a CPU. */
export const isPositive = (x: Value, name = ""): Value =>
  emitOne(HardSigmoid, [x], { alpha: 1e30, beta: 0 }, name);
/** Whether a > b, by element. */
export const greater = (a: Value, b: Value, name = ""): Value => emitOne(Greater, [a, b], {}, name);
/** Whether a = b, by element. */
export const equal = (a: Value, b: Value, name = ""): Value => emitOne(Equal, [a, b], {}, name);
/** x, through which no gradient goes. */
export const detach = (x: Value): Value => emitOne(Detached, [x], {});
/** Whether a < b, by element. */
export const less = (a: Value, b: Value, name = ""): Value => emitOne(Less, [a, b], {}, name);
/** a where `condition` holds, else b. */
export const where = (condition: Value, a: Value, b: Value, name = ""): Value =>
  emitOne(Where, [condition, a, b], {}, name);
/** min(max(x, low), high). */
export const clip = (x: Value, low: number, high: number, name = ""): Value =>
  emitOne(Clip, [x, scalar(low), scalar(high)], {}, name);
/** max(x, 0). */
export const relu = (x: Value, name = ""): Value => emitOne(Relu, [x], {}, name);
/** 1/(1 + e^−x). */
export const sigmoid = (x: Value, name = ""): Value => emitOne(Sigmoid, [x], {}, name);
/** ONNX Max of two: one operator where {@link maximum} is two, but not every GPU provider has it. */
export const Max: Operator = binary(
  "Max",
  Math.max,
  binaryGradient((dy, a, b) => [
    () => mul(dy, indicator(greater(a, b))),
    () => mul(dy, sub(scalar(1), indicator(greater(a, b)))),
  ]),
);
/** {@link maximum} by one operator. */
export const max = (a: Value, b: Value): Value => emitOne(Max, [a, b], {});
/** The larger of two, broadcast. Where they are equal, the gradient goes to the second. */
export const maximum = (a: Value, b: Value): Value => where(greater(a, b), a, b);
/** The smaller of two, broadcast. Where they are equal, the gradient goes to the first. */
export const minimum = (a: Value, b: Value): Value => where(greater(a, b), b, a);
/** |x|; its gradient at 0 is 0. */
export const absolute = (x: Value): Value => add(relu(x), relu(neg(x)));
/** 1 where the condition holds, else 0. */
export const indicator = (condition: Value): Value => where(condition, scalar(1), scalar(0));
/** max(x, 1): counts that are divided by. */
export const atLeast1 = (x: Value): Value => clip(x, 1, Number.MAX_SAFE_INTEGER);
