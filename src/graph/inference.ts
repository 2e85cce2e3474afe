// From a network's graph and its weights to what is run: weights bound, scales folded, constants computed.

import type { Tensor } from "../tensor/tensor.ts";
import { bindParameters, type Graph } from "./graph.ts";
import { foldConstants } from "./passes/fold-constants.ts";
import { layOutChannels } from "./passes/channel-layout.ts";
import { foldScales } from "./passes/fold-scale.ts";

/** The graph ready to run: `weights` by state-dict key bound and folded into the convolutions. */
export function inferenceGraph(graph: Graph, weights: ReadonlyMap<string, Tensor>): Graph {
  return foldConstants(layOutChannels(foldScales(bindParameters(graph, weights))));
}
