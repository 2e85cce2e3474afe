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
import { buildNetwork, inputMultiple, type NetworkConfig } from "../models/network.ts";
import { flipPermutationOf } from "../segmentation/class-table.ts";
import { framedPlanes, type Planes } from "../tensor/resize-planes.ts";
import { type Tensor, tensor } from "../tensor/tensor.ts";
import { type SizedSessionOptions, SizedSessions } from "./sized-sessions.ts";

/** How networks run. */
export interface SegmentationNetworksOptions extends SizedSessionOptions {
  /** Whether the mirrored input goes through as well, and the logits of both are averaged. */
  readonly flipTest: boolean;
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
  readonly #flipTest: boolean;
  readonly #sessions: SizedSessions;

  constructor(model: Model, { flipTest, ...sessions }: SegmentationNetworksOptions) {
    this.#model = model;
    this.#flipTest = flipTest;
    this.#sessions = new SizedSessions(sessions);
  }

  /**
   * Runs normalised planes (3×H×W) through the network of their size. Their buffer is given away. Where the network needs multiples
   * of a stride, they are filled up to the right and below with 0, the mean colour, and what was added is cut off again.
   * @throws HRNetError as `openSession`; `aborted`
   */
  async run(
    input: Planes,
    output: SegmentationOutput,
    signal?: AbortSignal,
  ): Promise<Int32Array | Float32Array> {
    const multiple = inputMultiple(this.#model.description.network);
    const fitting = (side: number): number => multiple * Math.ceil(side / multiple);
    const framed = framedPlanes(input, fitting(input.height), fitting(input.width));
    const { height, width } = framed;
    const session = await this.#sessions.get(`${output} ${height}×${width}`, () =>
      networkFor(this.#model, [height, width], this.#flipTest, output),
    );
    const outputs = await session.run(
      { input: this.#flipTest ? withMirrorImage(framed) : asTensor(framed) },
      { transfer: true, ...(signal && { signal }) },
    );
    const { data } = outputs[output]!;
    return cropped(data as Int32Array | Float32Array, framed, input);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#sessions[Symbol.asyncDispose]();
  }
}

interface Size {
  readonly height: number;
  readonly width: number;
}

/** The upper left corner of maps of one size, one after another. */
function cropped<T extends Int32Array | Float32Array>(data: T, from: Size, to: Size): T {
  if (from.height === to.height && from.width === to.width) return data;
  const maps = data.length / (from.height * from.width);
  let length = 0;
  // In place: what is read lies behind what is written.
  for (let map = 0; map < maps; map++) {
    for (let row = 0; row < to.height; row++, length += to.width) {
      const at = (map * from.height + row) * from.width;
      data.copyWithin(length, at, at + to.width);
    }
  }
  return data.subarray(0, length) as T;
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
