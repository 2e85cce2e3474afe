// Mixed precision for training: convolutions and products in float16, everything else in float32.

import { type Graph, rewriteGraph } from "../graph.ts";
import { emitOne, type Operator } from "../operator.ts";
import { cast } from "../ops/cast.ts";
import { Conv, ConvTranspose } from "../ops/conv.ts";
import { Gemm, MatMul } from "../ops/linear.ts";
import type { Value } from "../value.ts";

/** Operators whose work is worth converting for; sums over many numbers (statistics, losses) stay in float32. */
const HALVED: ReadonlySet<Operator> = new Set([Conv, ConvTranspose, MatMul, Gemm]);

/**
 * The graph with its convolutions and products in float16. Weights stay float32 and are converted on use, so that their
 * gradients, and what an optimizer makes of them, are float32 (Micikevicius et al. 2018, section 3.1).
 */
export function halveConvolutions(graph: Graph): Graph {
  const halves = new Map<Value, Value>();
  const half = (value: Value): Value => {
    const known = halves.get(value);
    if (known) return known;
    const result = cast(value, "float16");
    halves.set(value, result);
    return result;
  };
  return rewriteGraph(graph, (node, inputs) => {
    const [x] = inputs;
    if (!HALVED.has(node.operator) || x?.dtype !== "float32") return undefined;
    const converted = inputs.map((value) => value && half(value));
    return [cast(emitOne(node.operator, converted, node.attributes, node.name), "float32")];
  });
}
