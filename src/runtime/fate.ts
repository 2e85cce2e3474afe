// What becomes of a run: the caller may abandon it while the worker keeps what it made. Whoever is first decides.

/** One run's fate, shared by the caller and the worker. */
export type Fate = Int32Array<SharedArrayBuffer>;

const OPEN = 0;
const VERDICTS = { abandoned: 1, kept: 2 } as const;

/** A fate nobody has decided. */
export function openFate(): Fate {
  return new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
}

/** Decides a fate; `false` when the other side was first. */
export function decide(fate: Fate, verdict: keyof typeof VERDICTS): boolean {
  return Atomics.compareExchange(fate, 0, OPEN, VERDICTS[verdict]) === OPEN;
}

/** Whether the caller no longer wants the run. */
export function isAbandoned(fate: Fate): boolean {
  return Atomics.load(fate, 0) === VERDICTS.abandoned;
}
