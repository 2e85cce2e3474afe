// Frees a network from moving channels about. Shuffles, halves and concatenations only say which channel stands where,
// so they become bookkeeping (views), and the weights of the convolutions follow. A branch of half the channels that
// meets the other half again is computed in place on all of them, with kernels that copy and gates of 1 for the rest.
// Channel counts grow to whole blocks of 16 with channels of zeros where that is cheap: what vector units work on.

import { elementCount } from "../../tensor/tensor.ts";
import { countUses, createGraph, type Graph } from "../graph.ts";
import { constantInts, emit, emitOne, intsOf, numberOf } from "../operator.ts";
import { Conv } from "../ops/conv.ts";
import { Add, Mul } from "../ops/elementwise.ts";
import { Concat, concat, Reshape, Split, Transpose } from "../ops/shape.ts";
import { constant, type Dim, type Node, type Value } from "../value.ts";
import {
  CHANNELWISE,
  channelCount,
  hasChannels,
  isConstantConv,
  isDepthwise,
  isWhole,
  realise,
  recompute,
  type View,
  wholeView,
} from "./channel-views.ts";
import { pickKernels, pickRows, sourcesOf, spreadColumns } from "./channel-weights.ts";

/** Channels that runtimes compute together: 16 floats are one AVX-512 register. */
const BLOCK = 16;
/** Filling up a block may cost this share of the channels … */
const MAX_PADDING = 0.25;
/** … except on maps of at most this many pixels, where it costs next to nothing. */
const SMALL_MAP = 1024;

/** Channels to compute for `count` on a map of that many pixels. */
function paddedChannels(count: number, pixels: number): number {
  const padded = Math.ceil(count / BLOCK) * BLOCK;
  return padded <= count * (1 + MAX_PADDING) || pixels <= SMALL_MAP ? padded : count;
}

/** x and the number of groups when the node ends a channel shuffle: reshape to groups, swap, reshape back. */
function shuffleOf(node: Node): { x: Value; groups: number } | undefined {
  const swap = node.operator === Reshape ? node.inputs[0]!.producer : undefined;
  const grouping = swap?.operator === Transpose ? swap.inputs[0]!.producer : undefined;
  if (!swap || grouping?.operator !== Reshape) return undefined;
  const x = grouping.inputs[0]!;
  const [batch, groups, , height, width] = grouping.outputs[0]!.shape;
  const sameSize = [batch, height, width].join() === [x.shape[0], x.shape[2], x.shape[3]].join();
  const restored = node.outputs[0]!.shape.join() === x.shape.join();
  const swapped = intsOf(swap.attributes, "perm", []).join() === "0,2,1,3,4";
  return hasChannels(x) && sameSize && restored && swapped ? { x, groups: groups as number } : undefined;
}

/** Whether a kernel with a 1 in the middle copies its input: size kept, odd kernel, as much padding on either side. */
function canCopy(node: Node): boolean {
  const [, , kh, kw] = node.inputs[1]!.shape as [number, number, number, number];
  const [top, left, bottom, right] = intsOf(node.attributes, "pads", [0, 0, 0, 0]);
  const keepsSize = node.outputs[0]!.shape.join() === node.inputs[0]!.shape.join();
  return keepsSize && kh % 2 === 1 && kw % 2 === 1 && top === bottom && left === right;
}

/** One run of the pass over one graph. */
class ChannelLayout {
  readonly #views = new Map<Value, View>();
  /** Values without channels, and what views were realised as. */
  readonly #plain = new Map<Value, Value>();
  /** Values that others than one reader need: computing them in another order would compute them twice. */
  readonly #shared = new Set<Value>();
  /** A value computed in place of `before`, which it equals except in the channels `changed`. */
  readonly #updates = new Map<Value, { before: Value; changed: ReadonlySet<number> }>();
  readonly #uses: ReadonlyMap<Value, number>;
  readonly #readers = new Map<Value, Node[]>();

  constructor(graph: Graph) {
    this.#uses = countUses(graph);
    for (const node of graph.nodes) {
      for (const value of node.inputs) {
        if (value) this.#readers.set(value, [...(this.#readers.get(value) ?? []), node]);
      }
    }
  }

  readonly #mayMove = (value: Value): boolean => !this.#shared.has(value);

