// A trained network to learn from: a part of the training step that sees the very crops that the pupil sees.

import { HRNetError } from "../errors.ts";
import { createGraph, type Graph, rewriteGraph } from "../graph/graph.ts";
import { inferenceGraph } from "../graph/inference.ts";
import { Relu } from "../graph/ops/elementwise.ts";
import type { Shape, Value } from "../graph/value.ts";
import { loadModel } from "../model-file/load-model.ts";
import { buildNetwork, type Network } from "../models/network.ts";
import { normalizePixels } from "../train/normalization.ts";

/** A teacher, ready to be put into a graph. */
export interface Teacher {
  /** Features that it gives, as {@link featuresOf} names them. */
  readonly features: readonly string[];
  /** Its `heatmaps` (N×K×h×w) and features for 8-bit crops N×3×H×W. Nothing of it is trained. */
  outputs(image: Value): Readonly<Record<string, Value>>;
}

/**
 * The rectified maps of a network in layers whose module paths fit one of the patterns, `*` standing for a name
 * or a part of one (`backbone.stage*.*.relu`). The key is path and shape: a module that is called for several branches gives a map for each.
 * @throws HRNetError `invalid-config` for a pattern that no layer fits
 */
export function featuresOf(graph: Graph, layers: readonly string[]): Map<string, Value> {
  const rectified = graph.nodes.filter(({ operator }) => operator === Relu);
  const features = new Map<string, Value>();
  for (const layer of layers) {
    const pattern = new RegExp(`^${layer.replace(/[^\w*]/g, "\\$&").replaceAll("*", "[^.]+")}$`);
    const found = rectified.filter(({ name }) => pattern.test(name));
    if (found.length === 0) {
      const some = rectified.slice(-3).map(({ name }) => name);
      throw new HRNetError(
        "invalid-config",
        `teacher.features.layers has "${layer}", but no rectified layer is named so; others are ${some.join(", ")}.`,
      );
    }
    for (const { name, outputs } of found) {
      const [value] = outputs as readonly [Value];
      features.set(`${name} ${value.shape.slice(1).join("×")}`, value);
    }
  }
  return features;
}

/** A network whose graph also gives the features of some layers, by the names of {@link featuresOf}. */
export function withFeatures(network: Network, layers: readonly string[]): Network {
  if (layers.length === 0) return network;
  const { inputs, outputs } = network.graph;
  const features = Object.fromEntries(featuresOf(network.graph, layers));
  return { ...network, graph: createGraph(inputs, { ...outputs, ...features }) };
}

/**
 * Reads a teacher.
 * @param source model file or published name
 * @param expected shape of the pupil's heatmaps, batch first, and the size of its input
 * @param layers whose features it is to give, see {@link featuresOf}
 * @throws HRNetError as `loadModel`; `invalid-config` when its heatmaps are not those of the pupil
 */
export async function loadTeacher(
  source: string,
  expected: { readonly heatmaps: Shape; readonly input: readonly [number, number] },
  layers: readonly string[] = [],
): Promise<Teacher> {
  const { model } = await loadModel(source, { input: expected.input });
  const { network: config, preprocessing } = model.description;
  const network = buildNetwork(config, expected.input, expected.heatmaps[0]);
  const { heatmaps } = network.graph.outputs;
  if (heatmaps?.shape.join() !== expected.heatmaps.join()) {
    throw new HRNetError(
      "invalid-config",
      `The teacher ${source} gives heatmaps ${heatmaps?.shape.join("×") ?? "of no kind"}, the network to train ` +
        `${expected.heatmaps.join("×")}. They must have the same keypoints, codec and size.`,
    );
  }
  const { graph } = withFeatures(network, layers);
  const finished = inferenceGraph(graph, model.weights);
  const [ownInput] = finished.inputs;
  return {
    features: Object.keys(finished.outputs).filter((name) => name !== "heatmaps"),
    outputs: (image) =>
      rewriteGraph(
        finished,
        () => undefined,
        (value) => (value === ownInput ? normalizePixels(image, preprocessing) : value),
      ).outputs,
  };
}
