// A trained network to learn from, which sees the very crops that the pupil sees: it runs before the step when its answers are all that
// is wanted, and inside it when its features are, too many to hand over.

import { HRNetError } from "../errors.ts";
import { createGraph, type Graph, rewriteGraph } from "../graph/graph.ts";
import { inferenceGraph } from "../graph/inference.ts";
import { emit } from "../graph/operator.ts";
import { Relu } from "../graph/ops/elementwise.ts";
import type { Shape, Value } from "../graph/value.ts";
import { loadModel } from "../model-file/load-model.ts";
import { buildNetwork, type Network } from "../models/network.ts";
import type { Companion } from "../train/companion.ts";
import { type Normalization, renormalize } from "../train/normalization.ts";

/** A teacher, ready to be put beside a pupil. */
export interface Teacher {
  readonly source: string;
  /**
   * Its `heatmaps` (N×K×h×w), and its features by the names of {@link featuresOf}. Nothing of it is trained.
   * @param x the pupil's input, N×3×H×W, normalised as `normalization` says
   */
  outputs(x: Value, normalization: Normalization): Readonly<Record<string, Value>>;
  /** Its heatmaps by their {@link taughtName}, to be handed to a step. */
  readonly companion: Companion;
}

/** The name of a teacher's output among those of the pupil. */
export const taughtName = (name: string): string => `teacher ${name}`;

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
  const { graph } = buildNetwork(config, expected.input, expected.heatmaps[0]);
  const { heatmaps } = graph.outputs;
  if (heatmaps?.shape.join() !== expected.heatmaps.join()) {
    throw new HRNetError(
      "invalid-config",
      `The teacher ${source} gives heatmaps ${heatmaps?.shape.join("×") ?? "of no kind"}, the network to train ` +
        `${expected.heatmaps.join("×")}. They must have the same keypoints, codec and size.`,
    );
  }
  const outputs = { heatmaps, ...Object.fromEntries(featuresOf(graph, layers)) };
  const finished = inferenceGraph(createGraph(graph.inputs, outputs), model.weights);
  const [ownInput] = finished.inputs;
  return {
    source,
    companion: {
      graph: createGraph(finished.inputs, { [taughtName("heatmaps")]: finished.outputs["heatmaps"]! }),
      normalization: preprocessing,
    },
    outputs: (x, normalization) =>
      rewriteGraph(
        finished,
        () => undefined,
        (value) => (value === ownInput ? renormalize(x, normalization, preprocessing) : value),
      ).outputs,
  };
}

/**
 * A network with a teacher beside it. Its graph also gives the features of `layers` by the names of {@link featuresOf}, and what
 * the teacher gives in their place and in that of the heatmaps by those of {@link taughtName}.
 * @param normalization of the network's input
 * @throws HRNetError `invalid-config` when the teacher lacks a map, or the network does
 */
export function withTeacher(
  network: Network,
  teacher: Teacher,
  layers: readonly string[],
  normalization: Normalization,
): Network {
  const [x] = network.graph.inputs as readonly [Value];
  const wanted = teacher.outputs(x, normalization);
  const features = featuresOf(network.graph, layers);
  const lacking = Object.keys(wanted).filter((name) => name !== "heatmaps" && !features.has(name));
  const surplus = [...features.keys()].filter((name) => !Object.hasOwn(wanted, name));
  const [missing] = [...lacking, ...surplus];
  if (missing !== undefined) {
    throw new HRNetError(
      "invalid-config",
      `Of the teacher ${teacher.source} and the network to train only ${lacking.length > 0 ? "the teacher" : "the network"} has the map ` +
        `${missing} (path and shape). Name layers in teacher.features.layers that both have.`,
    );
  }
  const names = new Map([...features].map(([name, value]) => [value, name]));
  const own: Record<string, Value> = {};
  const graph = rewriteGraph(network.graph, (node, inputs) => {
    const name = names.get(node.outputs[0]!);
    if (name === undefined) return undefined;
    own[name] = emit(node.operator, inputs, node.attributes, node.name)[0]!;
    return [own[name]];
  });
  const taught = Object.entries(wanted).map(([name, value]) => [taughtName(name), value] as const);
  const outputs = { ...graph.outputs, ...own, ...Object.fromEntries(taught) };
  return { ...network, graph: createGraph(network.graph.inputs, outputs) };
}
