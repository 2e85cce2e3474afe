// Optimizer steps as graphs, on one flat vector at a time: SGD, Adam, AdamW, with PyTorch's formulas.

import { add, div, mul, scale, shift, sqrt, sub } from "../graph/ops/elementwise.ts";
import type { Value } from "../graph/value.ts";

/** An optimizer and its constants; the learning rate comes with each step. */
export type Optimizer =
  | {
      readonly type: "sgd";
      readonly momentum: number;
      readonly nesterov: boolean;
    }
  | {
      readonly type: "adam" | "adamw";
      readonly betas: readonly [number, number];
      readonly epsilon: number;
    };

/** Numbers that change from step to step, fed as scalars. */
export interface StepScalars {
  /** The learning rate of the parameters at hand. */
  readonly learningRate: Value;
  /** 1/(1 − β₁ᵗ) and 1/√(1 − β₂ᵗ) (Adam). */
  readonly correction1: Value;
  readonly correction2: Value;
}

/** One vector in the middle of its step. */
export interface Update {
  readonly parameters: Value;
  readonly gradients: Value;
  /** The optimizer's own vectors, in the order of {@link slotsOf}. */
  readonly slots: readonly Value[];
  readonly weightDecay: number;
  readonly scalars: StepScalars;
}

/** What a step gives. */
export interface Updated {
  readonly parameters: Value;
  readonly slots: readonly Value[];
}

/** Names of the vectors that an optimizer keeps beside the parameters; all start at 0. */
export function slotsOf(optimizer: Optimizer): readonly string[] {
  if (optimizer.type !== "sgd") return ["moment1", "moment2"];
  return optimizer.momentum === 0 ? [] : ["momentum"];
}

/** g + decay·p: decay as a penalty on the loss. */
const penalized = ({ gradients, parameters, weightDecay }: Update): Value =>
  weightDecay === 0 ? gradients : add(gradients, scale(parameters, weightDecay));

/**
 * v ← μ·v + g; p ← p − lr·v, or p − lr·(g + μ·v) with Nesterov. PyTorch's momentum starts with v = g, which v₀ = 0 gives as well
 * (dampening 0).
 */
function sgd(optimizer: Extract<Optimizer, { type: "sgd" }>, update: Update): Updated {
  const { parameters, slots, scalars } = update;
  const gradients = penalized(update);
  if (optimizer.momentum === 0)
    return { parameters: sub(parameters, mul(gradients, scalars.learningRate)), slots: [] };
  const velocity = add(scale(slots[0]!, optimizer.momentum), gradients);
  const direction = optimizer.nesterov ? add(gradients, scale(velocity, optimizer.momentum)) : velocity;
  return { parameters: sub(parameters, mul(direction, scalars.learningRate)), slots: [velocity] };
}

/**
 * m ← β₁m + (1−β₁)g; v ← β₂v + (1−β₂)g²; p ← p − lr·m/(1−β₁ᵗ) / (√v/√(1−β₂ᵗ) + ε) (Kingma & Ba 2015, in the order of
 * operations of torch.optim.Adam). Adam adds decay·p to g; AdamW takes lr·decay·p off p before (Loshchilov & Hutter 2019).
 */
function adam(optimizer: Extract<Optimizer, { type: "adam" | "adamw" }>, update: Update): Updated {
  const { slots, weightDecay, scalars } = update;
  const [beta1, beta2] = optimizer.betas;
  const decoupled = optimizer.type === "adamw" && weightDecay !== 0;
  const gradients = decoupled ? update.gradients : penalized(update);
  const moment1 = add(scale(slots[0]!, beta1), scale(gradients, 1 - beta1));
  const moment2 = add(scale(slots[1]!, beta2), scale(mul(gradients, gradients), 1 - beta2));
  const denominator = shift(mul(sqrt(moment2), scalars.correction2), optimizer.epsilon);
  const rate = mul(scalars.learningRate, scalars.correction1);
  const change = mul(div(moment1, denominator), rate);
  const decayed = decoupled
    ? sub(update.parameters, mul(update.parameters, scale(scalars.learningRate, weightDecay)))
    : update.parameters;
  return { parameters: sub(decayed, change), slots: [moment1, moment2] };
}

/** One step of `optimizer`. */
export function optimize(optimizer: Optimizer, update: Update): Updated {
  return optimizer.type === "sgd" ? sgd(optimizer, update) : adam(optimizer, update);
}
