// Forward operators that training graphs have and the engine runs slowly as they are: what it would do with constant weights.

import type { Inputs } from "../operator.ts";
import { intsOf } from "../operator.ts";
import { blockedConv, isPlain } from "../ops/blocked.ts";
import { matMul } from "../ops/linear.ts";
import { reshape } from "../ops/shape.ts";
import type { Node, Value } from "../value.ts";
import { blockedWeight, fitsBlocks } from "./blocked-weights.ts";
import { depthwiseConv, fitsDepthwise } from "./depthwise.ts";
import type { LoweringContext } from "./target.ts";

/** Input channels from which on a 1×1 convolution is faster as a matrix product. */
const WIDE = 192;

/** Conv as this CPU does it fastest; `undefined` where it stays as it is. */
export function convForward(
  node: Node,
  inputs: Inputs,
  context: LoweringContext,
): readonly Value[] | undefined {
  const { target } = context;
  const [x, weight, bias] = inputs as readonly [Value, Value, Value?];
  if (target.kind !== "cpu" || bias || weight.kind === "constant") return undefined;
  const { attributes, name } = node;
  if (fitsDepthwise(x, weight, attributes, target.channelBlock))
    return [depthwiseConv(x, weight, attributes, target.channelBlock, context, name)];
  if (!isPlain(attributes)) return undefined;
  if (fitsBlocks(weight, target.channelBlock))
    return [blockedConv(x, blockedWeight(weight, target.channelBlock), attributes, name)];
  const [out, channels] = weight.shape as [number, number];
  return isPointwise(node, weight) && channels >= WIDE
    ? [pointwise(x, reshape(weight, [out, channels]), name)]
    : undefined;
}

/** Whether a convolution has one tap, stride 1 and no padding. */
export function isPointwise({ attributes }: Node, weight: Value): boolean {
  const all = (name: string, value: number): boolean =>
    intsOf(attributes, name, [value]).every((size) => size === value);
  const oneTap = weight.shape.slice(2).every((size) => size === 1);
  return isPlain(attributes) && oneTap && all("strides", 1) && all("pads", 0);
}

/** weight (O×C) · x (N×C×H×W) → N×O×H×W. */
function pointwise(x: Value, weight: Value, name: string): Value {
  const [samples, channels, height, width] = x.shape as [number, number, number, number];
  const product = matMul(weight, reshape(x, [samples, channels, height * width]), name);
  return reshape(product, [samples, weight.shape[0] as number, height, width]);
}
