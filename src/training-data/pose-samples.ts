// From data sets to what the batch loader needs to load a pose network's samples.

import type { SampleGroup } from "../data/epoch-order.ts";
import type { PoseSampleOptions } from "../pose/training-samples.ts";
import { moduleBeside } from "../threads/start-worker.ts";
import type { PoseSourceSettings } from "./pose-sample-source.ts";
import { type PoseTrainingSet, readTrainingPersons } from "./pose-sets.ts";
import { packPersons, type TrainingPerson } from "./pose-table.ts";
import type { PreparedSamples } from "./prepared-samples.ts";

/** A data set by its files, or persons at hand. */
export type PoseSampleSet =
  | PoseTrainingSet
  | { readonly persons: readonly TrainingPerson[]; readonly repeat?: number | undefined };

/** Options of {@link preparePoseSamples}. */
export interface PreparePoseOptions extends PoseSampleOptions {
  /** Context around annotated boxes; 1.25 by default. */
  readonly padding?: number | undefined;
  /** Decoded pictures that each thread may keep, in MiB; default 0. */
  readonly cacheMegabytes?: number | undefined;
  /** Told what the network's and a set's keypoints do not share. */
  readonly onLog?: ((line: string) => void) | undefined;
}

/**
 * Reads the sets and packs their persons; samples are numbered set by set.
 *
 * ```ts
 * const samples = await preparePoseSamples([{ format: "coco", annotations, images, repeat: 10 }], options);
 * await using loader = await openBatchLoader({ ...samples, batchSize: 32, seed: 1, workers: 1, shuffle: true });
 * ```
 *
 * Fields: `image` uint8 3×H×W, `target` float32 K·channels×h×w, `weight` float32 K; notes: `keypoints` float32 K×3 and
 * `crop` float64 6 (see `PoseSampleArrays`).
 * @throws HRNetError as `readTrainingPersons` and `packPersons`
 */
export async function preparePoseSamples(
  sets: readonly PoseSampleSet[],
  options: PreparePoseOptions,
): Promise<PreparedSamples> {
  const { padding, cacheMegabytes = 0, onLog, ...samples } = options;
  const groups: SampleGroup[] = [];
  const all: TrainingPerson[] = [];
  for (const set of sets) {
    const persons = "persons" in set ? set.persons : await readSet(set, samples, padding, onLog);
    for (const person of persons) all.push(person);
    groups.push({ count: persons.length, repeat: set.repeat ?? 1 });
  }
  const table = packPersons(all, samples.skeleton.keypoints.length);
  const settings: PoseSourceSettings = { table, samples, cacheMegabytes };
  return { module: moduleBeside("./pose-sample-source", import.meta.url), settings, groups };
}

async function readSet(
  set: PoseTrainingSet,
  { skeleton, inputSize }: PoseSampleOptions,
  padding: number | undefined,
  onLog: ((line: string) => void) | undefined,
): Promise<readonly TrainingPerson[]> {
  const { persons, unlabelled, unused } = await readTrainingPersons(set, { skeleton, inputSize, padding });
  if (unlabelled.length > 0)
    onLog?.(`${set.annotations} does not label ${unlabelled.join(", ")}: no target there`);
  if (unused.length > 0)
    onLog?.(`${set.annotations}: ${unused.join(", ")} unused, the network has no such keypoints`);
  return persons;
}
