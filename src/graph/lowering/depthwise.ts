// Depthwise convolutions in blocks of channels. A batch of N maps of C channels is one map of N·C channels to them, so that any
// number of channels fits as long as N·C is a multiple of the block.

import { tensor } from "../../tensor/tensor.ts";
import { type Attributes, emitOne, intsOf, numberOf } from "../operator.ts";
import { BlockedConv, blockedConv, ReorderInput, ReorderOutput } from "../ops/blocked.ts";
import { reduceSum } from "../ops/broadcast.ts";
import { Gather, reshape } from "../ops/shape.ts";
import { constant, type Value } from "../value.ts";
import type { ChannelBlock } from "./blocked-weights.ts";
import type { LoweringContext } from "./target.ts";

type Maps = [number, number, number, number];

/** Whether attributes and weight (C×1×k×k) are a depthwise convolution of x that can run in blocks. */
export function fitsDepthwise(
  x: Value,
  weight: Pick<Value, "shape">,
  attributes: Attributes,
  block: ChannelBlock,
): boolean {
  const [samples, channels] = x.shape as Maps;
  const [out, perGroup, kh, kw] = weight.shape as Maps;
  const oneEach = numberOf(attributes, "group", 1) === channels && out === channels && perGroup === 1;
  return (
    block > 1 &&
    x.dtype === "float32" &&
    channels > 1 &&
    oneEach &&
    kh * kw > 1 &&
    (samples * channels) % block === 0
  );
}

/** Where the weights of N·C maps lie among those of C channels: N·C×1×k×k, of which each block is k·k×b. */
function placesSideBySide([samples, channels]: Maps, weight: Value, block: number, reversed: boolean): Value {
  const [, , kh, kw] = weight.shape as Maps;
  const taps = kh * kw;
  const places = tensor("int64", [samples * channels, 1, kh, kw]);
  for (let at = 0; at < places.data.length; at++) {
    const map = Math.floor(at / (taps * block)) * block + (at % block);
    const tap = Math.floor(at / block) % taps;
    places.data[at] = BigInt((map % channels) * taps + (reversed ? taps - 1 - tap : tap));
  }
  return constant(places);
}

const sideBySide = (x: Value): Value => {
  const [samples, channels, height, width] = x.shape as Maps;
  return reshape(x, [1, samples * channels, height, width]);
};

/** The convolution of x (N×C×H×W) with a depthwise weight, its taps in reverse order if `reversed`. */
export function depthwiseConv(
  x: Value,
  weight: Value,
  attributes: Attributes,
  block: ChannelBlock,
  { once }: LoweringContext,
  reversed = false,
  name = "",
): Value {
  const [samples, channels] = x.shape as Maps;
  const [, , kh, kw] = weight.shape as Maps;
  const key = `depthwise ${[samples, channels, kh, kw, block, reversed]}`;
  const places = once(key, () => placesSideBySide(x.shape as Maps, weight, block, reversed));
  // In training weights change with every step: one gather brings them into blocks.
  const weights = emitOne(Gather, [reshape(weight, [channels * kh * kw]), places], { axis: 0 });
  const result = blockedConv(sideBySide(x), weights, { ...attributes, group: samples * channels }, name);
  const [, , height, width] = result.shape as Maps;
  return reshape(result, [samples, channels, height, width]);
}

/**
 * The gradient of a depthwise weight: each map of x convolved with its map of dy as the kernel, steps and distances exchanged.
 * `undefined` where the window does not come out by padding.
 */
export function depthwiseWeightGradient(
  x: Value,
  dy: Value,
  attributes: Attributes,
  kernel: readonly [number, number],
): Value | undefined {
  const [samples, channels, height, width] = x.shape as Maps;
  const [, , tall, wide] = dy.shape as Maps;
  const strides = intsOf(attributes, "strides", [1, 1]);
  const pads = intsOf(attributes, "pads", [0, 0, 0, 0]);
  const end = [height, width].map(
    (size, axis) => kernel[axis]! - size - pads[axis]! + strides[axis]! * ([tall, wide][axis]! - 1),
  );
  if (end.some((size) => size < 0)) return undefined;
  const all = samples * channels;
  const maps = emitOne(ReorderInput, [sideBySide(x)], {});
  const kernels = reshape(emitOne(ReorderInput, [sideBySide(dy)], {}), [all, 1, tall, wide]);
  const products = emitOne(BlockedConv, [maps, kernels], {
    kernel_shape: [tall, wide],
    strides: intsOf(attributes, "dilations", [1, 1]),
    dilations: strides,
    pads: [pads[0]!, pads[1]!, end[0]!, end[1]!],
    group: all,
  });
  const taps = reshape(emitOne(ReorderOutput, [products], { channels: all }), [samples, channels, ...kernel]);
  return reshape(reduceSum(taps, [0], false), [channels, 1, ...kernel]);
}
