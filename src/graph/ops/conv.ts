// Convolutions: Conv and ConvTranspose over N×C×H×W.

import {
  type Attributes,
  defineOperator,
  emitOne,
  type Inputs,
  intsOf,
  numberOf,
  shapeError,
  TRAINING_DOMAIN,
} from "../operator.ts";
import { type Dim, type Node, sizeOr1, type Value } from "../value.ts";
import { knownShape, reduceSum } from "./broadcast.ts";
import { cast } from "./cast.ts";

/** What a 2-D convolution is told. `pads` is [top, left, bottom, right]. */
export interface ConvOptions {
  readonly strides?: readonly [number, number];
  readonly pads?: readonly [number, number, number, number];
  readonly dilations?: readonly [number, number];
  readonly group?: number;
  /** ConvTranspose only: rows and columns added at the end. */
  readonly outputPadding?: readonly [number, number];
}

const CONV_ATTRIBUTES = {
  kernel_shape: "ints",
  strides: "ints",
  pads: "ints",
  dilations: "ints",
  group: "int",
} as const;

function spatial(type: string, inputs: Inputs, axis: number): number {
  const size = inputs[0]!.shape[axis];
  if (typeof size !== "number") throw shapeError(type, inputs, "height and width must be known");
  return size;
}

/** Checks bias length and dtypes; both convolutions take (X, W, B?). */
function checkBias(type: string, inputs: Inputs, outputs: number): void {
  const bias = inputs[2];
  if (bias && (bias.shape.length !== 1 || bias.shape[0] !== outputs)) {
    throw shapeError(type, inputs, `the bias must have ${outputs} elements`);
  }
  if (inputs[0]!.dtype !== inputs[1]!.dtype)
    throw shapeError(type, inputs, "input and weight must share a dtype");
}

function sizes(type: string, inputs: Inputs): { n: Dim; c: number; weight: number[] } {
  const [x, w] = inputs;
  if (x?.shape.length !== 4 || w?.shape.length !== 4)
    throw shapeError(type, inputs, "expected N×C×H×W and a 4-D weight");
  return { n: x.shape[0]!, c: x.shape[1] as number, weight: w.shape as number[] };
}

/** ONNX Conv. Output size per axis: floor((in + pads − dilation·(k−1) − 1)/stride) + 1. */
export const Conv = defineOperator({
  type: "Conv",
  minInputs: 2,
  attributeKinds: CONV_ATTRIBUTES,
  infer(inputs, attributes) {
    const { n, c, weight } = sizes("Conv", inputs);
    const [out, inPerGroup, kh, kw] = weight as [number, number, number, number];
    const group = numberOf(attributes, "group", 1);
    if (c !== inPerGroup * group || out % group !== 0) {
      throw shapeError(
        "Conv",
        inputs,
        `with ${group} group(s) the weight takes ${inPerGroup * group} channels`,
      );
    }
    checkBias("Conv", inputs, out);
    const strides = intsOf(attributes, "strides", [1, 1]);
    const pads = intsOf(attributes, "pads", [0, 0, 0, 0]);
    const dilations = intsOf(attributes, "dilations", [1, 1]);
    const size = (axis: 0 | 1, k: number): number => {
      const padded = spatial("Conv", inputs, axis + 2) + pads[axis]! + pads[axis + 2]!;
      const result = Math.floor((padded - dilations[axis]! * (k - 1) - 1) / strides[axis]!) + 1;
      if (result < 1) throw shapeError("Conv", inputs, "the picture is smaller than the kernel");
      return result;
    };
    return [{ dtype: inputs[0]!.dtype, shape: [n, out, size(0, kh), size(1, kw)] }];
  },
  macs(node: Node) {
    const [n, out, h, w] = node.outputs[0]!.shape as [Dim, number, number, number];
    const [, inPerGroup, kh, kw] = node.inputs[1]!.shape as [number, number, number, number];
    return sizeOr1(n) * out * h * w * inPerGroup * kh * kw;
  },
  gradient({ node, gradients: [dy], wanted }) {
    const [x, weight] = node.inputs as readonly Value[];
    return [
      wanted[0] ? convInputGradient(dy!, weight!, x!, node.attributes, node.name) : undefined,
      wanted[1] ? convWeightGradient(x!, dy!, weight!, node.attributes, node.name) : undefined,
      wanted[2] ? reduceSum(dy!, [0, 2, 3], false) : undefined,
    ];
  },
});

