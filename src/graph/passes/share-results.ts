// What several nodes compute alike, computed once.

import { elementCount } from "../../tensor/tensor.ts";
import { type Graph, rewriteGraph } from "../graph.ts";
import { emit } from "../operator.ts";
import type { Value } from "../value.ts";

/** Numbers up to which constants are compared by what they hold: shapes, axes, factors. */
const COMPARED = 64;

/**
 * The graph without nodes that repeat another's work: same operator, attributes and inputs. ONNX Runtime does that for operators
 * of its standard domain only, and opens a graph faster that has it done already. (Reshapes of reshapes stay: with them
 * joined, HRNet-W32's training step takes half as long again to open.)
 */
export function shareResults(graph: Graph): Graph {
  const keyOf = valueKeys();
  const results = new Map<string, readonly Value[]>();
  return rewriteGraph(graph, (node, inputs) => {
    const { operator, attributes, name } = node;
    const key = [operator.domain, operator.type, JSON.stringify(attributes), ...inputs.map(keyOf)].join("|");
    const known = results.get(key);
    if (known) return known;
    const unchanged = inputs.every((value, index) => value === node.inputs[index]);
    const outputs = unchanged ? node.outputs : emit(operator, inputs, attributes, name);
    results.set(key, outputs);
    return outputs;
  });
}

/** A text for each value, the same for values that are known to be equal. */
function valueKeys(): (value: Value | undefined) => string {
  const serials = new Map<Value, number>();
  return (value) => {
    if (!value) return "";
    if (value.data && elementCount(value.data.shape) <= COMPARED)
      return `${value.dtype}[${value.shape.join()}](${value.data.data.join()})`;
    const serial = serials.get(value) ?? serials.size;
    serials.set(value, serial);
    return `#${serial}`;
  };
}
