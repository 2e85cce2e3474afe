// Channel shuffles right behind the concatenation that they shuffle, as one concatenation.

import { type Graph, rewriteGraph } from "../graph.ts";
import { intsOf, numberOf } from "../operator.ts";
import { Concat, concat, Reshape, reshape, Transpose } from "../ops/shape.ts";
import type { Node, Value } from "../value.ts";

const only = (node: Node | undefined, operator: Node["operator"]): Node | undefined =>
  node?.operator === operator ? node : undefined;

/** The parts that `shuffled` (N×C×H×W) takes its channels from in turn: part k of g gives channels k, k + g, … */
function partsOf(shuffled: Node): readonly Value[] | undefined {
  const moved = only(shuffled.inputs[0]?.producer, Transpose);
  const grouped = only(moved?.inputs[0]?.producer, Reshape);
  const joined = only(grouped?.inputs[0]?.producer, Concat);
  if (!moved || !joined || intsOf(moved.attributes, "perm", []).join() !== "0,2,1,3,4") return undefined;
  const [, groups, perGroup] = grouped!.outputs[0]!.shape;
  const parts = joined.inputs as readonly Value[];
  const fits =
    numberOf(joined.attributes, "axis", 0) === 1 &&
    shuffled.outputs[0]!.shape.join() === joined.outputs[0]!.shape.join() &&
    parts.length === groups &&
    parts.every((part) => part.shape[1] === perGroup);
  return fits ? parts : undefined;
}

/**
 * The graph with shuffled concatenations laid out as they end up: whole maps are copied once instead of twice, forwards and
 * backwards. Sizes must be known.
 */
export function interleaveChannels(graph: Graph): Graph {
  return rewriteGraph(graph, (node, inputs) => {
    if (node.operator !== Reshape) return undefined;
    const parts = partsOf({ ...node, inputs });
    if (!parts) return undefined;
    const shape = node.outputs[0]!.shape as readonly [number, number, number, number];
    const [samples, , height, width] = shape;
    const maps = parts.map((part) => reshape(part, [samples, part.shape[1] as number, 1, height * width]));
    return [reshape(concat(maps, 2), shape)];
  });
}