  /** The original value as channels of a new one. */
  #view(original: Value): View {
    let view = this.#views.get(original);
    if (!view) {
      view = wholeView(original);
      this.#views.set(original, view);
    }
    return view;
  }

  #set(original: Value, view: View): void {
    this.#views.set(original, view);
    if ((this.#uses.get(original) ?? 0) > 1) this.#shared.add(view.base);
  }

  /** The original value as a new one with the same channels in the same order. */
  exact(original: Value): Value {
    const view = this.#views.get(original);
    let value = this.#plain.get(original);
    if (!value) {
      value = view ? realise(view, this.#mayMove) : original;
      this.#plain.set(original, value);
    }
    return value;
  }

  /** The view as seen on `base`, if `base` still holds those channels. */
  #heldBy(view: View, base: Value): boolean {
    for (let current = base; current !== view.base; ) {
      const update = this.#updates.get(current);
      if (!update || view.index.some((channel) => update.changed.has(channel))) return false;
      current = update.before;
    }
    return true;
  }

  /** A dense convolution reads its channels where they stand; its own count is filled up to whole blocks. */
  #denseConv(node: Node): View {
    const [x, weight, bias] = node.inputs as [Value, Value, Value | undefined];
    const [, out, height, width] = node.outputs[0]!.shape as [Dim, number, number, number];
    const input = this.#read(x);
    const total = paddedChannels(out, height * width);
    const sources = Array.from({ length: total }, (_, channel) => (channel < out ? channel : -1));
    const index = sources.slice(0, out);
    if (isWhole(input) && total === out) {
      return {
        base: emitOne(Conv, [input.base, ...node.inputs.slice(1)], node.attributes, node.name),
        index,
      };
    }
    const columns = spreadColumns(weight.data!, input.index, channelCount(input.base));
    const inputs = [input.base, constant(pickRows(columns, sources))];
    if (bias) inputs.push(constant(pickRows(bias.data!, sources)));
    return { base: emitOne(Conv, inputs, node.attributes, node.name), index };
  }

  /** What a convolution reads. Part of a split value is computed by itself where that can be. */
  #read(x: Value): View {
    const view = this.#view(x);
    const alone = x.producer?.operator === Split && recompute(view.base, view.index, 0, this.#mayMove);
    return alone ? wholeView(alone) : view;
  }

  /** A depthwise convolution runs on every channel of the base; those that are not meant keep what they hold. */
  #depthwise(node: Node): View {
    const [x, weight, bias] = node.inputs as [Value, Value, Value | undefined];
    const inPlace = canCopy(node);
    const input = inPlace ? this.#view(x) : this.#read(x);
    const total = channelCount(input.base);
    const sources = sourcesOf(input.index, total);
    const inputs = [input.base, constant(pickKernels(weight.data!, sources))];
    if (bias) inputs.push(constant(pickRows(bias.data!, sources)));
    const base = emitOne(Conv, inputs, { ...node.attributes, group: total }, node.name);
    if (inPlace) this.#updates.set(base, { before: input.base, changed: new Set(input.index) });
    return { base, index: input.index };
  }

  /** `view` with its channels where those of `model` stand, and `fill` elsewhere. */
  #alongside(view: View, model: View, fill: 0 | 1): Value | undefined {
    const total = channelCount(model.base);
    if (
      channelCount(view.base) === total &&
      view.index.join() === model.index.join() &&
      total === model.index.length
    ) {
      return view.base;
    }
    const sources = sourcesOf(model.index, total).map((channel) => (channel < 0 ? -1 : view.index[channel]!));
    return recompute(view.base, sources, fill, this.#mayMove);
  }

  /** Sums and products: one operand keeps its channels where they stand and the other follows, with 0 or 1 elsewhere. */
  #binary(node: Node): View | undefined {
    const operands = node.inputs as [Value, Value];
    if (!operands.every((value) => hasChannels(value) && value.kind === "result")) return undefined;
    if (channelCount(operands[0]) !== channelCount(operands[1])) return undefined;
    for (const at of [1, 0] as const) {
      const kept = this.#view(operands[1 - at]!);
      const moved = this.#view(operands[at]!);
      const sameLayout =
        kept.index.join() === moved.index.join() && channelCount(kept.base) === channelCount(moved.base);
      const isUpdate =
        node.operator === Mul && operands[1 - at]!.shape.join() === node.outputs[0]!.shape.join();
      const whole = kept.index.length === channelCount(kept.base);
      const other =
        sameLayout && (whole || node.operator === Add)
          ? moved.base
          : this.#alongside(moved, kept, node.operator === Mul ? 1 : 0);
      if (!other) continue;
      const inputs = at === 1 ? [kept.base, other] : [other, kept.base];
      const base = emitOne(node.operator, inputs, node.attributes, node.name);
      if (isUpdate) this.#updates.set(base, { before: kept.base, changed: new Set(kept.index) });
      return { base, index: kept.index };
    }
    return undefined;
  }

  /** Parts that one value holds are a view of it. Others are put together whole if only convolutions read the result. */
  #concat(node: Node): View | undefined {
    if (numberOf(node.attributes, "axis", 0) !== 1 || !hasChannels(node.outputs[0]!)) return undefined;
    const parts = (node.inputs as Value[]).map((part) => this.#view(part));
    const holder = parts.find(({ base }) => parts.every((part) => this.#heldBy(part, base)));
    if (holder) {
      const index = parts.flatMap((part) => part.index);
      // A channel that appears twice has no one place where a weight could follow it.
      return new Set(index).size === index.length ? { base: holder.base, index } : undefined;
    }
    const readers = this.#readers.get(node.outputs[0]!) ?? [];
    const readByConvs = readers.every((reader) => isConstantConv(reader) && !isDepthwise(reader));
    if (!readByConvs) return undefined;
    let offset = 0;
    const index = parts.flatMap((part) => {
      const shifted = part.index.map((channel) => channel + offset);
      offset += channelCount(part.base);
      return shifted;
    });
    return {
      base: concat(
        parts.map((part) => part.base),
        1,
        node.name,
      ),
      index,
    };
  }

  /** The views of a node's outputs, or `undefined` for a node that must be kept as it is. */
  #rule(node: Node): readonly View[] | undefined {
    const { operator } = node;
    const x = node.inputs[0];
    const shuffle = shuffleOf(node);
    if (shuffle) {
      const { base, index } = this.#view(shuffle.x);
      const size = index.length / shuffle.groups;
      // Channel c of the result is channel c mod groups, place ⌊c/groups⌋ of that group.
      const shuffled = index.map(
        (_, c) => index[(c % shuffle.groups) * size + Math.floor(c / shuffle.groups)]!,
      );
      return [{ base, index: shuffled }];
    }
    if (!x || !hasChannels(x)) return undefined;
    if (isConstantConv(node)) {
      if (isDepthwise(node)) return [this.#depthwise(node)];
      return numberOf(node.attributes, "group", 1) === 1 ? [this.#denseConv(node)] : undefined;
    }
    if (CHANNELWISE.has(operator)) {
      const { base, index } = this.#view(x);
      return [
        { base: emitOne(operator, [base, ...node.inputs.slice(1)], node.attributes, node.name), index },
      ];
    }
    const factor = node.inputs[1];
    if (operator === Mul && factor?.kind === "constant" && elementCount(factor.data!.shape) === 1) {
      const { base, index } = this.#view(x);
      return [{ base: emitOne(Mul, [base, factor], node.attributes, node.name), index }];
    }
    if (operator === Split && numberOf(node.attributes, "axis", 0) === 1) {
      const { base, index } = this.#view(x);
      let start = 0;
      return constantInts("Split", node.inputs, 1)!.map((size) => {
        start += size;
        return { base, index: index.slice(start - size, start) };
      });
    }
    const single = operator === Concat ? this.#concat(node) : undefined;
    const view = single ?? (operator === Add || operator === Mul ? this.#binary(node) : undefined);
    return view && [view];
  }

  /** Brings one node over; its producers must have been. */
  visit(node: Node): void {
    const views = this.#rule(node);
    if (views) {
      node.outputs.forEach((value, index) => {
        this.#set(value, views[index]!);
      });
      return;
    }
    const inputs = node.inputs.map((value) => value && this.exact(value));
    const outputs = emit(node.operator, inputs, node.attributes, node.name);
    node.outputs.forEach((value, index) => {
      if (hasChannels(value)) this.#set(value, wholeView(outputs[index]!));
      else this.#plain.set(value, outputs[index]!);
    });
  }
}

/** The graph without channel shuffles, and without splits and concatenations where convolutions can make up for them. */
export function layOutChannels(graph: Graph): Graph {
  const layout = new ChannelLayout(graph);
  for (const node of graph.nodes) layout.visit(node);
  const outputs = Object.entries(graph.outputs).map(([name, value]) => [name, layout.exact(value)] as const);
  return createGraph(graph.inputs, Object.fromEntries(outputs));
}
