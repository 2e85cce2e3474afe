// Views: a value of the original network as channels, in some order, of a value of the rewritten one.

import { emitOne, numberOf } from "../operator.ts";
import { Conv } from "../ops/conv.ts";
import { Add, Clip, Relu, Sigmoid } from "../ops/elementwise.ts";
import { AveragePool, GlobalAveragePool, MaxPool } from "../ops/pool.ts";
import { Resize } from "../ops/resize.ts";
import { gather, slice } from "../ops/shape.ts";
import { constant, type Node, type Value } from "../value.ts";
import { type ChannelSources, pickRows } from "./channel-weights.ts";

/** Logical channel c is channel `index[c]` of `base`; whatever else `base` holds is not meant. */
export interface View {
  readonly base: Value;
  readonly index: readonly number[];
}

/** Number of channels of an N×C×H×W value. */
export const channelCount = (value: Value): number => value.shape[1] as number;

/** Whether a value has channels that can be moved: float32 N×C×H×W. */
export function hasChannels(value: Value): boolean {
  return value.dtype === "float32" && value.shape.length === 4 && typeof value.shape[1] === "number";
}

/** All channels of a value in its own order. */
export function wholeView(base: Value): View {
  return { base, index: Array.from({ length: channelCount(base) }, (_, channel) => channel) };
}

/** Whether a view is its base, unchanged. */
export function isWhole({ base, index }: View): boolean {
  return index.length === channelCount(base) && index.every((from, channel) => from === channel);
}

/** Operators that treat every channel alike and by itself, with one data input. */
export const CHANNELWISE = new Set([Relu, Sigmoid, Clip, Resize, AveragePool, MaxPool, GlobalAveragePool]);

/** Whether a convolution has one kernel per channel. */
export function isDepthwise(node: Node): boolean {
  const [, weight] = node.inputs;
  const group = numberOf(node.attributes, "group", 1);
  return node.operator === Conv && group > 1 && weight!.shape[1] === 1 && weight!.shape[0] === group;
}

/** Whether weight and bias of a convolution are known. */
export function isConstantConv(node: Node): boolean {
  const [, weight, bias] = node.inputs;
  return (
    node.operator === Conv && weight?.data?.dtype === "float32" && (!bias || bias.data?.dtype === "float32")
  );
}

/** What must enter a channelwise operator for `fill` to leave it: sigmoid(40) is 1 and sigmoid(−100) is 0 in float32. */
function fillBefore(node: Node, fill: number): number {
  if (node.operator !== Sigmoid) return fill;
  return fill === 1 ? 40 : -100;
}

/**
 * `value` computed with its channels picked by `sources` (a −1 becomes a channel full of `fill`, 0 or 1) at no cost: by
 * moving rows of the convolutions it comes from. `undefined` where something on the way cannot be moved, or `mayMove`
 * forbids it because others read it too.
 */
export function recompute(
  value: Value,
  sources: ChannelSources,
  fill: 0 | 1,
  mayMove: (value: Value) => boolean,
): Value | undefined {
  const move = (current: Value, full: number): Value | undefined => {
    const node = current.producer;
    if (!node || !hasChannels(current) || !mayMove(current)) return undefined;
    // Clip may not let the fill through.
    if (CHANNELWISE.has(node.operator) && node.operator !== Clip) {
      const x = move(node.inputs[0]!, fillBefore(node, full));
      return x && emitOne(node.operator, [x, ...node.inputs.slice(1)], node.attributes, node.name);
    }
    const sameChannels = node.inputs.every((term) => term?.shape[1] === current.shape[1]);
    if (node.operator === Add && full === 0 && sameChannels) {
      const [a, b] = node.inputs.map((term) => move(term!, 0));
      return a && b && emitOne(Add, [a, b], {}, node.name);
    }
    if (!isConstantConv(node) || numberOf(node.attributes, "group", 1) !== 1) return undefined;
    const [x, weight, bias] = node.inputs;
    const rows = constant(pickRows(weight!.data!, sources));
    const zeros = {
      dtype: "float32",
      shape: [channelCount(current)],
      data: new Float32Array(channelCount(current)),
    } as const;
    const shifts = constant(pickRows(bias?.data ?? zeros, sources, full));
    return emitOne(Conv, [x, rows, shifts], node.attributes, node.name);
  };
  return move(value, fill);
}

/** The view as a value that holds its channels and nothing else. */
export function realise(view: View, mayMove: (value: Value) => boolean): Value {
  if (isWhole(view)) return view.base;
  const moved = recompute(view.base, view.index, 0, mayMove);
  if (moved) return moved;
  const [start] = view.index as [number];
  const contiguous = view.index.every((from, channel) => from === start + channel);
  return contiguous
    ? slice(view.base, 1, start, start + view.index.length)
    : gather(view.base, view.index, 1);
}
