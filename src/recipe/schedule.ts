// The learning rate at a step, by schedule and warm-up.

import type { ScheduleRecipe, WarmUpRecipe } from "./training-schema.ts";

/** Where a run is. */
export interface RunPosition {
  /** Optimizer steps done so far: 0 for the first. */
  readonly step: number;
  /** Optimizer steps (not batches) of an epoch. */
  readonly stepsPerEpoch: number;
  /** Epochs of the whole run. */
  readonly epochs: number;
}

type Rule<T extends ScheduleRecipe["type"]> = (
  schedule: Extract<ScheduleRecipe, { type: T }>,
  base: number,
  position: RunPosition,
) => number;

/** Steps done as a share of all, 0…1. */
const progress = ({ step, stepsPerEpoch, epochs }: RunPosition): number =>
  Math.min(1, step / (stepsPerEpoch * epochs));

const RULES: { readonly [T in ScheduleRecipe["type"]]: Rule<T> } = {
  constant: (_, base) => base,
  /**
   * Epoch e (from 0) has passed a milestone m when e ≥ m: `MultiStepLR` stepped before each epoch in PyTorch 1.0
   * (tools/train.py of the official pose code), and mmcv's `StepLrUpdaterHook`.
   */
  step: ({ milestones, factor }, base, { step, stepsPerEpoch }) =>
    base * factor ** milestones.filter((epoch) => Math.floor(step / stepsPerEpoch) >= epoch).length,
  /** `adjust_learning_rate` of HRNet-Semantic-Segmentation; the minimum as in mmcv's `PolyLrUpdaterHook`. */
  poly: ({ power, minimum }, base, position) =>
    minimum + (base - minimum) * (1 - progress(position)) ** power,
  /** SGDR, Eq. 5, one period as long as the run (Loshchilov & Hutter 2017). */
  cosine: ({ minimum }, base, position) =>
    minimum + ((base - minimum) * (1 + Math.cos(Math.PI * progress(position)))) / 2,
};

/**
 * The learning rate of one optimizer step.
 *
 * Warm-up multiplies the scheduled rate by `1 − (1 − step/steps)(1 − from)` while step < steps (mmcv's linear warm-up).
 * @param base the optimizer's `learningRate`; groups multiply the result by their factor
 */
export function learningRateAt(
  schedule: ScheduleRecipe,
  warmUp: WarmUpRecipe,
  base: number,
  position: RunPosition,
): number {
  const rule = RULES[schedule.type] as Rule<ScheduleRecipe["type"]>;
  const rate = rule(schedule as never, base, position);
  if (warmUp === null || position.step >= warmUp.steps) return rate;
  return rate * (1 - (1 - position.step / warmUp.steps) * (1 - warmUp.from));
}
