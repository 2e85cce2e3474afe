// One download of a file at a time, across processes: a lock file that its owner keeps fresh.

import { randomBytes } from "node:crypto";
import { open, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { HRNetError, messageOf } from "../errors.ts";

/** How the lock waits and when it gives an owner up for dead. */
export interface LockTiming {
  /** A lock not refreshed for this long belongs to nobody. */
  readonly staleMs: number;
  /** Between two looks at somebody else's lock. */
  readonly pollMs: number;
}

/** Three missed refreshes (one each 10 s) make a lock stale. */
const DEFAULT_TIMING: LockTiming = { staleMs: 30_000, pollMs: 200 };

/**
 * Runs `work` while holding the lock file `path`; waits for another owner first.
 * A process that slept past `staleMs` may find its lock taken over: `work` asks `stillOurs` before what cannot be undone.
 * @throws HRNetError `aborted` when `signal` ends the wait, `write-failed` if the lock cannot be made.
 */
export async function withLock<T>(
  path: string,
  signal: AbortSignal | undefined,
  work: (stillOurs: () => Promise<boolean>) => Promise<T>,
  timing: LockTiming = DEFAULT_TIMING,
): Promise<T> {
  const token = `${process.pid} ${randomBytes(8).toString("hex")}\n`;
  const stillOurs = async () => (await contents(path)) === token;
  while (!(await take(path, token))) {
    if (signal?.aborted) throw new HRNetError("aborted", `Cancelled while waiting for ${path}.`);
    await removeIfStale(path, timing.staleMs);
    await sleep(timing.pollMs, undefined, signal === undefined ? {} : { signal }).catch(() => {});
  }
  const refresh = setInterval(() => {
    const now = new Date();
    utimes(path, now, now).catch(() => {});
  }, timing.staleMs / 3);
  refresh.unref();
  try {
    return await work(stillOurs);
  } finally {
    clearInterval(refresh);
    if (await stillOurs()) await rm(path, { force: true }).catch(() => {});
  }
}

/** Whether the lock was free and is now ours. */
async function take(path: string, token: string): Promise<boolean> {
  try {
    const file = await open(path, "wx");
    try {
      await file.writeFile(token);
    } finally {
      await file.close();
    }
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw new HRNetError(
      "write-failed",
      `Cannot write ${path}: ${messageOf(error)}. Choose a writable cache folder.`,
      {
        cause: error,
      },
    );
  }
}

async function removeIfStale(path: string, staleMs: number): Promise<void> {
  const before = await contents(path);
  const state = await stat(path).catch(() => undefined);
  if (before === undefined || state === undefined || Date.now() - state.mtimeMs < staleMs) return;
  // Renaming decides between several waiters: only one of them moves the old lock away.
  const aside = `${path}.${randomBytes(4).toString("hex")}`;
  try {
    await rename(path, aside);
  } catch {
    return;
  }
  const moved = await contents(aside);
  // Somebody replaced the lock between the look and the move: give it back unless it is taken again by now.
  if (moved !== undefined && moved !== before) await writeFile(path, moved, { flag: "wx" }).catch(() => {});
  await rm(aside, { force: true }).catch(() => {});
}

async function contents(path: string): Promise<string | undefined> {
  return await readFile(path, "utf8").catch(() => undefined);
}
