// Keeps `process.exit()` from cutting a worker off inside the engine, which would abort the process (exit code 134).

/** Slots of the shared flags. */
const BUSY = 0;
const STOP = 1;

/** How long an exit waits for a run to end, in milliseconds: longer than any single run or opening should take. */
const PATIENCE_MS = 30_000;

const guarded = new Set<Int32Array>();

/** Runs when the process exits: nothing new enters the engine, and what is in it is waited for. */
function waitForEngines(): void {
  for (const flags of guarded) Atomics.store(flags, STOP, 1);
  for (const flags of guarded) Atomics.wait(flags, BUSY, 1, PATIENCE_MS);
}

/** Flags for one worker, to be given to it; the process waits for that worker on exit until they are released. */
export function guardExit(): Int32Array<SharedArrayBuffer> {
  const flags = new Int32Array(new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT));
  if (guarded.size === 0) process.on("exit", waitForEngines);
  guarded.add(flags);
  return flags;
}

/** The worker of these flags has ended. */
export function releaseExit(flags: Int32Array<SharedArrayBuffer>): void {
  guarded.delete(flags);
  if (guarded.size === 0) process.off("exit", waitForEngines);
}

/** In the worker: does `work` unless the process is exiting, in which case it never answers. */
export async function insideEngine<T>(
  flags: Int32Array<SharedArrayBuffer>,
  work: () => Promise<T>,
): Promise<T> {
  Atomics.store(flags, BUSY, 1);
  try {
    if (Atomics.load(flags, STOP) === 0) return await work();
  } finally {
    Atomics.store(flags, BUSY, 0);
    Atomics.notify(flags, BUSY);
  }
  return new Promise<never>(() => {});
}
