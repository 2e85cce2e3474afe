// The first half of a step: forward, loss, backward.

import { HRNetError } from "../errors.ts";
import { differentiate } from "../graph/differentiate.ts";
import { createGraph, rewriteGraph } from "../graph/graph.ts";
import { div, mul } from "../graph/ops/elementwise.ts";
import { concat, reshape, split } from "../graph/ops/shape.ts";
import { enlargeLast } from "../graph/passes/enlarge-last.ts";
import { halveConvolutions } from "../graph/passes/half-convolutions.ts";
import { interleaveChannels } from "../graph/passes/interleave-channels.ts";
import { constant, input as graphInput, type Value } from "../graph/value.ts";
import { elementCount, tensor } from "../tensor/tensor.ts";
import { normalizePixels } from "./normalization.ts";
import type { Vector } from "./state-layout.ts";
import type { LossTerms, ScalarInput, StepOptions, TrainedVector } from "./step-options.ts";
import { type BatchStatistics, trainingForm } from "./training-form.ts";

/** A trained vector and the input that holds its parameters. */
export interface TrainedInput extends TrainedVector {
  readonly value: Value;
}

/** What a batch gives. */
export interface BatchGradients extends LossTerms {
  readonly image: Value;
  /** The gradient of each trained vector. */
  readonly gradients: readonly Value[];
  /** Of the normalisations that follow their batches. */
  readonly statistics: readonly BatchStatistics[];
}

/** Loss and gradients of one batch, for parameters in vectors. */
export function batchGradients(
  options: StepOptions,
  trained: readonly TrainedInput[],
  scalar: ScalarInput,
): BatchGradients {
  const { network, target } = options;
  const [source] = network.graph.inputs;
  // GPU providers have no 8-bit numbers: there, pixels are fed as floats.
  const pixels = target.kind === "cpu" ? "uint8" : "float32";
  const image = graphInput("image", options.normalization ? pixels : "float32", source!.shape);
  const parts = new Map(trained.flatMap(({ value, vector }) => [...unpacked(value, vector)]));
  const { outputs, statistics } = forward(options, image, parts);
  const { loss, report = {} } = options.loss(outputs, options.feeds);
  // Gradients of single activations are too small for half precision unless the loss is large.
  const half = options.precision === "fp16";
  const gradients = differentiate(half ? mul(loss, scalar("lossScale")) : loss, [...parts.values()]);
  const zeros = (shape: readonly number[]): Value => constant(tensor("float32", shape));
  const packed = trained.map(({ vector }) => {
    const gradient = packVector(
      vector.slots.map(({ name, shape }) => gradients.get(parts.get(name)!) ?? zeros(shape)),
    );
    return half ? div(gradient, scalar("lossScale")) : gradient;
  });
  return { image, loss, report, gradients: packed, statistics };
}

/** The network in its training form, on `image` and with parameters from `parts`. */
function forward(
  options: StepOptions,
  image: Value,
  parts: ReadonlyMap<string, Value>,
): { outputs: Record<string, Value>; statistics: BatchStatistics[] } {
  const { graph } = options.network;
  const form = trainingForm(
    interleaveChannels(
      options.precision === "fp16" ? halveConvolutions(enlargeLast(graph)) : enlargeLast(graph),
    ),
    options.frozenBatchNorm,
  );
  // The statistics of the batch are results of the same graph: they are rewritten along with its outputs.
  const withStatistics = rewriteGraph(
    createGraph(form.graph.inputs, {
      ...form.graph.outputs,
      ...Object.fromEntries(
        form.statistics.flatMap(({ meanName, varianceName, mean, variance }) => [
          [meanName, mean],
          [varianceName, variance],
        ]),
      ),
    }),
    () => undefined,
    (value) => leafOf(value, image, parts, options),
  );
  return {
    outputs: Object.fromEntries(
      Object.keys(graph.outputs).map((name) => [name, withStatistics.outputs[name]!]),
    ),
    statistics: form.statistics.map((entry) => ({
      ...entry,
      mean: withStatistics.outputs[entry.meanName]!,
      variance: withStatistics.outputs[entry.varianceName]!,
    })),
  };
}

/** A network's input, parameter or buffer as the step has it. */
function leafOf(
  value: Value,
  image: Value,
  parts: ReadonlyMap<string, Value>,
  { network, normalization, weights }: StepOptions,
): Value {
  if (value === network.graph.inputs[0]) return normalization ? normalizePixels(image, normalization) : image;
  if (value.kind !== "parameter") return value;
  const part = parts.get(value.name!);
  if (part) return part;
  const weight = weights.get(value.name!);
  if (!weight)
    throw new HRNetError(
      "weights-mismatch",
      `${value.name} is neither trained nor given: a frozen parameter needs its value.`,
    );
  return constant(weight);
}

/** The arrays in a vector as graph values. */
function unpacked(vector: Value, { slots }: Vector): Map<string, Value> {
  const parts = split(
    vector,
    0,
    slots.map(({ shape }) => elementCount(shape)),
  );
  return new Map(
    slots.map(({ name, shape }, index) => [
      name,
      shape.length === 1 ? parts[index]! : reshape(parts[index]!, shape),
    ]),
  );
}

/** Values one after the other in one vector. */
export const packVector = (values: readonly Value[]): Value =>
  concat(
    values.map((value) => (value.shape.length === 1 ? value : reshape(value, [-1]))),
    0,
  );
