// A trained network whose heatmaps are a second target: run on the very crops that the pupil sees.

import { HRNetError } from "../errors.ts";
import { createGraph, rewriteGraph } from "../graph/graph.ts";
import { inferenceGraph } from "../graph/inference.ts";
import { graphToModel } from "../graph/onnx.ts";
import { encodeModel } from "../graph/onnx-proto.ts";
import { input as graphInput, type Shape } from "../graph/value.ts";
import { loadModel } from "../model-file/load-model.ts";
import { buildNetwork } from "../models/network.ts";
import { openSession } from "../runtime/node.ts";
import type { ModelSession, SessionOptions } from "../runtime/session.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { normalizePixels } from "../train/normalization.ts";

/** A teacher at work. */
export interface Teacher extends AsyncDisposable {
  /** Heatmaps N×K×h×w for 8-bit crops N×3×H×W. */
  heatmaps(image: Tensor): Promise<Tensor>;
}

/**
 * Opens a teacher.
 * @param source model file or published name
 * @param expected shape of the pupil's heatmaps, batch first, and the size of its input
 * @throws HRNetError as `loadModel` and `openSession`; `invalid-config` when its heatmaps are not those of the pupil
 */
export async function openTeacher(
  source: string,
  expected: { readonly heatmaps: Shape; readonly input: readonly [number, number] },
  options: SessionOptions,
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
  const [ownInput] = network.graph.inputs;
  const image = graphInput("image", "uint8", ownInput!.shape);
  const graph = rewriteGraph(
    createGraph(network.graph.inputs, { heatmaps }),
    () => undefined,
    (value) => (value === ownInput ? normalizePixels(image, preprocessing) : value),
  );
  const finished = inferenceGraph({ ...graph, inputs: [image] }, model.weights);
  const bytes = encodeModel(graphToModel(finished, { name: "teacher" }));
  const session: ModelSession = await openSession(bytes, { ...options, transfer: true });
  return {
    heatmaps: async (pixels) => (await session.run({ image: pixels }))["heatmaps"]!,
    [Symbol.asyncDispose]: () => session.dispose(),
  };
}
