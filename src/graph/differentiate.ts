// Reverse-mode differentiation: the gradient of a loss as more graph, from each operator's own rule.

import { HRNetError } from "../errors.ts";
import { tensor } from "../tensor/tensor.ts";
import { createGraph } from "./graph.ts";
import { add } from "./ops/elementwise.ts";
import { constant, formatType, type Node, type Value } from "./value.ts";

/** Values that depend on one of `sources`, the sources among them. */
function dependents(nodes: readonly Node[], sources: Iterable<Value>): Set<Value> {
  const result = new Set(sources);
  for (const node of nodes) {
    if (node.inputs.some((value) => value !== undefined && result.has(value))) {
      for (const output of node.outputs) result.add(output);
    }
  }
  return result;
}

/**
 * ∂loss/∂value for each of `values` (Griewank & Walther, "Evaluating Derivatives", algorithm 3.5: adjoints in reverse order of
 * computation). The graph must have known sizes throughout.
 * @param loss one number: a float value of shape `[]`
 * @param values anything the loss is computed from: parameters, inputs, or results in between
 * @returns the gradients by value, each of its value's shape; none for values the loss does not depend on
 * @throws HRNetError `invalid-shape` when the loss is no single number; `invalid-config` naming an operator without a gradient
 */
export function differentiate(loss: Value, values: readonly Value[]): Map<Value, Value> {
  if (loss.shape.length !== 0 || loss.dtype !== "float32")
    throw new HRNetError("invalid-shape", `A loss must be float32[]; it was given as ${formatType(loss)}.`);
  const { nodes } = createGraph([], { loss });
  const needed = dependents(nodes, values);
  const terms = new Map<Value, Value[]>();
  const sums = new Map<Value, Value>();
  if (needed.has(loss)) terms.set(loss, [constant(tensor("float32", [], Float32Array.of(1)))]);
  /** The sum of what the readers of a value passed back; complete once all of them have been visited. */
  const gradientOf = (value: Value): Value | undefined => {
    const known = sums.get(value);
    const parts = terms.get(value);
    if (known || !parts) return known;
    const sum = parts.reduce((total, part) => add(total, part));
    sums.set(value, sum);
    terms.delete(value);
    return sum;
  };
  for (const node of [...nodes].reverse()) {
    const wanted = node.inputs.map((value) => value !== undefined && needed.has(value));
    const gradients = node.outputs.map(gradientOf);
    if (!wanted.includes(true) || gradients.every((gradient) => gradient === undefined)) continue;
    const rule = node.operator.gradient;
    if (!rule) {
      throw new HRNetError(
        "invalid-config",
        `${node.operator.type} (${node.name || "unnamed"}) has no gradient; nothing before it can be trained.`,
      );
    }
    const passed = rule({ node, gradients, wanted });
    node.inputs.forEach((value, index) => {
      const gradient = passed[index];
      if (!value || !wanted[index] || !gradient) return;
      const list = terms.get(value) ?? [];
      terms.set(value, list);
      list.push(gradient);
    });
  }
  const result = new Map<Value, Value>();
  for (const value of values) {
    const gradient = gradientOf(value);
    if (gradient) result.set(value, gradient);
  }
  return result;
}
