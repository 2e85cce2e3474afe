// Depthwise convolutions in blocks of channels. A batch of N maps of C channels is one map of N·C channels to them, so that any
// number of channels fits as long as N·C is a multiple of the block.

import { tensor } from "../../tensor/tensor.ts";
import { type Attributes, emitOne, intsOf, numberOf } from "../operator.ts";
import { BlockedConv, BlockedUpsample, blockedConv, ReorderInput, ReorderOutput } from "../ops/blocked.ts";
import { expand, reduceSum } from "../ops/broadcast.ts";
import { mul } from "../ops/elementwise.ts";
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

const leastCommonMultiple = (a: number, b: number): number => {
  let multiple = a;
  while (multiple % b !== 0) multiple += a;
  return multiple;
};

/** Where the weights of `maps` maps lie among those of C channels: maps×k×k, of which each block is k·k×b. */
function placesSideBySide(maps: number, weight: Value, block: number, reversed: boolean): Value {
  const [channels, , kh, kw] = weight.shape as Maps;
  const taps = kh * kw;
  const places = tensor("int64", [maps * taps]);
  for (let at = 0; at < places.data.length; at++) {
    const map = Math.floor(at / (taps * block)) * block + (at % block);
    const tap = Math.floor(at / block) % taps;
    places.data[at] = BigInt((map % channels) * taps + (reversed ? taps - 1 - tap : tap));
  }
  return constant(places);
}

/**
 * The weights of `samples` times C maps in blocks, N·C×1×k×k. In training they change with every step: one gather brings the
 * maps into blocks after which channels and blocks begin together again, and these are repeated.
 */
function weightsSideBySide(
  weight: Value,
  samples: number,
  block: ChannelBlock,
  reversed: boolean,
  { once }: LoweringContext,
): Value {
  const [channels, , kh, kw] = weight.shape as Maps;
  const period = leastCommonMultiple(channels, block);
  const key = `depthwise ${[channels, kh, kw, block, reversed]}`;
  const places = once(key, () => placesSideBySide(period, weight, block, reversed));
  const gathered = emitOne(Gather, [reshape(weight, [channels * kh * kw]), places], { axis: 0 });
  const repeats = (samples * channels) / period;
  const all =
    repeats === 1 ? gathered : expand(reshape(gathered, [1, period * kh * kw]), [repeats, period * kh * kw]);
  return reshape(all, [samples * channels, 1, kh, kw]);
}

const sideBySide = (x: Value): Value => {
  const [samples, channels, height, width] = x.shape as Maps;
  return reshape(x, [1, samples * channels, height, width]);
};

const apart = (maps: Value, samples: number): Value => {
  const [, all, height, width] = maps.shape as Maps;
  return reshape(maps, [samples, all / samples, height, width]);
};

/** The convolution of x (N×C×H×W) with a depthwise weight. */
export function depthwiseConv(
  x: Value,
  weight: Value,
  attributes: Attributes,
  block: ChannelBlock,
  context: LoweringContext,
  name: string,
): Value {
  const [samples, channels] = x.shape as Maps;
  const weights = weightsSideBySide(weight, samples, block, false, context);
  const result = blockedConv(sideBySide(x), weights, { ...attributes, group: samples * channels }, name);
  return apart(result, samples);
}

/** 1 where every `strides`-th row and column of blocked maps (1×M×H×W) meet, else 0. */
function stuffing([, maps, height, width]: Maps, strides: readonly number[], block: number): Value {
  const mask = tensor("float32", [1, maps, height, width]);
  for (let at = 0; at < mask.data.length; at++) {
    const pixel = Math.floor(at / block) % (height * width);
    const met = Math.floor(pixel / width) % strides[0]! === 0 && (pixel % width) % strides[1]! === 0;
    mask.data[at] = met ? 1 : 0;
  }
  return constant(mask);
}

/**
 * The gradient of a depthwise convolution's input (`size` H×W): dy convolved with the weights in reverse order, for strides with
 * zeros between its pixels. `undefined` where that does not come out by padding.
 */
export function depthwiseInputGradient(
  dy: Value,
  weight: Value,
  attributes: Attributes,
  [height, width]: readonly [number, number],
  block: ChannelBlock,
  context: LoweringContext,
  name: string,
): Value | undefined {
  const [samples, channels, tall, wide] = dy.shape as Maps;
  const kernel = weight.shape.slice(2) as [number, number];
  const strides = intsOf(attributes, "strides", [1, 1]);
  const dilations = intsOf(attributes, "dilations", [1, 1]);
  const begin = [0, 1].map(
    (axis) => dilations[axis]! * (kernel[axis]! - 1) - intsOf(attributes, "pads", [0, 0, 0, 0])[axis]!,
  );
  const end = [height - tall * strides[0]!, width - wide * strides[1]!].map(
    (beyond, axis) => beyond + dilations[axis]! * (kernel[axis]! - 1) - begin[axis]!,
  );
  if ([...begin, ...end].some((size) => size < 0)) return undefined;
  let maps = emitOne(ReorderInput, [sideBySide(dy)], {});
  if (strides.some((stride) => stride > 1)) {
    const enlarged = emitOne(BlockedUpsample, [maps], { scales: [1, 1, ...strides], mode: "nearest" });
    const shape = enlarged.shape as Maps;
    const mask = context.once(`stuffing ${[...shape, ...strides, block]}`, () =>
      stuffing(shape, strides, block),
    );
    maps = mul(enlarged, mask);
  }
  const result = emitOne(
    BlockedConv,
    [maps, weightsSideBySide(weight, samples, block, true, context)],
    { kernel_shape: kernel, dilations, pads: [...begin, ...end], group: samples * channels },
    name,
  );
  return apart(emitOne(ReorderOutput, [result], { channels: samples * channels }), samples);
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
  const dilations = intsOf(attributes, "dilations", [1, 1]);
  const end = [height, width].map((size, axis) => {
    const window = strides[axis]! * ([tall, wide][axis]! - 1) + 1;
    return dilations[axis]! * (kernel[axis]! - 1) + window - size - pads[axis]!;
  });
  if (end.some((size) => size < 0)) return undefined;
  const all = samples * channels;
  const maps = emitOne(ReorderInput, [sideBySide(x)], {});
  const kernels = reshape(emitOne(ReorderInput, [sideBySide(dy)], {}), [all, 1, tall, wide]);
  const products = emitOne(BlockedConv, [maps, kernels], {
    kernel_shape: [tall, wide],
    strides: dilations,
    dilations: strides,
    pads: [pads[0]!, pads[1]!, end[0]!, end[1]!],
    group: all,
  });
  const taps = reshape(emitOne(ReorderOutput, [products], { channels: all }), [samples, channels, ...kernel]);
  return reshape(reduceSum(taps, [0], false), [channels, 1, ...kernel]);
}
