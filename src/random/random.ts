// The project's random numbers: reproducible streams from seeds, and what is drawn from them.

/** A stream of numbers in [0, 1); each call gives the next. */
export type Random = () => number;

/** Uniform numbers in [0, 1) from a 32-bit seed (mulberry32, public domain, T. Ettinger). */
export function uniformRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Standard normal numbers from uniform ones (Box–Muller). */
export function normalRandom(uniform: Random): () => number {
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}

/** Standard normal numbers within [−limit, limit], by rejection (as scipy's `truncnorm`). */
export function truncatedNormalRandom(uniform: Random, limit: number): () => number {
  const normal = normalRandom(uniform);
  return () => {
    for (;;) {
      const value = normal();
      if (Math.abs(value) <= limit) return value;
    }
  };
}

/**
 * A 32-bit seed from whole numbers, such as (seed of the run, epoch, position): streams of neighbouring numbers have
 * nothing to do with each other. Mixing: MurmurHash3 for 32-bit words (public domain, A. Appleby).
 */
export function hashSeed(...parts: readonly number[]): number {
  let hash = 0;
  for (const part of parts) {
    // Both halves of a number above 32 bits count.
    for (const word of [part | 0, Math.floor(part / 4294967296) | 0]) {
      const k = Math.imul(word, 0xcc9e2d51);
      hash ^= Math.imul((k << 15) | (k >>> 17), 0x1b873593);
      hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
    }
  }
  hash ^= 8 * parts.length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Brings the numbers into random order, in place; every order is as likely (Fisher–Yates). */
export function shuffle<T extends { [index: number]: number; readonly length: number }>(
  values: T,
  random: Random,
): T {
  for (let last = values.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    const kept = values[last]!;
    values[last] = values[other]!;
    values[other] = kept;
  }
  return values;
}
