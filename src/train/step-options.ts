// What a training step is made of, and what its parts hand to each other.

import type { Target } from "../graph/lowering/target.ts";
import type { Value } from "../graph/value.ts";
import type { Network } from "../models/network.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Normalization } from "./normalization.ts";
import type { Optimizer } from "./optimizers.ts";
import type { Vector } from "./state-layout.ts";

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

/** Scalars that a step may read, float32[]; a graph lists those it does. */
export const SCALARS = [
  "learningRate",
  "correction1",
  "correction2",
  "apply",
  "averageRate",
  "lossScale",
] as const;

/** One of {@link SCALARS} as a graph input. */
export type ScalarInput = (name: (typeof SCALARS)[number]) => Value;

/** A vector of parameters that are trained with one learning rate and decay. */
export interface TrainedVector {
  readonly vector: Vector;
  readonly group: ParameterGroup;
}
