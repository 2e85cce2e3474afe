// One training step as one graph: forward, loss, backward, optimizer; or as two, between which the gradients of several parts of a
// batch are averaged. Parameters and optimizer state come in and go out as flat vectors that stay on the device.

import { HRNetError } from "../errors.ts";
import { createGraph, type Graph } from "../graph/graph.ts";
import { lower } from "../graph/lowering/lower.ts";
import { foldConstants } from "../graph/passes/fold-constants.ts";
import { shareResults } from "../graph/passes/share-results.ts";
import { input as graphInput, type Value } from "../graph/value.ts";
import { type BatchGradients, batchGradients, packVector } from "./batch-gradients.ts";
import { next, nextStatistics, parameterUpdate } from "./parameter-update.ts";
import { type Vector, vectorOf, vectorsOf } from "./state-layout.ts";
import {
  SCALARS,
  type ScalarInput,
  type StateVector,
  type StepOptions,
  type TrainedVector,
} from "./step-options.ts";
import type { BatchStatistics } from "./training-form.ts";

/** A step, ready to be written as a model. */
export interface StepGraph {
  readonly graph: Graph;
  /** For each state input the output that replaces it. */
  readonly state: Readonly<Record<string, string>>;
  readonly vectors: readonly StateVector[];
}

/** A step of which `graph` is the second half: it is fed what the first half gave for every part of the batch, averaged. */
export interface ReplicatedStepGraph extends StepGraph {
  /** The first half, for one part: fed pixels, targets and the parameters, it gives loss, report, gradients and statistics. */
  readonly part: Graph;
}

/** Outputs of the first half that are inputs of the second: `gradient.0`, `gradient.1`, … and this. */
export const BATCH_STATISTICS = "batchStatistics";

/** Name of the gradient of a vector where it is handed over. */
export const gradientName = (index: number): string => `gradient.${index}`;

/** Name of a vector of parameters. */
export const parametersName = (index: number): string => `parameters.${index}`;

/** The inputs of a step that come up as its halves are built. */
class StepInputs {
  readonly vectors: StateVector[] = [];
  readonly state: Value[] = [];
  readonly #scalars = new Map(SCALARS.map((name) => [name, graphInput(name, "float32", [])]));

  readonly scalar: ScalarInput = (name) => this.#scalars.get(name)!;

  readonly stateInput = (name: string, kind: StateVector["kind"], vector: Vector): Value => {
    const value = graphInput(name, "float32", [vector.length]);
    this.vectors.push({ name, kind, vector });
    this.state.push(value);
    return value;
  };

  /** The graph of `outputs`, lowered; of the scalars it has those that it reads. */
  graph(inputs: readonly Value[], outputs: Readonly<Record<string, Value>>, options: StepOptions): Graph {
    const scalars = new Set(this.#scalars.values());
    const lowered = lower(createGraph([...inputs, ...scalars], outputs), options.target);
    const graph = foldConstants(shareResults(lowered));
    const used = new Set(graph.nodes.flatMap((node) => node.inputs));
    const names = new Set<string>(SCALARS);
    return { ...graph, inputs: graph.inputs.filter((value) => used.has(value) || !names.has(value.name!)) };
  }

  stepGraph(graph: Graph): StepGraph {
    return {
      graph,
      state: Object.fromEntries(this.vectors.map(({ name }) => [name, next(name)])),
      vectors: this.vectors,
    };
  }
}

/** Builds the graph of one step. Inputs: `image`, the feeds, the scalars of {@link SCALARS}, the state. */
export function buildStep(options: StepOptions): StepGraph {
  const inputs = new StepInputs();
  const trained = trainedInputs(options, inputs);
  const batch = batchGradients(options, trained, inputs.scalar);
  const outputs = {
    loss: batch.loss,
    ...batch.report,
    ...parameterUpdate(options, trained, batch.gradients, inputs.stateInput, inputs.scalar),
    ...runningStatistics(options, batch.statistics, packedStatistics(batch), 1, inputs),
  };
  return inputs.stepGraph(
    inputs.graph([batch.image, ...Object.values(options.feeds), ...inputs.state], outputs, options),
  );
}

/**
 * Builds the two halves of a step on a batch in `replicas` parts, for which the network and the feeds of `options` are built.
 * The normalisations see single parts, as those of PyTorch's DistributedDataParallel do; running statistics are those of the
 * whole batch.
 */
export function buildReplicatedStep(options: StepOptions, replicas: number): ReplicatedStepGraph {
  const first = new StepInputs();
  const batch = batchGradients(options, trainedInputs(options, first), first.scalar);
  const statistics = packedStatistics(batch);
  const handedOver: Record<string, Value> = {
    ...Object.fromEntries(batch.gradients.map((gradient, index) => [gradientName(index), gradient])),
    ...(statistics && { [BATCH_STATISTICS]: statistics }),
  };
  const part = first.graph(
    [batch.image, ...Object.values(options.feeds), ...first.state],
    { loss: batch.loss, ...batch.report, ...handedOver },
    options,
  );
  const second = new StepInputs();
  const taken = Object.fromEntries(
    Object.entries(handedOver).map(([name, { shape }]) => [name, graphInput(name, "float32", shape)]),
  );
  const trained = trainedInputs(options, second);
  const gradients = trained.map((_, index) => taken[gradientName(index)]!);
  const outputs = {
    ...parameterUpdate(options, trained, gradients, second.stateInput, second.scalar),
    ...runningStatistics(options, batch.statistics, taken[BATCH_STATISTICS], replicas, second),
  };
  const graph = second.graph([...Object.values(taken), ...second.state], outputs, options);
  return { ...second.stepGraph(graph), part };
}

/** The vectors of the parameters that are trained, group by group. */
function parameterVectors({ network, groups }: StepOptions): TrainedVector[] {
  return groups.flatMap((group) => {
    const slots = group.names.map((name) => {
      const info = network.parameters.get(name);
      if (!info?.trainable)
        throw new HRNetError("invalid-config", `The network has no parameter ${name} to train.`);
      return { name, shape: info.value.shape as readonly number[] };
    });
    return vectorsOf(slots).map((vector) => ({ vector, group }));
  });
}

const trainedInputs = (options: StepOptions, { stateInput }: StepInputs) =>
  parameterVectors(options).map((entry, index) => ({
    ...entry,
    value: stateInput(parametersName(index), "parameters", entry.vector),
  }));

const packedStatistics = ({ statistics }: BatchGradients): Value | undefined =>
  statistics.length === 0
    ? undefined
    : packVector(statistics.flatMap(({ mean, variance }) => [mean, variance]));

/** The running statistics after a batch with the statistics `batch`, by name. */
function runningStatistics(
  options: StepOptions,
  statistics: readonly BatchStatistics[],
  batch: Value | undefined,
  replicas: number,
  { stateInput }: StepInputs,
): Record<string, Value> {
  if (!batch) return {};
  const vector = vectorOf(
    statistics.flatMap(({ meanName, varianceName }) =>
      [meanName, varianceName].map((name) => ({
        name,
        shape: options.network.parameters.get(name)!.value.shape as readonly number[],
      })),
    ),
  );
  const running = stateInput("statistics", "statistics", vector);
  return { [next("statistics")]: nextStatistics(running, batch, statistics, vector, options, replicas) };
}
