// Moves products with one weight per channel (gates, N×C×1×1) from large maps to small ones, where they cost nothing.

import { countUses, type Graph, rewriteGraph } from "../graph.ts";
import { emitOne } from "../operator.ts";
import { add, Mul } from "../ops/elementwise.ts";
import { AveragePool, GlobalAveragePool } from "../ops/pool.ts";
import { nearestFactors, upsampleNearest } from "../ops/resize.ts";
import type { Node, Value } from "../value.ts";

/** A value that is `map` times one weight per channel (or one for all). */
interface Gated {
  readonly map: Value;
  readonly gate: Value;
}

const pixels = (value: Value): number => (value.shape[2] as number) * (value.shape[3] as number);
const isMap = (value: Value): boolean => value.shape.length === 4;

/** Whether a value has one weight per sample and channel of `map`. */
function isGate(value: Value, map: Value): boolean {
  return (
    isMap(value) && pixels(value) === 1 && value.shape.slice(0, 2).join() === map.shape.slice(0, 2).join()
  );
}

function gatedOf(value: Value): Gated | undefined {
  const node = value.producer;
  if (node?.operator !== Mul) return undefined;
  const [map, gate] = node.inputs as [Value, Value];
  return isMap(map) && pixels(map) > 1 && isGate(gate, map) ? { map, gate } : undefined;
}

const isPool = (node: Node): boolean => node.operator === AveragePool || node.operator === GlobalAveragePool;

const isTwo = (value: Value): boolean => value.data?.data.length === 1 && value.data.data[0] === 2;

/** `value` with `change` made where it is smallest: below its nearest-neighbour enlargement if it is one. */
function changeSmall(value: Value, change: (small: Value) => Value): Value {
  const factors = nearestFactors(value.producer);
  return factors
    ? upsampleNearest(change(value.producer!.inputs[0]!), factors, value.producer!.name)
    : change(value);
}

/**
 * The graph with gates moved: pool(x·g) = pool(x)·g, (x·g)·w = x·(w·g) with the product taken before w is enlarged, and
 * (x·g)·2 = x·(g + g).
 */
export function moveGates(graph: Graph): Graph {
  const readers = new Map<Value, Node[]>();
  for (const node of graph.nodes) {
    for (const value of node.inputs) if (value) readers.set(value, [...(readers.get(value) ?? []), node]);
  }
  const uses = countUses(graph);
  /** A gate moves only if all readers of the product let it pass: else the product is computed anyway. */
  const passes = (product: Value): boolean => {
    const all = readers.get(product) ?? [];
    const passing = all.filter(
      (node) => isPool(node) || (node.operator === Mul && node.inputs[0] === product),
    );
    return passing.length === all.length && all.length === uses.get(product);
  };
  return rewriteGraph(graph, (node, inputs) => {
    const original = node.inputs[0];
    const x = inputs[0];
    const gated = original && x && passes(original) ? gatedOf(x) : undefined;
    if (!gated) return undefined;
    const { map, gate } = gated;
    if (isPool(node))
      return [emitOne(Mul, [emitOne(node.operator, [map], node.attributes, node.name), gate], {})];
    if (node.operator !== Mul) return undefined;
    const factor = inputs[1]!;
    // Twice a gate is written as a sum: runtimes that keep maps in channel blocks add blocks, but scale no block by a scalar.
    if (isTwo(factor)) return [emitOne(Mul, [map, add(gate, gate)], {}, node.name)];
    if (!isMap(factor) || factor.shape.slice(0, 2).join() !== map.shape.slice(0, 2).join()) return undefined;
    const weights = changeSmall(factor, (small) => emitOne(Mul, [small, gate], {}));
    return [emitOne(Mul, [map, weights], {}, node.name)];
  });
}

/** Global means taken from a mean over whole windows of the same map, where the graph has one: fewer numbers to add. */
export function shareMeans(graph: Graph): Graph {
  const pooled = new Map<Value, Value>();
  for (const node of graph.nodes) {
    const [x] = node.inputs;
    const { kernel_shape: window, strides, pads } = node.attributes as Record<string, readonly number[]>;
    const tiles =
      node.operator === AveragePool &&
      window!.join() === strides!.join() &&
      (pads ?? []).every((pad) => pad === 0) &&
      window!.every((size, axis) => (x!.shape[axis + 2] as number) % size === 0);
    if (tiles) pooled.set(x!, node.outputs[0]!);
  }
  const made = new Map<Value, Value>();
  return rewriteGraph(graph, (node, inputs) => {
    const means = pooled.get(node.inputs[0]!);
    if (!means || (node !== means.producer && node.operator !== GlobalAveragePool)) return undefined;
    // Either may come first in the order of the nodes: whichever does makes the means, the other shares them.
    let shared = made.get(means);
    if (!shared) {
      const { operator, attributes, name } = means.producer!;
      shared = emitOne(operator, [inputs[0]], attributes, name);
      made.set(means, shared);
    }
    return [node === means.producer ? shared : emitOne(GlobalAveragePool, [shared], {}, node.name)];
  });
}

/**
 * Gates enlarged to the size of their maps, so that both factors have one shape: runtimes that keep maps in channel
 * blocks multiply such without taking the blocks apart.
 */
export function spreadGates(graph: Graph): Graph {
  const spread = new Map<Value, Map<string, Value>>();
  return rewriteGraph(graph, (node, inputs) => {
    const [map, gate] = inputs;
    if (node.operator !== Mul || !map || !gate || !isMap(map) || pixels(map) === 1 || !isGate(gate, map))
      return undefined;
    const size = map.shape.slice(2) as [number, number];
    const bySize = spread.get(gate) ?? new Map<string, Value>();
    spread.set(gate, bySize);
    const enlarged = bySize.get(size.join()) ?? upsampleNearest(gate, size);
    bySize.set(size.join(), enlarged);
    return [emitOne(Mul, [map, enlarged], {}, node.name)];
  });
}
