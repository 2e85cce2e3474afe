// Figures of single batches gathered into the records of the log, each over some batches and ending with an optimizer step.

import type { StepRecord } from "../report/metrics-log.ts";
import type { BatchFigures } from "../train/checkpoint.ts";

/** Batches of a record, at least: few enough for a smooth curve, many enough that the log of a long run stays readable. */
const RECORD_BATCHES = 10;

/** A record without what the log adds. */
export type StepFigures = Omit<StepRecord, "kind">;

/** Gathers batches. What is not yet in a record goes into checkpoints, so that a resumed run writes the same records. */
export class StepRecords {
  readonly #batchSize: number;
  #pending: BatchFigures[];

  constructor(batchSize: number, pending: readonly BatchFigures[] = []) {
    this.#batchSize = batchSize;
    this.#pending = [...pending];
  }

  /** Batches that are in no record yet. */
  get pending(): readonly BatchFigures[] {
    return this.#pending;
  }

  /** Takes a batch; gives a record when one is complete. */
  add(figures: BatchFigures): StepFigures | undefined {
    this.#pending.push(figures);
    return figures.stepped && this.#pending.length >= RECORD_BATCHES ? this.#take() : undefined;
  }

  /** The record at the end of an epoch, where an optimizer step has been made since the last one. */
  endEpoch(): StepFigures | undefined {
    return this.#pending.some(({ stepped }) => stepped) ? this.#take() : undefined;
  }

  #take(): StepFigures | undefined {
    const batches = this.#pending;
    this.#pending = [];
    const finite = batches.filter((batch) => batch.finite);
    const last = finite.at(-1);
    if (!last) return undefined;
    const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);
    const mean = (values: readonly number[]): number => total(values) / values.length;
    const accuracies = finite.flatMap(({ accuracy }) => (accuracy === null ? [] : [accuracy]));
    const elapsed = total(batches.map(({ elapsedMs }) => elapsedMs));
    return {
      step: last.step,
      epoch: last.epoch,
      loss: mean(finite.map(({ loss }) => loss)),
      learningRate: last.learningRate,
      imagesPerSecond: (1000 * this.#batchSize * batches.length) / elapsed,
      waitShare: total(batches.map(({ waitedMs }) => waitedMs)) / elapsed,
      gradientNorm: mean(finite.map(({ gradientNorm }) => gradientNorm)),
      ...(accuracies.length > 0 && { accuracy: mean(accuracies) }),
    };
  }
}
