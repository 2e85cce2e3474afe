// What a module must offer for its samples to be loaded in batches, in worker threads.

import type { Random } from "../random/random.ts";
import type { DType, TensorArray } from "../tensor/tensor.ts";

/** One array of a sample. */
export interface SampleField {
  readonly name: string;
  readonly dtype: DType;
  /** Of one sample; batches get the number of samples in front. */
  readonly shape: readonly number[];
  /** `feed` (default): an input of the training graph. `note`: for people who look at samples; kept apart in batches. */
  readonly purpose?: "feed" | "note";
}

/** Samples by index. */
export interface SampleSource {
  readonly fields: readonly SampleField[];
  /** How many samples there are. */
  readonly length: number;
  /**
   * Writes sample `index` into the arrays, which are zero and have the fields' lengths. It must depend on nothing but
   * `index` and `random`, and may be called again before it is done.
   * @param random numbers in [0, 1), the same for the same seed, epoch and place in the epoch
   * @throws HRNetError with one of {@link SKIPPED_CODES} for a sample that cannot be had; the next one takes its place
   */
  fill(index: number, random: Random, into: Readonly<Record<string, TensorArray>>): Promise<void>;
}

/**
 * Opens a source from settings, which can be cloned between threads. A sample module exports it under the name
 * `openSampleSource`; every worker thread opens a source of its own.
 */
export type OpenSampleSource = (settings: unknown) => Promise<SampleSource> | SampleSource;

/** Codes of errors that concern one sample; with any other the loader stops. */
export const SKIPPED_CODES = [
  "file-not-found",
  "read-failed",
  "invalid-image",
  "invalid-data",
  "limit-exceeded",
] as const;
