// The gradient of a convolution with respect to its input.

import { tensor } from "../../tensor/tensor.ts";
import { type Attributes, emitOne, intsOf, numberOf } from "../operator.ts";
import { blockedConv, isPlain } from "../ops/blocked.ts";
import { cast } from "../ops/cast.ts";
import { Conv, ConvTranspose } from "../ops/conv.ts";
import { fusedMatMul, matMul } from "../ops/linear.ts";
import { reshape, transpose } from "../ops/shape.ts";
import { constant, type Value } from "../value.ts";
import { blockedMirroredWeight, fitsBlocks } from "./blocked-weights.ts";
import { isPointwise } from "./conv-forward.ts";
import { depthwiseInputGradient, fitsDepthwise } from "./depthwise.ts";
import type { LoweringRule } from "./target.ts";

/** The matrix that reverses the order of `taps` columns: a product with it is faster than slicing backwards. */
function reversal(taps: number): Value {
  const matrix = tensor("float32", [taps, taps]);
  for (let tap = 0; tap < taps; tap++) matrix.data[tap * taps + taps - 1 - tap] = 1;
  return constant(matrix);
}

/**
 * The weight of the convolution that undoes a stride-1 convolution with `weight` (O×C/g×k×k): taps in reverse order, input and
 * output channels exchanged within each group (C×O/g×k×k).
 */
function mirrored(weight: Value, group: number): Value {
  const [out, inputs, kh, kw] = weight.shape as [number, number, number, number];
  const taps = kh * kw;
  let result = reshape(weight, group === 1 ? [out, inputs, taps] : [group, out / group, inputs, taps]);
  if (inputs > 1 || out !== group) result = transpose(result, group === 1 ? [1, 0, 2] : [0, 2, 1, 3]);
  if (taps > 1) result = matMul(result, cast(reversal(taps), weight.dtype));
  return reshape(result, [group * inputs, out / group, kh, kw]);
}

/** weightᵀ (C×O) · dy (N×O×H×W) → N×C×H×W. */
function pointwise(dy: Value, weight: Value, name: string): Value {
  const [samples, out, height, width] = dy.shape as [number, number, number, number];
  const channels = weight.shape[1] as number;
  const product = fusedMatMul(
    reshape(weight, [out, channels]),
    reshape(dy, [samples, out, height * width]),
    { transA: true },
    name,
  );
  return reshape(product, [samples, channels, height, width]);
}

/** Stride 1, pads no wider than the kernel: an ordinary convolution, fast everywhere. Else the transposed one. */
export const convInputGradient: LoweringRule = (node, inputs, context) => {
  const { target } = context;
  const [dy, weight] = inputs as readonly [Value, Value];
  const { shape: _, ...attributes } = node.attributes;
  const kernel = weight.shape.slice(2) as number[];
  const strides = intsOf(attributes, "strides", [1, 1]);
  const dilations = intsOf(attributes, "dilations", [1, 1]);
  const pads = intsOf(attributes, "pads", [0, 0, 0, 0]);
  const group = numberOf(attributes, "group", 1);
  const size = intsOf(node.attributes, "shape", []);
  if (target.kind === "cpu" && fitsDepthwise(dy, weight, attributes, target.channelBlock)) {
    const [, , height, width] = size as [number, number, number, number];
    const block = target.channelBlock;
    const blocked = depthwiseInputGradient(
      dy,
      weight,
      attributes,
      [height, width],
      block,
      context,
      node.name,
    );
    if (blocked) return [blocked];
  }
  const full = [0, 1, 0, 1].map((axis, side) => dilations[axis]! * (kernel[axis]! - 1) - pads[side]!);
  if (strides.every((stride) => stride === 1) && full.every((size) => size >= 0)) {
    const mirroredAttributes = { ...attributes, pads: full };
    if (target.kind === "cpu" && isPlain(attributes) && fitsBlocks(weight, target.channelBlock)) {
      const blocked = blockedMirroredWeight(weight, target.channelBlock);
      return [blockedConv(dy, blocked, mirroredAttributes, node.name)];
    }
    if (target.kind === "cpu" && isPointwise(node, weight)) return [pointwise(dy, weight, node.name)];
    return [emitOne(Conv, [dy, mirrored(weight, group)], mirroredAttributes, node.name)];
  }
  const outputPadding = [0, 1].map((axis) => {
    const covered =
      ((dy.shape[axis + 2] as number) - 1) * strides[axis]! -
      pads[axis]! -
      pads[axis + 2]! +
      dilations[axis]! * (kernel[axis]! - 1) +
      1;
    return size[axis + 2]! - covered;
  });
  const transposed: Attributes = { ...attributes, output_padding: outputPadding };
  return [emitOne(ConvTranspose, [dy, weight], transposed, node.name)];
};
