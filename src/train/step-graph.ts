// One training step as one graph: forward, loss, backward, optimizer. Parameters and optimizer state come in and go out as flat
// vectors that stay on the device.

import { HRNetError } from "../errors.ts";
import { differentiate } from "../graph/differentiate.ts";
import { createGraph, type Graph, rewriteGraph } from "../graph/graph.ts";
import { lower } from "../graph/lowering/lower.ts";
import type { Target } from "../graph/lowering/target.ts";
import { reduceSum } from "../graph/ops/broadcast.ts";
import { add, div, greater, mul, scale, shift, sqrt, sub, where } from "../graph/ops/elementwise.ts";
import { concat, reshape, split } from "../graph/ops/shape.ts";
import { foldConstants } from "../graph/passes/fold-constants.ts";
import { halveConvolutions } from "../graph/passes/half-convolutions.ts";
import { interleaveChannels } from "../graph/passes/interleave-channels.ts";
import { constant, input as graphInput, type Value } from "../graph/value.ts";
import type { Network } from "../models/network.ts";
import { elementCount, type Tensor, tensor } from "../tensor/tensor.ts";
import { type Normalization, normalizePixels } from "./normalization.ts";
import { type Optimizer, optimize, type StepScalars, slotsOf } from "./optimizers.ts";
import { type Vector, vectorOf, vectorsOf } from "./state-layout.ts";
import { type BatchStatistics, trainingForm } from "./training-form.ts";

/** Parameters that share a learning rate and a decay. */
export interface ParameterGroup {
  readonly names: readonly string[];
  readonly learningRateFactor: number;
  readonly weightDecay: number;
}

/** A loss and what else one wants to know of a batch. */
export interface LossTerms {
  /** float32[]. */
  readonly loss: Value;
  /** Further values to give out, by name. */
  readonly report?: Readonly<Record<string, Value>>;
}

/** What a step is made of. */
export interface StepOptions {
  /** Built for a fixed batch. */
  readonly network: Network;
  /**
   * The network's input is fed as 8-bit pixels (N×3×H×W) and normalised in the graph: (x/255 − mean)/std. Without it the
   * input is fed as the network takes it, float32.
   */
  readonly normalization?: Normalization | undefined;
  /** Further feeds: targets, weights. Sizes known. */
  readonly feeds: Readonly<Record<string, Value>>;
  /** The loss for the network's outputs and {@link feeds}. */
  readonly loss: (
    outputs: Readonly<Record<string, Value>>,
    feeds: Readonly<Record<string, Value>>,
  ) => LossTerms;
  readonly optimizer: Optimizer;
  /** Every trainable parameter that is in no group is frozen: it takes its value from {@link weights}. */
  readonly groups: readonly ParameterGroup[];
  /** Values of what is frozen. */
  readonly weights: ReadonlyMap<string, Tensor>;
  /** Tells by the module's path which batch normalisations keep their stored statistics. */
  readonly frozenBatchNorm?: (path: string) => boolean;
  /** Weight of a batch in the running statistics: 0.1 in PyTorch. */
  readonly batchNormMomentum: number;
  /** Largest norm of all gradients together; longer ones are scaled down (`torch.nn.utils.clip_grad_norm_`). */
  readonly clipNorm?: number | undefined;
  /** Batches whose gradients are averaged before each optimizer step. */
  readonly accumulate?: number;
  /** Keep a moving average of the parameters. */
  readonly ema?: boolean;
  /** `fp16`: convolutions compute in half precision; parameters, statistics, loss and optimizer stay in single precision. */
  readonly precision?: "fp32" | "fp16";
  readonly target: Target;
}

/** A vector of the state: name of its input and output, and what it holds. */
export interface StateVector {
  readonly name: string;
  readonly kind: "parameters" | "average" | "gradients" | "optimizer" | "statistics";
  readonly vector: Vector;
}

/** A step, ready to be written as a model. */
export interface StepGraph {
  readonly graph: Graph;
  /** For each state input the output that replaces it. */
  readonly state: Readonly<Record<string, string>>;
  readonly vectors: readonly StateVector[];
}

/** Name of the output that replaces the state input `name`. */
const next = (name: string): string => `${name}.next`;

const floats = (values: Float32Array): Value => constant(tensor("float32", [values.length], values));

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

