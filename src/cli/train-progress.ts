// The progress line of training: epoch, batch, loss, learning rate, images/s, time left.

import type { TrainingProgress } from "../training-runs/run-options.ts";
import { createProgress, duration, type Progress, type ProgressStream, significant } from "./progress.ts";

/** Where to report. */
export interface TrainProgressOptions {
  /** Default: stderr, so that stdout stays clean for results. */
  readonly stream?: ProgressStream;
  readonly quiet?: boolean;
  /** Milliseconds on a steady clock. */
  readonly now?: () => number;
}

/** A running report of training. */
export interface TrainProgress {
  update(state: TrainingProgress): void;
  /** Prints a line above the progress line, also when quiet. */
  readonly log: Progress["log"];
  /** Ends the report, with a last line unless quiet. Further calls do nothing. */
  readonly finish: Progress["finish"];
}

/**
 * Seconds that the time left is worked out from: long enough that validations between the batches are in it as often as
 * they happen.
 */
const SMOOTHING_S = 600;

/** Significant digits of the loss. */
const LOSS_DIGITS = 3;

/** Starts a report; nothing is written before the first `update`. */
export function createTrainProgress(options: TrainProgressOptions = {}): TrainProgress {
  let latest: TrainingProgress | undefined;
  const progress = createProgress({
    ...options,
    label: "train",
    unit: "steps",
    smoothing: SMOOTHING_S,
    line: ({ done, total = done, perSecond }) =>
      latest === undefined ? "" : trainLine(latest, perSecond > 0 ? (total - done) / perSecond : undefined),
  });
  return {
    update(state) {
      latest = state;
      const { epoch, epochs, batch, batches } = state;
      progress.update((epoch - 1) * batches + batch, "", epochs * batches);
    },
    log: progress.log,
    finish: progress.finish,
  };
}

/** `epoch 3/210  batch 1200/4682  loss 0.00123  lr 0.001  45.2 images/s  5 h 3 min left`. */
function trainLine(state: TrainingProgress, secondsLeft: number | undefined): string {
  const { epoch, epochs, batch, batches, loss, learningRate, imagesPerSecond, validation } = state;
  const doing = validation
    ? [`validation ${validation.done}/${validation.total} images`]
    : [
        `batch ${batch}/${batches}`,
        `loss ${loss.toPrecision(LOSS_DIGITS)}`,
        `lr ${Number(learningRate.toPrecision(3))}`,
        ...(imagesPerSecond > 0 ? [`${significant(imagesPerSecond)} images/s`] : []),
      ];
  const left = secondsLeft !== undefined && secondsLeft > 0 ? [`${duration(secondsLeft)} left`] : [];
  return [`epoch ${epoch}/${epochs}`, ...doing, ...left].join("  ");
}
