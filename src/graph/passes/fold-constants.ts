// Computes what depends on constants only, and drops nodes that change nothing.

import { type Graph, rewriteGraph } from "../graph.ts";
import { Identity } from "../ops/elementwise.ts";
import { Reshape, Transpose } from "../ops/shape.ts";
import { constant, type Node, type Value } from "../value.ts";

/** Whether a node gives its first input back unchanged. */
function isNoOp(node: Node, inputs: readonly (Value | undefined)[]): boolean {
  const x = inputs[0];
  if (!x) return false;
  if (node.operator === Identity) return true;
  if (node.operator === Reshape) return node.outputs[0]!.shape.join() === x.shape.join();
  if (node.operator === Transpose)
    return (node.attributes["perm"] as number[]).every((axis, i) => axis === i);
  return false;
}

/** The graph with constant results computed and no-ops removed. */
export function foldConstants(graph: Graph): Graph {
  return rewriteGraph(graph, (node, inputs) => {
    if (isNoOp(node, inputs)) return [inputs[0]!];
    const { evaluate } = node.operator;
    if (!evaluate || inputs.some((value) => value && value.kind !== "constant")) return undefined;
    const tensors = inputs.map((value) => value?.data);
    if (tensors.some((data) => data && data.dtype !== "float32" && data.dtype !== "int64")) return undefined;
    return evaluate(tensors, node.attributes).map((data) => constant(data));
  });
}
