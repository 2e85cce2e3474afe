// Fills one batch from a source of samples: the same, whoever does it and when.

import { HRNetError, messageOf } from "../errors.ts";
import { hashSeed, uniformRandom } from "../random/random.ts";
import { elementCount, type TensorArray, tensor } from "../tensor/tensor.ts";
import { type OpenSampleSource, type SampleSource, SKIPPED_CODES } from "./sample-source.ts";

/** Which samples a batch holds. Plain data. */
export interface BatchRequest {
  readonly seed: number;
  readonly epoch: number;
  /** Place of the batch's first sample in the epoch. */
  readonly first: number;
  /** Samples, one per place. */
  readonly indices: Int32Array;
}

/** A batch: arrays in the fields' order, each in a buffer of its own. Plain data. */
export interface FilledBatch {
  readonly arrays: readonly TensorArray[];
  /** Samples that are really in it: as requested, but for those that could not be had. */
  readonly indices: Int32Array;
}

/** Hooks of {@link fillBatch}. */
export interface FillHooks {
  /** A sample that could not be had and why; called each time. */
  readonly onProblem: (message: string) => void;
  /** Whether to give up. */
  readonly stopped: () => boolean;
}

/** Samples in the making at a time: while one is decoded elsewhere, another is cropped. */
const LANES = 2;

/** Salt of the samples' streams; `epoch-order.ts` has others. */
const SAMPLE_SALT = 3;

/** Samples that may fail before training on the rest makes no sense: 1 %, and at least 10. */
export function mostProblems(length: number): number {
  return Math.max(10, Math.floor(length / 100));
}

/**
 * Fills a batch. A sample that cannot be had is replaced by the next one of the source.
 * @returns `undefined` when stopped
 * @throws HRNetError `invalid-data` when too many samples in a row cannot be had; whatever else a source throws
 */
export async function fillBatch(
  source: SampleSource,
  { seed, epoch, first, indices }: BatchRequest,
  { onProblem, stopped }: FillHooks,
): Promise<FilledBatch | undefined> {
  const fields = source.fields.map(({ name, dtype, shape }) => ({ name, dtype, size: elementCount(shape) }));
  const arrays = fields.map(({ dtype, size }) => tensor(dtype, [indices.length * size]).data);
  const used = Int32Array.from(indices);

  const fillPlace = async (place: number): Promise<void> => {
    const into = Object.fromEntries(
      fields.map(({ name, size }, f) => [name, arrays[f]!.subarray(place * size, (place + 1) * size)]),
    );
    const tries = Math.min(source.length, mostProblems(source.length) + 1);
    let reason: unknown;
    for (let attempt = 0; attempt < tries && !stopped(); attempt++) {
      const index = (indices[place]! + attempt) % source.length;
      try {
        await source.fill(index, uniformRandom(hashSeed(seed, epoch, SAMPLE_SALT, first + place)), into);
        used[place] = index;
        return;
      } catch (error) {
        if (!concernsOneSample(error)) throw error;
        onProblem(messageOf(error));
        reason = error;
        for (const array of Object.values(into)) {
          if (array instanceof BigInt64Array) array.fill(0n);
          else array.fill(0);
        }
      }
    }
    if (!stopped()) {
      throw new HRNetError(
        "invalid-data",
        `${tries} samples in a row cannot be loaded; the last one: ${messageOf(reason)}`,
        { cause: reason },
      );
    }
  };

  let next = 0;
  let failed = false;
  const lane = async (): Promise<void> => {
    while (next < indices.length && !failed && !stopped()) {
      try {
        await fillPlace(next++);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return stopped() ? undefined : { arrays, indices: used };
}

function concernsOneSample(error: unknown): boolean {
  return error instanceof HRNetError && (SKIPPED_CODES as readonly string[]).includes(error.code);
}

/**
 * Opens the source that a module exports.
 * @throws HRNetError `usage` when it exports none; whatever the source throws
 */
export async function openSource(module: string, settings: unknown): Promise<SampleSource> {
  const exported = (await import(module)) as { openSampleSource?: OpenSampleSource };
  if (typeof exported.openSampleSource !== "function") {
    throw new HRNetError("usage", `${module} exports no function "openSampleSource"; a sample module must.`);
  }
  return exported.openSampleSource(settings);
}
