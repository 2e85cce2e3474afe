// A graph: the nodes between inputs and outputs in an order that can be computed, and the way to rewrite one.

import { HRNetError } from "../errors.ts";
import { formatShape, type Tensor } from "../tensor/tensor.ts";
import { emit } from "./operator.ts";
import { constant, type Node, type Value } from "./value.ts";

/** A computation with named inputs and outputs. */
export interface Graph {
  readonly inputs: readonly Value[];
  readonly outputs: Readonly<Record<string, Value>>;
  /** Every node that an output needs, producers before consumers. */
  readonly nodes: readonly Node[];
}

/** The graph that computes `outputs`; nodes they do not need are left out. */
export function createGraph(inputs: readonly Value[], outputs: Readonly<Record<string, Value>>): Graph {
  const nodes: Node[] = [];
  const seen = new Set<Node>();
  // Depth first with an explicit stack: networks are thousands of nodes deep.
  const stack: { node: Node; next: number }[] = [];
  const visit = (value: Value | undefined): void => {
    if (value?.producer && !seen.has(value.producer)) {
      seen.add(value.producer);
      stack.push({ node: value.producer, next: 0 });
    }
  };
  for (const output of Object.values(outputs)) {
    visit(output);
    while (stack.length > 0) {
      const top = stack[stack.length - 1]!;
      if (top.next < top.node.inputs.length) {
        visit(top.node.inputs[top.next++]);
      } else {
        nodes.push(top.node);
        stack.pop();
      }
    }
  }
  return { inputs, outputs, nodes };
}

/** Parameters that the graph reads, by name, in order of first use. */
export function parametersOf(graph: Graph): Map<string, Value> {
  const parameters = new Map<string, Value>();
  for (const node of graph.nodes) {
    for (const value of node.inputs) {
      if (value?.kind === "parameter") parameters.set(value.name!, value);
    }
  }
  return parameters;
}

/** How many node inputs and graph outputs read each value. */
export function countUses(graph: Graph): Map<Value, number> {
  const uses = new Map<Value, number>();
  const add = (value: Value | undefined): void => {
    if (value) uses.set(value, (uses.get(value) ?? 0) + 1);
  };
  for (const node of graph.nodes) node.inputs.forEach(add);
  Object.values(graph.outputs).forEach(add);
  return uses;
}

/** What a rule puts in a node's place: its outputs, or `undefined` to keep the node. */
export type RewriteRule = (
  node: Node,
  inputs: readonly (Value | undefined)[],
) => readonly Value[] | undefined;

/**
 * The graph with `rule` applied to every node, producers first. A rule sees the node as it was and its inputs as they
 * have become; `leaf` may replace inputs, parameters and constants.
 */
export function rewriteGraph(
  graph: Graph,
  rule: RewriteRule,
  leaf: (value: Value) => Value = (value) => value,
): Graph {
  const replaced = new Map<Value, Value>();
  const mapped = (value: Value | undefined): Value | undefined => {
    if (!value) return undefined;
    let result = replaced.get(value);
    if (!result) {
      result = leaf(value);
      replaced.set(value, result);
    }
    return result;
  };
  for (const node of graph.nodes) {
    const inputs = node.inputs.map(mapped);
    const unchanged = inputs.every((value, index) => value === node.inputs[index]);
    const outputs =
      rule(node, inputs) ??
      (unchanged ? node.outputs : emit(node.operator, inputs, node.attributes, node.name));
    node.outputs.forEach((value, index) => {
      replaced.set(value, outputs[index]!);
    });
  }
  const outputs = Object.fromEntries(
    Object.entries(graph.outputs).map(([name, value]) => [name, mapped(value)!]),
  );
  return createGraph(
    graph.inputs.map((value) => mapped(value)!),
    outputs,
  );
}

/**
 * The graph with its parameters replaced by constants.
 * @throws HRNetError `weights-mismatch` when a weight is missing or has another shape.
 */
export function bindParameters(graph: Graph, weights: ReadonlyMap<string, Tensor>): Graph {
  const constants = new Map<string, Value>();
  return rewriteGraph(
    graph,
    () => undefined,
    (value) => {
      if (value.kind !== "parameter") return value;
      const name = value.name!;
      const bound = constants.get(name);
      if (bound) return bound;
      const weight = weights.get(name);
      if (!weight) throw new HRNetError("weights-mismatch", `The weight ${name} is missing.`);
      if (formatShape(weight.shape) !== formatShape(value.shape)) {
        throw new HRNetError(
          "weights-mismatch",
          `The weight ${name} has shape ${formatShape(weight.shape)}, the network needs ${formatShape(value.shape)}.`,
        );
      }
      const result = constant(weight);
      constants.set(name, result);
      return result;
    },
  );
}
