// A segmentation network for any size of input: opened when first needed, kept for the sizes that came last.

import { createGraph } from "../graph/graph.ts";
import { inferenceGraph } from "../graph/inference.ts";
import { graphToModel } from "../graph/onnx.ts";
import { encodeModel } from "../graph/onnx-proto.ts";
import { cast } from "../graph/ops/cast.ts";
import { add, exp, scale } from "../graph/ops/elementwise.ts";
import { softmax } from "../graph/ops/normalization.ts";
import { resizeBilinear } from "../graph/ops/resize.ts";
import { argMax } from "../graph/ops/scatter.ts";
import { gather, slice } from "../graph/ops/shape.ts";
import type { Value } from "../graph/value.ts";
import type { Model } from "../model-file/import-checkpoint.ts";
import { buildNetwork, type NetworkConfig } from "../models/network.ts";
import { openSession } from "../runtime/node.ts";
import type { ModelSession, SessionOptions } from "../runtime/session.ts";
import { flipPermutationOf } from "../segmentation/class-table.ts";
import type { Planes } from "../tensor/resize-planes.ts";
import { type Tensor, tensor } from "../tensor/tensor.ts";

/** How networks run. */
export interface SegmentationNetworksOptions {
  readonly device?: SessionOptions["device"] | undefined;
  readonly threads?: SessionOptions["threads"] | undefined;
  readonly spinning?: SessionOptions["spinning"] | undefined;
  readonly onLog?: SessionOptions["onLog"] | undefined;
  /** Whether the mirrored input goes through as well, and the logits of both are averaged. */
  readonly flipTest: boolean;
  /** Networks that stay open. */
  readonly kept: number;
}

/**
 * What networks give, as large as their input, from the logits z: the class with the largest (1×H×W), exp(z), or softmax(z)
 * (both 1×K×H×W).
 */
export type SegmentationOutput = "labels" | "scores" | "probabilities";

const FINISH: Readonly<Record<SegmentationOutput, (logits: Value) => Value>> = {
  labels: (logits) => cast(argMax(logits, 1), "int32"),
  scores: (logits) => exp(logits),
  probabilities: (logits) => softmax(logits, 1),
};

/** Networks of one model by the size of their input and what they give. */
export class SegmentationNetworks implements AsyncDisposable {
  readonly #model: Model;
  readonly #options: SegmentationNetworksOptions;
  readonly #sessions = new Map<string, Promise<ModelSession>>();

  constructor(model: Model, options: SegmentationNetworksOptions) {
    this.#model = model;
    this.#options = options;
  }

  /**
   * Runs normalised planes (3×H×W) through the network of their size. Their buffer is given away.
   * @throws HRNetError as `openSession`; `aborted`
   */
  async run(input: Planes, output: SegmentationOutput, signal?: AbortSignal): Promise<Tensor> {
    const session = await this.#sessionFor(input.height, input.width, output);
    const outputs = await session.run(
      { input: this.#options.flipTest ? withMirrorImage(input) : asTensor(input) },
      { transfer: true, ...(signal && { signal }) },
    );
    return outputs[output]!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const open = [...this.#sessions.values()];
    this.#sessions.clear();
    for (const session of open) await (await session.catch(() => undefined))?.dispose();
  }

  async #sessionFor(height: number, width: number, output: SegmentationOutput): Promise<ModelSession> {
    const key = `${output} ${height}×${width}`;
    const known = this.#sessions.get(key);
    if (known) {
      this.#sessions.delete(key);
      this.#sessions.set(key, known); // the latest is the last
      return known;
    }
    const { device, threads, spinning, onLog, flipTest, kept } = this.#options;
    if (this.#sessions.size >= kept) {
      const [oldest, session] = this.#sessions.entries().next().value!;
      this.#sessions.delete(oldest);
      await (await session.catch(() => undefined))?.dispose();
    }
    const opened = openSession(networkFor(this.#model, [height, width], flipTest, output), {
      transfer: true,
      ...(device && { device }),
      ...(threads !== undefined && { threads }),
      ...(spinning !== undefined && { spinning }),
      ...(onLog && { onLog }),
    });
    this.#sessions.set(key, opened);
    opened.catch(() => this.#sessions.delete(key));
    return opened;
  }
}

const asTensor = ({ channels, height, width, data }: Planes): Tensor =>
  tensor("float32", [1, channels, height, width], data);

/** Planes and, as a second sample, their mirror image. */
function withMirrorImage({ channels, height, width, data }: Planes): Tensor {
  const both = tensor("float32", [2, channels, height, width]);
  both.data.set(data);
  const mirrored = both.data.subarray(data.length);
  for (let row = 0; row < data.length; row += width) {
    for (let column = 0; column < width; column++) mirrored[row + width - 1 - column] = data[row + column]!;
  }
  return both;
}

/** Whether logits are enlarged with corners on corners, as the network's own maps are. */
export const alignsCorners = (config: NetworkConfig): boolean =>
  config.family === "hrnet" && config.upsample === "bilinear-align-corners";

/**
 * The network for one size: logits, with the flip test the mean of those of the picture and of its mirror image turned back,
 * enlarged to the input's size, and finished. Source: `inference` of `BaseDataset` in HRNet-Semantic-Segmentation.
 */
function networkFor(
  { description, weights }: Model,
  size: readonly [number, number],
  flipTest: boolean,
  output: SegmentationOutput,
): Uint8Array {
  const { network: config, classes, name } = description;
  const network = buildNetwork(config, size, flipTest ? 2 : 1);
  const { logits } = network.graph.outputs;
  const mean = flipTest ? meanOfBoth(logits!, flipPermutationOf(classes!)) : logits!;
  const finished = FINISH[output](resizeBilinear(mean, size, alignsCorners(config)));
  const graph = inferenceGraph(createGraph(network.graph.inputs, { [output]: finished }), weights);
  return encodeModel(graphToModel(graph, { name }));
}

/** The mean of a picture's logits and those of its mirror image, turned back and with left and right exchanged. */
function meanOfBoth(logits: Value, permutation: readonly number[]): Value {
  const width = logits.shape[3] as number;
  const [own, mirrored] = [0, 1].map((n) => slice(logits, 0, n, n + 1)) as [Value, Value];
  const columns = Array.from({ length: width }, (_, x) => width - 1 - x);
  return scale(add(own, gather(gather(mirrored, columns, 3), permutation, 1)), 0.5);
}
