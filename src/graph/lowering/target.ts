// What a training graph is lowered for, and what a lowering rule is.

import type { Inputs } from "../operator.ts";
import type { Node, Value } from "../value.ts";
import type { ChannelBlock } from "./blocked-weights.ts";

/** What a graph is lowered for: families of devices that differ in what they have and in what is fast. */
export type Target =
  | { readonly kind: "gpu" }
  | {
      readonly kind: "cpu";
      /** The engine's block of channels on this processor; see `probeChannelBlock` of the runtime. */
      readonly channelBlock: ChannelBlock;
    };

/** What rules know of the lowering they are part of. */
export interface LoweringContext {
  readonly target: Target;
  /** 1, 2, 3, …: another number with each call. */
  serial(): number;
  /** What `make` gives, made once for each `key`. */
  once(key: string, make: () => Value): Value;
}

/** The outputs that take a node's place; `inputs` are its inputs as they have become. */
export type LoweringRule = (node: Node, inputs: Inputs, context: LoweringContext) => readonly Value[];

/** The outputs that take a node's place where the target has something faster, else `undefined`. */
export type ForwardRule = (
  node: Node,
  inputs: Inputs,
  context: LoweringContext,
) => readonly Value[] | undefined;
