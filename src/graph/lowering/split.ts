// Maps taken apart by channels.

import { axisOf, type Inputs, numberOf } from "../operator.ts";
import { slice } from "../ops/shape.ts";
import type { Node, Value } from "../value.ts";
import type { LoweringContext } from "./target.ts";

/** Parts up to which single slices, which run on all threads, are faster than one split, which does not. */
const FEW = 4;

/** Split of maps into a few parts as slices on a CPU. */
export function splitForward(
  node: Node,
  inputs: Inputs,
  { target }: LoweringContext,
): readonly Value[] | undefined {
  const x = inputs[0]!;
  if (target.kind !== "cpu" || x.shape.length < 4 || node.outputs.length > FEW) return undefined;
  const axis = axisOf("Split", inputs, numberOf(node.attributes, "axis", 0), x.shape.length);
  let start = 0;
  return node.outputs.map((part) => {
    const end = start + (part.shape[axis] as number);
    const result = slice(x, axis, start, end);
    start = end;
    return result;
  });
}