const packed = (values: readonly Value[]): Value =>
  concat(
    values.map((value) => (value.shape.length === 1 ? value : reshape(value, [-1]))),
    0,
  );

/** r + m·(s − r), the statistic s of a batch weighted by momentum; a module called k times moves k times. */
function nextStatistics(
  running: Value,
  statistics: readonly BatchStatistics[],
  { slots, length }: Vector,
  { network, batchNormMomentum }: StepOptions,
): Value {
  const momentum = new Float32Array(length);
  const correction = new Float32Array(length).fill(1);
  let offset = 0;
  slots.forEach(({ name, shape }, index) => {
    const end = offset + elementCount(shape);
    const calls = network.parameters.get(name)!.calls;
    momentum.fill(1 - (1 - batchNormMomentum) ** calls, offset, end);
    const { count, varianceName } = statistics[index >> 1]!;
    if (name === varianceName && count > 1) correction.fill(count / (count - 1), offset, end);
    offset = end;
  });
  const batch = mul(packed(statistics.flatMap(({ mean, variance }) => [mean, variance])), floats(correction));
  return add(running, mul(sub(batch, running), floats(momentum)));
}

/** The vectors of the parameters that are trained, group by group. */
function parameterVectors({ network, groups }: StepOptions): { vector: Vector; group: ParameterGroup }[] {
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

/** Builds the graph of one step. Inputs: `image`, the feeds, the scalars of {@link SCALARS}, the state. */
export function buildStep(options: StepOptions): StepGraph {
  const { network, optimizer, accumulate = 1 } = options;
  const [source] = network.graph.inputs;
  // GPU providers have no 8-bit numbers: there, pixels are fed as floats.
  const pixels = options.target.kind === "cpu" ? "uint8" : "float32";
  const image = graphInput("image", options.normalization ? pixels : "float32", source!.shape);
  const scalars = new Map(SCALARS.map((name) => [name, graphInput(name, "float32", [])]));
  const scalar = (name: (typeof SCALARS)[number]): Value => scalars.get(name)!;

  const vectors: StateVector[] = [];
  const stateInputs: Value[] = [];
  const outputs: Record<string, Value> = {};
  const stateInput = (name: string, kind: StateVector["kind"], vector: Vector): Value => {
    const value = graphInput(name, "float32", [vector.length]);
    vectors.push({ name, kind, vector });
    stateInputs.push(value);
    return value;
  };

  // Forward.
  const trained = parameterVectors(options).map((entry, index) => {
    const value = stateInput(`parameters.${index}`, "parameters", entry.vector);
    return { ...entry, index, value, parts: unpacked(value, entry.vector) };
  });
  const parts = new Map(trained.flatMap((entry) => [...entry.parts]));
  const half = options.precision === "fp16";
  const form = trainingForm(
    interleaveChannels(half ? halveConvolutions(network.graph) : network.graph),
    options.frozenBatchNorm,
  );
  // The statistics of the batch are results of the same graph: they are rewritten along with its outputs.
  const names = Object.keys(network.graph.outputs);
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
    (value) => leafOf(value, source!, image, parts, options),
  );
  const networkOutputs = Object.fromEntries(names.map((name) => [name, withStatistics.outputs[name]!]));
  const statistics = form.statistics.map((entry) => ({
    ...entry,
    mean: withStatistics.outputs[entry.meanName]!,
    variance: withStatistics.outputs[entry.varianceName]!,
  }));
  const { loss, report = {} } = options.loss(networkOutputs, options.feeds);
  Object.assign(outputs, { loss, ...report });

  // Backward.
  // Gradients of single activations are too small for half precision unless the loss is large.
  const gradients = differentiate(half ? mul(loss, scalar("lossScale")) : loss, [...parts.values()]);
  const descaled = (gradient: Value): Value => (half ? div(gradient, scalar("lossScale")) : gradient);
  const zeros = (shape: readonly number[]): Value => constant(tensor("float32", shape));
  const collected = trained.map((entry) => {
    const own = descaled(
      packed(entry.vector.slots.map(({ name, shape }) => gradients.get(parts.get(name)!) ?? zeros(shape))),
    );
    if (accumulate === 1) return { ...entry, gradient: own };
    const sum = stateInput(`gradients.${entry.index}`, "gradients", entry.vector);
    return { ...entry, gradient: add(sum, scale(own, 1 / accumulate)) };
  });
  const squares = collected.map(({ gradient }) => reduceSum(mul(gradient, gradient), [0], false));
  const norm = sqrt(squares.reduce((sum, square) => add(sum, square)));
  outputs["gradientNorm"] = norm;

  // Optimizer.
  const clipping = options.clipNorm === undefined ? undefined : clipFactor(norm, options.clipNorm);
  const applied = accumulate === 1 ? undefined : greater(scalar("apply"), constant(zeroScalar()));
  /** The new value where the optimizer steps, the old one on batches that are only collected. */
  const chosen = (after: Value, before: Value): Value => (applied ? where(applied, after, before) : after);
  for (const { index, vector, group, value, gradient } of collected) {
    const rate =
      group.learningRateFactor === 1
        ? scalar("learningRate")
        : scale(scalar("learningRate"), group.learningRateFactor);
    const stepScalars: StepScalars = {
      learningRate: rate,
      correction1: scalar("correction1"),
      correction2: scalar("correction2"),
    };
    const slotNames = slotsOf(optimizer).map((slot) => `${slot}.${index}`);
    const slots = slotNames.map((name) => stateInput(name, "optimizer", vector));
    const updated = optimize(optimizer, {
      parameters: value,
      gradients: clipping ? mul(gradient, clipping) : gradient,
      slots,
      weightDecay: group.weightDecay,
      scalars: stepScalars,
    });
    const parameters = chosen(updated.parameters, value);
    outputs[next(`parameters.${index}`)] = parameters;
    slotNames.forEach((name, at) => {
      outputs[next(name)] = chosen(updated.slots[at]!, slots[at]!);
    });
    if (applied) outputs[next(`gradients.${index}`)] = where(applied, zeros([vector.length]), gradient);
    if (options.ema) {
      const average = stateInput(`average.${index}`, "average", vector);
      const moved = add(average, mul(sub(parameters, average), scalar("averageRate")));
      outputs[next(`average.${index}`)] = chosen(moved, average);
    }
  }
  if (statistics.length > 0) {
    const vector = vectorOf(
      statistics.flatMap(({ meanName, varianceName }) =>
        [meanName, varianceName].map((name) => ({
          name,
          shape: network.parameters.get(name)!.value.shape as readonly number[],
        })),
      ),
    );
    const running = stateInput("statistics", "statistics", vector);
    outputs[next("statistics")] = nextStatistics(running, statistics, vector, options);
  }
  const inputs = [image, ...Object.values(options.feeds), ...scalars.values(), ...stateInputs];
  const graph = foldConstants(lower(createGraph(inputs, outputs), options.target));
  return {
    graph: withUsedInputs(graph, new Set([...scalars.keys()])),
    state: Object.fromEntries(vectors.map(({ name }) => [name, next(name)])),
    vectors,
  };
}

