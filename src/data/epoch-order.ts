// The order of samples in an epoch: which, how often, shuffled, from one seed.

import { HRNetError } from "../errors.ts";
import { hashSeed, shuffle, uniformRandom } from "../random/random.ts";

/** A run of consecutive samples of a source that are seen equally often, such as one of several data sets. */
export interface SampleGroup {
  /** How many samples. */
  readonly count: number;
  /** How often an epoch shows each: 1 once, 3 three times, 0.25 a fourth of them, other ones each epoch; 0 never. */
  readonly repeat: number;
}

/** What decides an epoch's order. */
export interface EpochOrderOptions {
  readonly groups: readonly SampleGroup[];
  readonly seed: number;
  readonly shuffle: boolean;
}

/** Most samples of an epoch: what 32-bit indices and memory allow with ease. */
const MAX_EPOCH_LENGTH = 2 ** 28;

/** Salts that keep the streams of one epoch apart. */
const SALT = { subset: 1, order: 2 } as const;

/** Samples of an epoch; the same for every epoch. */
export function epochLength(groups: readonly SampleGroup[]): number {
  return groups.reduce((sum, { count, repeat }) => sum + Math.round(count * repeat), 0);
}

/**
 * Indices of epoch `epoch`, in the order in which they are seen.
 * Parts of repetitions are other samples in each epoch where samples are shuffled, and the first ones otherwise.
 */
export function epochOrder({ groups, seed, shuffle: mixed }: EpochOrderOptions, epoch: number): Uint32Array {
  const order = new Uint32Array(epochLength(groups));
  let filled = 0;
  let first = 0;
  groups.forEach(({ count, repeat }, group) => {
    const total = Math.round(count * repeat);
    const indices = Uint32Array.from({ length: count }, (_, i) => first + i);
    for (let left = total; left > 0; left -= count) {
      if (left < count && mixed) shuffle(indices, uniformRandom(hashSeed(seed, epoch, SALT.subset, group)));
      const taken = left < count ? indices.subarray(0, left) : indices;
      order.set(taken, filled);
      filled += taken.length;
    }
    first += count;
  });
  return mixed ? shuffle(order, uniformRandom(hashSeed(seed, epoch, SALT.order))) : order;
}

/**
 * The groups of a source, checked.
 * @throws HRNetError `usage` when they do not add up to the source's length or repeat is out of range, `invalid-data` when
 * nothing is left to see
 */
export function checkGroups(
  groups: readonly SampleGroup[] | undefined,
  length: number,
): readonly SampleGroup[] {
  const given = groups ?? [{ count: length, repeat: 1 }];
  const total = given.reduce((sum, { count }) => sum + count, 0);
  const wrong = given.find(({ count, repeat }) => !Number.isInteger(count) || count < 0 || !(repeat >= 0));
  if (wrong !== undefined || total !== length) {
    throw new HRNetError(
      "usage",
      wrong === undefined
        ? `The groups of samples count ${total} together; the source has ${length}.`
        : `A group of ${wrong.count} samples repeated ${wrong.repeat} times is not possible; both must be at least 0.`,
    );
  }
  const samples = epochLength(given);
  if (samples === 0) {
    throw new HRNetError(
      "invalid-data",
      "There are no samples to load. Check the annotations and repetitions.",
    );
  }
  if (samples > MAX_EPOCH_LENGTH) {
    throw new HRNetError(
      "usage",
      `An epoch of ${samples} samples is too long; at most ${MAX_EPOCH_LENGTH} are possible.`,
    );
  }
  return given;
}
