// Maps and vectors taken apart and put together, within what devices can bind.

import { axisOf, type Inputs, numberOf } from "../operator.ts";
import { concat, slice } from "../ops/shape.ts";
import type { Node, Value } from "../value.ts";
import type { LoweringContext } from "./target.ts";

/** Parts up to which single slices, which run on all threads, are faster than one split, which does not. */
const FEW = 4;

/** Buffers that a WebGPU shader may bind: 8 by the standard's defaults (maxStorageBuffersPerShaderStage), one of them the other way. */
const MOST_BUFFERS = 7;

/** Split as slices: of maps into a few parts on a CPU, into more parts than a GPU's shader may bind. */
export function splitForward(
  node: Node,
  inputs: Inputs,
  { target }: LoweringContext,
): readonly Value[] | undefined {
  const x = inputs[0]!;
  const parts = node.outputs.length;
  const wanted = target.kind === "cpu" ? x.shape.length >= 4 && parts <= FEW : parts > MOST_BUFFERS;
  if (!wanted) return undefined;
  const axis = axisOf("Split", inputs, numberOf(node.attributes, "axis", 0), x.shape.length);
  let start = 0;
  return node.outputs.map((part) => {
    const end = start + (part.shape[axis] as number);
    const result = slice(x, axis, start, end);
    start = end;
    return result;
  });
}

/** Concat of more parts than a GPU's shader may bind, in stages. */
export function concatForward(
  node: Node,
  inputs: Inputs,
  { target }: LoweringContext,
): readonly Value[] | undefined {
  if (target.kind === "cpu" || inputs.length <= MOST_BUFFERS) return undefined;
  const axis = numberOf(node.attributes, "axis", 0);
  let parts = inputs as readonly Value[];
  while (parts.length > 1) {
    const joined: Value[] = [];
    for (let i = 0; i < parts.length; i += MOST_BUFFERS)
      joined.push(concat(parts.slice(i, i + MOST_BUFFERS), axis));
    parts = joined;
  }
  return parts;
}