/** Scalars that a step may read, float32[]; a graph lists those it does. */
export const SCALARS = [
  "learningRate",
  "correction1",
  "correction2",
  "apply",
  "averageRate",
  "lossScale",
] as const;

/** A network's input, parameter or buffer as the step has it. */
function leafOf(
  value: Value,
  source: Value,
  image: Value,
  parts: ReadonlyMap<string, Value>,
  { normalization, weights }: StepOptions,
): Value {
  if (value === source) return normalization ? normalizePixels(image, normalization) : image;
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

/** min(1, largest/(norm + 1e-6)), as `clip_grad_norm_` has it. */
function clipFactor(norm: Value, largest: number): Value {
  const one = constant(tensor("float32", [], Float32Array.of(1)));
  const factor = div(constant(tensor("float32", [], Float32Array.of(largest))), shift(norm, 1e-6));
  return where(greater(factor, one), one, factor);
}

const zeroScalar = (): Tensor => tensor("float32", [], Float32Array.of(0));

/** The graph without those of the `optional` inputs that no node reads. */
function withUsedInputs(graph: Graph, optional: ReadonlySet<string>): Graph {
  const used = new Set(graph.nodes.flatMap((node) => node.inputs));
  return { ...graph, inputs: graph.inputs.filter((value) => used.has(value) || !optional.has(value.name!)) };
}