/** ONNX ConvTranspose. Output size per axis: (in − 1)·stride − pads + dilation·(k − 1) + 1 + output_padding; weight is I×O/group×kh×kw. */
export const ConvTranspose = defineOperator({
  type: "ConvTranspose",
  minInputs: 2,
  attributeKinds: { ...CONV_ATTRIBUTES, output_padding: "ints" },
  infer(inputs, attributes) {
    const { n, c, weight } = sizes("ConvTranspose", inputs);
    const [inChannels, outPerGroup, kh, kw] = weight as [number, number, number, number];
    const group = numberOf(attributes, "group", 1);
    if (c !== inChannels)
      throw shapeError("ConvTranspose", inputs, `the weight takes ${inChannels} channels`);
    checkBias("ConvTranspose", inputs, outPerGroup * group);
    const strides = intsOf(attributes, "strides", [1, 1]);
    const pads = intsOf(attributes, "pads", [0, 0, 0, 0]);
    const dilations = intsOf(attributes, "dilations", [1, 1]);
    const extra = intsOf(attributes, "output_padding", [0, 0]);
    const size = (axis: 0 | 1, k: number): number =>
      (spatial("ConvTranspose", inputs, axis + 2) - 1) * strides[axis]! -
      pads[axis]! -
      pads[axis + 2]! +
      dilations[axis]! * (k - 1) +
      1 +
      extra[axis]!;
    if (size(0, kh) < 1 || size(1, kw) < 1)
      throw shapeError("ConvTranspose", inputs, "the pads leave nothing");
    return [{ dtype: inputs[0]!.dtype, shape: [n, outPerGroup * group, size(0, kh), size(1, kw)] }];
  },
  macs(node: Node) {
    const [n, inChannels, h, w] = node.inputs[0]!.shape as [Dim, number, number, number];
    const [, outPerGroup, kh, kw] = node.inputs[1]!.shape as [number, number, number, number];
    return sizeOr1(n) * inChannels * h * w * outPerGroup * kh * kw;
  },
  // A transposed convolution is the adjoint of the convolution with the same weight, so its adjoint is that convolution.
  gradient({ node, gradients: [dy], wanted }) {
    const [x, weight] = node.inputs as readonly Value[];
    const { output_padding: _, ...attributes } = node.attributes;
    return [
      wanted[0] ? emitOne(Conv, [dy, weight], attributes, node.name) : undefined,
      wanted[1] ? convWeightGradient(dy!, x!, weight!, attributes, node.name) : undefined,
      wanted[2] ? reduceSum(dy!, [0, 2, 3], false) : undefined,
    ];
  },
});

/**
 * ∂L/∂X of a convolution from ∂L/∂Y (input 0) and its weight (input 1); attributes are the convolution's and `shape`, that of
 * X. To be lowered.
 */
export const ConvInputGradient = defineOperator({
  type: "ConvInputGradient",
  domain: TRAINING_DOMAIN,
  minInputs: 2,
  attributeKinds: { ...CONV_ATTRIBUTES, shape: "ints" },
  infer: (inputs, attributes) => [{ dtype: inputs[0]!.dtype, shape: intsOf(attributes, "shape", []) }],
});

/**
 * ∂L/∂W of a convolution from X (input 0) and ∂L/∂Y (input 1); attributes are the convolution's and `shape`, that of W.
 * To be lowered.
 */
export const ConvWeightGradient = defineOperator({
  type: "ConvWeightGradient",
  domain: TRAINING_DOMAIN,
  minInputs: 2,
  attributeKinds: { ...CONV_ATTRIBUTES, shape: "ints" },
  infer: (inputs, attributes) => [{ dtype: inputs[0]!.dtype, shape: intsOf(attributes, "shape", []) }],
});

function convInputGradient(dy: Value, weight: Value, x: Value, attributes: Attributes, name: string): Value {
  const shape = knownShape("Conv", x);
  return emitOne(ConvInputGradient, [dy, weight], { ...attributes, shape }, name);
}

/** Summed in float32, whatever the maps are: the sum runs over all samples and pixels. */
function convWeightGradient(x: Value, dy: Value, weight: Value, attributes: Attributes, name: string): Value {
  const shape = knownShape("Conv", weight);
  const maps = [cast(x, "float32"), cast(dy, "float32")];
  return emitOne(ConvWeightGradient, maps, { ...attributes, shape }, name);
}

function attributesOf(weight: Value, options: ConvOptions): Attributes {
  return {
    kernel_shape: weight.shape.slice(2) as number[],
    strides: options.strides ?? [1, 1],
    pads: options.pads ?? [0, 0, 0, 0],
    dilations: options.dilations ?? [1, 1],
    group: options.group ?? 1,
  };
}

/** 2-D convolution of x (N×C×H×W) with weight (O×C/group×kh×kw) and an optional bias (O). */
export function conv(
  x: Value,
  weight: Value,
  bias: Value | undefined,
  options: ConvOptions = {},
  name = "",
): Value {
  return emitOne(Conv, bias ? [x, weight, bias] : [x, weight], attributesOf(weight, options), name);
}

/** Transposed 2-D convolution of x (N×C×H×W) with weight (C×O/group×kh×kw) and an optional bias (O). */
export function convTranspose(
  x: Value,
  weight: Value,
  bias: Value | undefined,
  options: ConvOptions = {},
  name = "",
): Value {
  const attributes = { ...attributesOf(weight, options), output_padding: options.outputPadding ?? [0, 0] };
  return emitOne(ConvTranspose, bias ? [x, weight, bias] : [x, weight], attributes, name);
}
