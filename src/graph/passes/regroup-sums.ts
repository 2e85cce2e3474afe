// Sums in the order that costs least: enlarged terms are added before they are enlarged, convolutions come last.

import { countUses, type Graph, rewriteGraph } from "../graph.ts";
import { Conv } from "../ops/conv.ts";
import { Add, add } from "../ops/elementwise.ts";
import { nearestFactors, upsampleNearest } from "../ops/resize.ts";
import type { Node, Value } from "../value.ts";

/** A term that is a nearest-neighbour enlargement of `small`. */
interface Enlarged {
  readonly small: Value;
  readonly factors: readonly [number, number];
  readonly name: string;
}

/** Σ up_f(x_f) as up_f(x_f + up_{g/f}(x_g + …)): every enlargement but the last works on a smaller map. */
function sumOfEnlarged(terms: readonly Enlarged[]): Value[] {
  const largestFirst = [...terms].sort((a, b) => b.factors[0] - a.factors[0]);
  const done: Value[] = [];
  let open: Enlarged | undefined;
  for (const term of largestFirst) {
    if (!open) {
      open = term;
      continue;
    }
    const [rows, columns] = [open.factors[0] / term.factors[0], open.factors[1] / term.factors[1]];
    if (Number.isInteger(rows) && Number.isInteger(columns)) {
      const below =
        rows === 1 && columns === 1 ? open.small : upsampleNearest(open.small, [rows, columns], open.name);
      open = { ...term, small: add(below, term.small) };
    } else {
      done.push(upsampleNearest(open.small, open.factors, open.name));
      open = term;
    }
  }
  if (open) done.push(upsampleNearest(open.small, open.factors, open.name));
  return done;
}

/**
 * The graph with its sums regrouped. Nearest-neighbour enlargement by 8 is enlargement by 2 of enlargement by 4, and
 * linear, so that nothing but rounding changes. A convolution added last can write its result onto the sum before it.
 */
export function regroupSums(graph: Graph): Graph {
  const uses = countUses(graph);
  const sameShape = (node: Node): boolean =>
    node.inputs.every((value) => value!.shape.join() === node.outputs[0]!.shape.join());
  const isSum = (node: Node | undefined): node is Node => node?.operator === Add && sameShape(node);
  const single = (value: Value): boolean => uses.get(value) === 1;
  const inner = new Set<Value>();
  for (const node of graph.nodes) {
    if (!isSum(node)) continue;
    for (const value of node.inputs) if (isSum(value!.producer) && single(value!)) inner.add(value!);
  }
  /** The terms of a sum as they are now, with the values they were, which tell who else reads them. */
  const termsOf = (original: Node, node: Node): { original: Value; value: Value }[] =>
    original.inputs.flatMap((value, index) =>
      inner.has(value!)
        ? termsOf(value!.producer!, node.inputs[index]!.producer!)
        : [{ original: value!, value: node.inputs[index]! }],
    );
  return rewriteGraph(graph, (node, inputs) => {
    if (!isSum(node) || inner.has(node.outputs[0]!)) return undefined;
    const terms = termsOf(node, { ...node, inputs });
    const enlarged: Enlarged[] = [];
    const plain: Value[] = [];
    const convolved: Value[] = [];
    for (const { original, value } of terms) {
      const factors = single(original) ? nearestFactors(value.producer) : undefined;
      if (factors) enlarged.push({ small: value.producer!.inputs[0]!, factors, name: value.producer!.name });
      else if (single(original) && value.producer?.operator === Conv) convolved.push(value);
      else plain.push(value);
    }
    const ordered = [...plain, ...sumOfEnlarged(enlarged), ...convolved];
    return [ordered.reduce((sum, term) => add(sum, term))];
  });
}
