// What several nodes compute alike, computed once.

import { elementCount } from "../../tensor/tensor.ts";
import { type Graph, rewriteGraph } from "../graph.ts";
import { emit, type Inputs } from "../operator.ts";
import { Reshape } from "../ops/shape.ts";
import type { Node, Value } from "../value.ts";

/** Numbers up to which constants are compared by what they hold: shapes, axes, factors. */
const COMPARED = 64;

/**
 * The graph without nodes that repeat another's work: same operator, attributes and inputs. A reshape of a reshape takes
 * the first one's input, so that more of them are alike. ONNX Runtime does the first for operators of its standard domain only.
 */
export function shareResults(graph: Graph): Graph {
  const keyOf = valueKeys();
  const results = new Map<string, readonly Value[]>();
  return rewriteGraph(graph, (node, given) => {
    const inputs = withoutFirstReshape(node, given);
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

/** A size of 0 in the second shape would be the first one's. */
function withoutFirstReshape({ operator }: Node, inputs: Inputs): Inputs {
  const first = operator === Reshape ? inputs[0]?.producer : undefined;
  const whole = Array.from(inputs[1]?.data?.data ?? [], Number).every((size) => size !== 0);
  return first?.operator === Reshape && whole ? [first.inputs[0], ...inputs.slice(1)] : inputs;
}
