// Pooling over N×C×H×W: MaxPool, AveragePool, GlobalAveragePool.

import {
  type Attributes,
  defineOperator,
  emitOne,
  type Inputs,
  intsOf,
  numberOf,
  type Operator,
  shapeError,
  TRAINING_DOMAIN,
} from "../operator.ts";
import type { Value, ValueType } from "../value.ts";
import { expand, knownShape } from "./broadcast.ts";
import { scale } from "./elementwise.ts";
import { upsampleNearest } from "./resize.ts";
import { pad } from "./shape.ts";

const POOL_ATTRIBUTES = {
  kernel_shape: "ints",
  strides: "ints",
  pads: "ints",
  ceil_mode: "int",
  count_include_pad: "int",
} as const;

/** Output size per axis: ⌊(in + pads − k)/stride⌋ + 1, ⌈…⌉ with `ceil_mode`. */
function inferPool(type: string) {
  return (inputs: Inputs, attributes: Attributes): ValueType[] => {
    const x = inputs[0]!;
    const kernel = intsOf(attributes, "kernel_shape", []);
    const strides = intsOf(attributes, "strides", [1, 1]);
    const pads = intsOf(attributes, "pads", [0, 0, 0, 0]);
    if (x.shape.length !== 4 || kernel.length !== 2)
      throw shapeError(type, inputs, "expected N×C×H×W and a 2-D kernel");
    const round = numberOf(attributes, "ceil_mode", 0) === 1 ? Math.ceil : Math.floor;
    const size = (axis: 0 | 1): number => {
      const length = x.shape[axis + 2];
      if (typeof length !== "number") throw shapeError(type, inputs, "height and width must be known");
      const result = round((length + pads[axis]! + pads[axis + 2]! - kernel[axis]!) / strides[axis]!) + 1;
      if (result < 1)
        throw shapeError(type, inputs, `the picture is smaller than the ${kernel.join("×")} window`);
      return result;
    };
    return [{ dtype: x.dtype, shape: [x.shape[0]!, x.shape[1]!, size(0), size(1)] }];
  };
}

/** ONNX MaxPool over windows of height and width. */
export const MaxPool = defineOperator({
  type: "MaxPool",
  attributeKinds: POOL_ATTRIBUTES,
  infer: inferPool("MaxPool"),
  gradient: ({ node, gradients: [dy] }) => [
    emitOne(MaxPoolGradient, [dy, node.inputs[0]], node.attributes, node.name),
  ],
});

/** ∂L/∂X of {@link MaxPool} from ∂L/∂Y (input 0) and X (input 1): to the first maximum of each window. To be lowered. */
export const MaxPoolGradient = defineOperator({
  type: "MaxPoolGradient",
  domain: TRAINING_DOMAIN,
  minInputs: 2,
  attributeKinds: POOL_ATTRIBUTES,
  infer: (inputs) => [{ dtype: inputs[1]!.dtype, shape: inputs[1]!.shape }],
});

/** {@link MaxPool} with its second output: where in the whole flattened input each maximum is. */
export const MaxPoolWithIndices: Operator = {
  type: "MaxPool",
  domain: "",
  attributeKinds: POOL_ATTRIBUTES,
  infer: (inputs, attributes) =>
    inferPool("MaxPool")(inputs, attributes).flatMap((y) => [y, { dtype: "int64", shape: y.shape }]),
};

/** ONNX AveragePool over windows of height and width. */
export const AveragePool = defineOperator({
  type: "AveragePool",
  attributeKinds: POOL_ATTRIBUTES,
  infer: inferPool("AveragePool"),
  gradient({ node, gradients: [dy] }) {
    const window = intsOf(node.attributes, "kernel_shape", []) as readonly [number, number];
    const tiles =
      window.join() === intsOf(node.attributes, "strides", [1, 1]).join() &&
      intsOf(node.attributes, "pads", []).every((pad) => pad === 0);
    if (!tiles)
      throw shapeError("AveragePool", node.inputs, "has a gradient only where windows lie side by side");
    const spread = upsampleNearest(scale(dy!, 1 / (window[0] * window[1])), window);
    // A rest that no window covers has none.
    const shape = knownShape("AveragePool", node.inputs[0]!);
    const rest = shape.map((size, axis) => size - (spread.shape[axis] as number));
    return [pad(spread, [0, 0, 0, 0, ...rest])];
  },
});

/** ONNX GlobalAveragePool: N×C×H×W → N×C×1×1. */
export const GlobalAveragePool = defineOperator({
  type: "GlobalAveragePool",
  attributeKinds: {},
  infer(inputs) {
    const x = inputs[0]!;
    if (x.shape.length !== 4) throw shapeError("GlobalAveragePool", inputs, "expected N×C×H×W");
    return [{ dtype: x.dtype, shape: [x.shape[0]!, x.shape[1]!, 1, 1] }];
  },
  gradient({ node, gradients: [dy] }) {
    const shape = knownShape("GlobalAveragePool", node.inputs[0]!);
    return [expand(scale(dy!, 1 / (shape[2]! * shape[3]!)), shape)];
  },
});

/** Window and step of a pooling. `pads` is [top, left, bottom, right]. */
export interface PoolOptions {
  readonly kernel: readonly [number, number];
  readonly strides: readonly [number, number];
  readonly pads?: readonly [number, number, number, number];
}

function poolAttributes({ kernel, strides, pads = [0, 0, 0, 0] }: PoolOptions): Attributes {
  return { kernel_shape: kernel, strides, pads };
}

/** Maximum over each window; padding never wins. */
export const maxPool = (x: Value, options: PoolOptions, name = ""): Value =>
  emitOne(MaxPool, [x], poolAttributes(options), name);

/** Mean over each window. */
export const averagePool = (x: Value, options: PoolOptions, name = ""): Value =>
  emitOne(AveragePool, [x], poolAttributes(options), name);

/** Mean over height and width: N×C×H×W → N×C×1×1. */
export const globalAveragePool = (x: Value, name = ""): Value => emitOne(GlobalAveragePool, [x], {}, name);
