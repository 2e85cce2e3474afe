// From a network's graph and its weights to what is run: weights bound and folded, and everything that only moves
// numbers about left out.

import type { Tensor } from "../tensor/tensor.ts";
import { bindParameters, type Graph } from "./graph.ts";
import { layOutChannels } from "./passes/channel-layout.ts";
import { enlargeLast } from "./passes/enlarge-last.ts";
import { foldConstants } from "./passes/fold-constants.ts";
import { foldScales } from "./passes/fold-scale.ts";
import { moveGates, shareMeans, spreadGates } from "./passes/move-gates.ts";
import { regroupSums } from "./passes/regroup-sums.ts";

/** What is done to a graph whose weights are known, in this order. */
const PASSES: readonly ((graph: Graph) => Graph)[] = [
  foldScales,
  enlargeLast,
  regroupSums,
  layOutChannels,
  moveGates,
  shareMeans,
  spreadGates,
  foldConstants,
];

/** Passes that write sizes of maps into the graph. */
const SIZED: ReadonlySet<(graph: Graph) => Graph> = new Set([shareMeans, spreadGates]);

/**
 * The graph ready to run: `weights` by state-dict key bound, and the graph made as cheap as it gets.
 * @param anySize the sizes of the graph's maps are not those that it will be run with
 */
export function inferenceGraph(graph: Graph, weights: ReadonlyMap<string, Tensor>, anySize = false): Graph {
  const passes = PASSES.filter((pass) => !(anySize && SIZED.has(pass)));
  return passes.reduce((current, pass) => pass(current), bindParameters(graph, weights));
}
