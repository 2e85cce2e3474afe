// Convolutions whose weights change with every step.

import type { Inputs } from "../operator.ts";
import { blockedConv, isPlain } from "../ops/blocked.ts";
import type { Node, Value } from "../value.ts";
import { blockedWeight, fitsBlocks } from "./blocked-weights.ts";
import type { LoweringContext } from "./target.ts";

/** Conv in blocks of channels, which the engine chooses for constant weights only; `undefined` where it stays as it is. */
export function convForward(
  node: Node,
  inputs: Inputs,
  { target }: LoweringContext,
): readonly Value[] | undefined {
  const [x, weight, bias] = inputs as readonly [Value, Value, Value?];
  if (target.kind !== "cpu" || bias || !isPlain(node.attributes) || !fitsBlocks(weight, target.channelBlock))
    return undefined;
  return [blockedConv(x, blockedWeight(weight, target.channelBlock), node.attributes, node.name)];
}
