// From a network's graph and its weights to what is run: weights bound and folded, and everything that only moves
// numbers about left out.

import type { Tensor } from "../tensor/tensor.ts";
import { bindParameters, type Graph } from "./graph.ts";
import { layOutChannels } from "./passes/channel-layout.ts";
import { foldConstants } from "./passes/fold-constants.ts";
import { foldScales } from "./passes/fold-scale.ts";
import { moveGates, shareMeans, spreadGates } from "./passes/move-gates.ts";
import { regroupSums } from "./passes/regroup-sums.ts";

/** What is done to a graph whose weights are known, in this order. */
const PASSES: readonly ((graph: Graph) => Graph)[] = [
  foldScales,
  regroupSums,
  layOutChannels,
  moveGates,
  shareMeans,
  spreadGates,
  foldConstants,
];

/** The graph ready to run: `weights` by state-dict key bound, and the graph made as cheap as it gets. */
export function inferenceGraph(graph: Graph, weights: ReadonlyMap<string, Tensor>): Graph {
  return PASSES.reduce((current, pass) => pass(current), bindParameters(graph, weights));
}
