// The training loop: batches through the step, epoch by epoch, with what happens between them.

import { HRNetError } from "../errors.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { StepResult, TrainingSession } from "./training-session.ts";

/** Where a run is: the batch it comes to next. */
export interface Position {
  /** From 0. */
  readonly epoch: number;
  /** Within the epoch, from 0. */
  readonly batch: number;
}

/** Where batches come from: a loader. */
export interface BatchSource {
  readonly batchesPerEpoch: number;
  batches(
    epoch: number,
    from?: number,
  ): AsyncIterable<{ readonly feeds: Readonly<Record<string, Tensor>>; readonly waitedMs: number }>;
}

/** One batch done. */
export interface BatchRecord extends StepResult, Position {
  /** Optimizer steps done, this one included. */
  readonly steps: number;
  readonly learningRate: number;
  /** Milliseconds of the whole turn, and of it spent waiting for data. */
  readonly elapsedMs: number;
  readonly waitedMs: number;
}

/** What a loop is told. */
export interface LoopOptions {
  readonly session: TrainingSession;
  readonly source: BatchSource;
  readonly epochs: number;
  readonly start: Position;
  /** The learning rate of optimizer step `steps` (from 0). */
  readonly learningRate: (steps: number) => number;
  readonly onBatch?: (record: BatchRecord) => void;
  /** Waited for after every batch; `next` is the position that a run saved now resumes from. */
  readonly afterBatch?: (next: Position, record: BatchRecord) => Promise<void> | void;
  /**
   * Waited for after every epoch: validation, checkpoints. `next` is the first batch of the next epoch.
   * @returns whether it was done; if it was cut short, the loop ends, and a run resumed from its end begins with it
   */
  readonly afterEpoch?: (epoch: number, next: Position) => Promise<boolean>;
  /** Ends the loop after the batch in work. */
  readonly signal?: AbortSignal;
}

/** How a loop ended, and where it would go on. */
export interface LoopEnd {
  readonly finished: boolean;
  readonly next: Position;
}

/** Batches in a row without a finite loss after which a run has diverged. */
const MOST_NOT_FINITE = 20;

/**
 * Trains until the last epoch is done or the signal fires.
 * @throws HRNetError `inference-failed` when the loss stays infinite or NaN; what the callbacks and the loader throw
 */
export async function trainLoop(options: LoopOptions): Promise<LoopEnd> {
  const { source, epochs, signal } = options;
  let next = options.start;
  let notFinite = 0;
  const stopped = (): boolean => signal?.aborted ?? false;
  if (stopped()) return { finished: next.epoch >= epochs, next };
  for (let { epoch } = next; epoch < epochs; epoch++) {
    for await (const record of epochOf(options, epoch, epoch === options.start.epoch ? next.batch : 0)) {
      next = { epoch, batch: record.batch + 1 };
      notFinite = record.finite ? 0 : notFinite + 1;
      if (notFinite === MOST_NOT_FINITE) throw diverged(record);
      options.onBatch?.(record);
      await options.afterBatch?.(next, record);
      if (stopped()) break;
    }
    const done = next.epoch === epoch && next.batch >= source.batchesPerEpoch;
    if (!done) return { finished: false, next };
    const after = { epoch: epoch + 1, batch: 0 };
    if ((await options.afterEpoch?.(epoch, after)) === false) return { finished: false, next };
    next = after;
    if (stopped() && next.epoch < epochs) return { finished: false, next };
  }
  return { finished: true, next };
}

async function* epochOf(
  { session, source, learningRate }: LoopOptions,
  epoch: number,
  from: number,
): AsyncGenerator<BatchRecord, void, undefined> {
  let batch = from;
  let begin = performance.now();
  for await (const { feeds, waitedMs } of source.batches(epoch, from)) {
    const rate = learningRate(session.counts.steps);
    const result = await session.run(feeds, rate);
    const end = performance.now();
    yield {
      ...result,
      epoch,
      batch: batch++,
      steps: session.counts.steps,
      learningRate: rate,
      elapsedMs: end - begin,
      waitedMs,
    };
    begin = performance.now();
  }
}

function diverged({ epoch, steps, learningRate }: BatchRecord): HRNetError {
  return new HRNetError(
    "inference-failed",
    `The loss was infinite or not a number for ${MOST_NOT_FINITE} batches in a row (epoch ${epoch + 1}, step ${steps}, learning ` +
      `rate ${learningRate}). None of them changed the weights. Lower the learning rate, add a warm-up or clipNorm, or train ` +
      "in fp32; `hrnet doctor` finds annotations that are not finite.",
  );
}
