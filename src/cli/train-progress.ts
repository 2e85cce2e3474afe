// The progress line of training: epoch, step, loss, images/s, time left.

import {
  createProgress,
  duration,
  type Progress,
  type ProgressState,
  type ProgressStream,
  significant,
} from "./progress.ts";

/** What to report and how. */
export interface TrainProgressOptions {
  /** Steps of the whole run. */
  readonly steps: number;
  /** Epochs of the whole run. */
  readonly epochs: number;
  /** Default: stderr, so that stdout stays clean for results. */
  readonly stream?: ProgressStream;
  readonly quiet?: boolean;
  /** Milliseconds on a steady clock. */
  readonly now?: () => number;
}

/** The state after a step. */
export interface TrainState {
  /** Steps done in the whole run, those before a resumption included. */
  readonly step: number;
  /** The epoch under way, from 1. */
  readonly epoch: number;
  readonly loss: number;
  readonly imagesPerSecond: number;
  /** What else is going on: `validation 120/400`. */
  readonly note?: string;
}

/** A running report of training. */
export interface TrainProgress {
  update(state: TrainState): void;
  /** Prints a line above the progress line, also when quiet. */
  readonly log: Progress["log"];
  /** Ends the report, with a last line unless quiet. Further calls do nothing. */
  readonly finish: Progress["finish"];
}

/**
 * Seconds that the time left is worked out from: long enough that validations between the steps are in it as often as
 * they happen.
 */
const SMOOTHING_S = 600;

/** Significant digits of the loss. */
const LOSS_DIGITS = 4;

/** Starts a report; nothing is written before the first `update`. */
export function createTrainProgress(options: TrainProgressOptions): TrainProgress {
  const { steps, epochs, ...rest } = options;
  let latest: TrainState | undefined;
  const progress = createProgress({
    ...rest,
    label: "train",
    unit: "steps",
    total: steps,
    smoothing: SMOOTHING_S,
    line: (state) => trainLine(state, epochs, latest),
  });
  return {
    update(state) {
      latest = state;
      progress.update(state.step, state.note);
    },
    log: progress.log,
    finish: progress.finish,
  };
}

/** `epoch 3/210  step 1200/4700  26%  loss 0.001234  45.2 images/s  50 min 3 s left`. */
function trainLine(state: ProgressState, epochs: number, latest: TrainState | undefined): string {
  const { done, total = done, perSecond, note } = state;
  const parts = [`step ${done}/${total}`];
  if (total > 0) parts.push(`${Math.floor((100 * Math.min(done, total)) / total)}%`);
  if (latest !== undefined) {
    const { epoch, loss, imagesPerSecond } = latest;
    parts.unshift(`epoch ${epoch}/${epochs}`);
    parts.push(`loss ${loss.toPrecision(LOSS_DIGITS)}`);
    if (imagesPerSecond > 0) parts.push(`${significant(imagesPerSecond)} images/s`);
  }
  if (perSecond > 0 && done < total) parts.push(`${duration((total - done) / perSecond)} left`);
  if (note !== "") parts.push(note);
  return parts.join("  ");
}
