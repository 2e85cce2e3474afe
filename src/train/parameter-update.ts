// The second half of a step: what gradients and statistics of a batch change.

import { reduceSum } from "../graph/ops/broadcast.ts";
import {
  add,
  div,
  greater,
  mul,
  scalar as number,
  scale,
  shift,
  sqrt,
  sub,
  where,
} from "../graph/ops/elementwise.ts";
import { constant, type Value } from "../graph/value.ts";
import { elementCount, tensor } from "../tensor/tensor.ts";
import type { TrainedInput } from "./batch-gradients.ts";
import { optimize, slotsOf } from "./optimizers.ts";
import type { Vector } from "./state-layout.ts";
import type { ScalarInput, StateVector, StepOptions } from "./step-options.ts";
import type { BatchStatistics } from "./training-form.ts";

/** Makes an input that is state. */
export type StateInput = (name: string, kind: StateVector["kind"], vector: Vector) => Value;

/** Name of the output that replaces the state input `name`. */
export const next = (name: string): string => `${name}.next`;

const floats = (values: Float32Array): Value => constant(tensor("float32", [values.length], values));

/**
 * The optimizer's step: `gradientNorm` and the next state, by name.
 * @param gradients one for each trained vector
 */
export function parameterUpdate(
  options: StepOptions,
  trained: readonly TrainedInput[],
  gradients: readonly Value[],
  stateInput: StateInput,
  scalar: ScalarInput,
): Record<string, Value> {
  const { optimizer, accumulate = 1 } = options;
  const outputs: Record<string, Value> = {};
  const collected = trained.map(({ vector }, index) => {
    if (accumulate === 1) return gradients[index]!;
    const sum = stateInput(`gradients.${index}`, "gradients", vector);
    return add(sum, scale(gradients[index]!, 1 / accumulate));
  });
  const squares = collected.map((gradient) => reduceSum(mul(gradient, gradient), [0], false));
  const norm = sqrt(squares.reduce((sum, square) => add(sum, square)));
  outputs["gradientNorm"] = norm;
  const clipping = options.clipNorm === undefined ? undefined : clipFactor(norm, options.clipNorm);
  const applied = accumulate === 1 ? undefined : greater(scalar("apply"), number(0));
  /** The new value where the optimizer steps, the old one on batches that are only collected. */
  const chosen = (after: Value, before: Value): Value => (applied ? where(applied, after, before) : after);
  trained.forEach(({ vector, group, value }, index) => {
    const gradient = collected[index]!;
    const rate = scalar("learningRate");
    const slotNames = slotsOf(optimizer).map((slot) => `${slot}.${index}`);
    const slots = slotNames.map((name) => stateInput(name, "optimizer", vector));
    const updated = optimize(optimizer, {
      parameters: value,
      gradients: clipping ? mul(gradient, clipping) : gradient,
      slots,
      weightDecay: group.weightDecay,
      scalars: {
        learningRate: group.learningRateFactor === 1 ? rate : scale(rate, group.learningRateFactor),
        correction1: scalar("correction1"),
        correction2: scalar("correction2"),
      },
    });
    const parameters = chosen(updated.parameters, value);
    outputs[next(`parameters.${index}`)] = parameters;
    slotNames.forEach((name, at) => {
      outputs[next(name)] = chosen(updated.slots[at]!, slots[at]!);
    });
    if (applied) {
      const none = floats(new Float32Array(vector.length));
      outputs[next(`gradients.${index}`)] = where(applied, none, gradient);
    }
    if (options.ema) {
      const average = stateInput(`average.${index}`, "average", vector);
      const moved = add(average, mul(sub(parameters, average), scalar("averageRate")));
      outputs[next(`average.${index}`)] = chosen(moved, average);
    }
  });
  return outputs;
}

/**
 * r + m·(s − r), the statistic s of a batch weighted by momentum; a module called k times moves k times.
 * @param batch the statistics in the order of `vector`; variances are the population's
 * @param replicas parts of the batch that the counts of `statistics` are of
 */
export function nextStatistics(
  running: Value,
  batch: Value,
  statistics: readonly BatchStatistics[],
  { slots, length }: Vector,
  { network, batchNormMomentum }: StepOptions,
  replicas: number,
): Value {
  const momentum = new Float32Array(length);
  const correction = new Float32Array(length).fill(1);
  let offset = 0;
  slots.forEach(({ name, shape }, index) => {
    const end = offset + elementCount(shape);
    const calls = network.parameters.get(name)!.calls;
    momentum.fill(1 - (1 - batchNormMomentum) ** calls, offset, end);
    const entry = statistics[index >> 1]!;
    const count = entry.count * replicas;
    if (name === entry.varianceName && count > 1) correction.fill(count / (count - 1), offset, end);
    offset = end;
  });
  return add(running, mul(sub(mul(batch, floats(correction)), running), floats(momentum)));
}

/** min(1, largest/(norm + 1e-6)), as `clip_grad_norm_` has it. */
function clipFactor(norm: Value, largest: number): Value {
  const one = number(1);
  const factor = div(number(largest), shift(norm, 1e-6));
  return where(greater(factor, one), one, factor);
}
