// Published checkpoints on disk: from the cache when they are there, else fetched, checked and put there.

import { createHash } from "node:crypto";
import { mkdir, readFile, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { HRNetError, messageOf } from "../errors.ts";
import { writeFileAtomic } from "../files/atomic-write.ts";
import { cachedName, cacheFolder } from "./cache-folder.ts";
import { withLock } from "./download-lock.ts";
import {
  type DownloadProgress,
  hashFile,
  removePart,
  type TransferResult,
  TransientFailure,
  transfer,
} from "./download-transfer.ts";

export type { DownloadProgress } from "./download-transfer.ts";

/** What to fetch: a row of the registry, or any address with the digest its file must have. */
export interface DownloadSource {
  /** http or https. */
  readonly url: string;
  /** The first 8 to 64 hex digits of the file's SHA-256. */
  readonly sha256Prefix: string;
}

/** How to fetch. */
export interface DownloadOptions {
  /** Default: {@link cacheFolder}. */
  readonly cacheDir?: string;
  /** Use the cache only. Default: whether `HRNET_OFFLINE` is `1`. */
  readonly offline?: boolean;
  /** Cancels; what has arrived is kept and continued next time. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: DownloadProgress) => void;
  /** Another fetch, for instance one that goes through a proxy. */
  readonly fetch?: typeof fetch;
  /** Give an attempt up when no byte arrives for this long. Default 30 000. */
  readonly stallTimeoutMs?: number;
  /** Further attempts after a failure that may pass. Default 3. */
  readonly retries?: number;
  /** Wait before the first of them; doubles each time. Default 1000. */
  readonly retryDelayMs?: number;
  /** Refuse larger files. Default 2 GiB, six times the largest published checkpoint. */
  readonly maxBytes?: number;
}

/** A checkpoint that is on disk and has the right digest. */
export interface DownloadedCheckpoint {
  readonly path: string;
  /** 64 hex digits. */
  readonly sha256: string;
  readonly bytes: number;
  readonly fromCache: boolean;
}

/** The longest wait that a server's Retry-After may ask of us. */
const MAX_RETRY_AFTER_MS = 30_000;

/** Written beside a checked file: as long as size and time stay, it need not be hashed again. */
const stamp = z.object({
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  size: z.number().int().nonnegative(),
  mtimeMs: z.number(),
});

/**
 * The checkpoint's file, fetched unless the cache has it. Safe to call from several processes at once.
 * @throws HRNetError `download-failed` (network, status, digest, offline), `usage` (a source that is no address and
 * digest), `limit-exceeded`, `write-failed`, `aborted`.
 */
export async function downloadCheckpoint(
  source: DownloadSource,
  options: DownloadOptions = {},
): Promise<DownloadedCheckpoint> {
  const { url, sha256Prefix } = checkedSource(source);
  const folder = options.cacheDir ?? cacheFolder();
  const path = join(folder, cachedName(url, sha256Prefix));
  const offline = options.offline ?? process.env["HRNET_OFFLINE"] === "1";
  const place = `Fetch ${url.href} by other means and put it at ${path} (its SHA-256 begins with ${sha256Prefix}).`;
  if (options.signal?.aborted) throw new HRNetError("aborted", `The download of ${url.href} was cancelled.`);

  const cached = await inspect(path);
  if (cached?.sha256.startsWith(sha256Prefix)) return { path, ...cached, fromCache: true };
  if (offline) {
    const found =
      cached === undefined
        ? `${path} does not exist`
        : `${path} is another file (its SHA-256 is ${cached.sha256}, expected ${sha256Prefix}…)`;
    throw new HRNetError("download-failed", `Offline, and ${found}. ${place}`);
  }

  await makeFolder(folder);
  return await withLock(`${path}.lock`, options.signal, async (stillOurs) => {
    // Another process may have fetched it while we waited.
    const meanwhile = await inspect(path);
    if (meanwhile?.sha256.startsWith(sha256Prefix)) return { path, ...meanwhile, fromCache: true };
    const part = `${path}.part`;
    const result = await fetchWithRetries(url, part, sha256Prefix, options, `${place}${proxyNote()}`);
    if (!(await stillOurs())) {
      throw new HRNetError(
        "download-failed",
        `Another process took over the download of ${url.href} while this one slept. Run again.`,
      );
    }
    await keep(part, path);
    await writeStamp(path, result.sha256);
    return { path, sha256: result.sha256, bytes: result.bytes, fromCache: false };
  });
}

function checkedSource(source: DownloadSource): { url: URL; sha256Prefix: string } {
  const url = URL.canParse(source.url) ? new URL(source.url) : null;
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) {
    throw new HRNetError("usage", `"${source.url.slice(0, 200)}" is no http or https address.`);
  }
  const sha256Prefix = source.sha256Prefix.toLowerCase();
  if (!/^[0-9a-f]{8,64}$/.test(sha256Prefix)) {
    throw new HRNetError(
      "usage",
      `"${source.sha256Prefix.slice(0, 80)}" is no SHA-256: give its first 8 to 64 hexadecimal digits.`,
    );
  }
  return { url, sha256Prefix };
}

async function fetchWithRetries(
  url: URL,
  part: string,
  sha256Prefix: string,
  options: DownloadOptions,
  advice: string,
): Promise<TransferResult> {
  const { retries = 3, retryDelayMs = 1000, signal } = options;
  const request = {
    url,
    part,
    fetch: options.fetch ?? fetch,
    stallTimeoutMs: options.stallTimeoutMs ?? 30_000,
    maxBytes: options.maxBytes ?? 2 ** 31,
    signal,
    onProgress: options.onProgress,
  };
  for (let attempt = 0; ; attempt++) {
    try {
      const result = await transfer(request);
      if (result.sha256.startsWith(sha256Prefix)) return result;
      await removePart(part);
      const difference = `its SHA-256 is ${result.sha256}, expected ${sha256Prefix}…`;
      // The beginning came from an earlier run and may be what is wrong: once more from the first byte.
      if (result.resumed) throw new TransientFailure(`the continued file was wrong (${difference})`);
      throw new HRNetError(
        "download-failed",
        `${url.href} arrived as another file: ${difference}. It was deleted.`,
      );
    } catch (error) {
      if (error instanceof HRNetError && error.code === "download-failed") {
        throw new HRNetError("download-failed", `${error.message} ${advice}`, { cause: error });
      }
      if (!(error instanceof TransientFailure)) throw error;
      if (attempt >= retries) {
        const tries = attempt === 0 ? "" : ` (${attempt + 1} attempts)`;
        throw new HRNetError("download-failed", `${url.href} failed: ${error.message}${tries}. ${advice}`, {
          cause: error,
        });
      }
      const asked = Math.min(error.retryAfterMs ?? 0, MAX_RETRY_AFTER_MS);
      await pause(Math.max(asked, retryDelayMs * 2 ** attempt), url, signal);
    }
  }
}

async function pause(milliseconds: number, url: URL, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(milliseconds, undefined, signal === undefined ? {} : { signal });
  } catch {
    throw new HRNetError("aborted", `The download of ${url.href} was cancelled.`);
  }
}

/** Digest and size of a file in the cache; hashed once, then remembered by its stamp. `undefined` if there is none. */
async function inspect(path: string): Promise<{ sha256: string; bytes: number } | undefined> {
  const state = await stat(path).catch(() => undefined);
  if (state === undefined || !state.isFile()) return undefined;
  const known = await readStamp(path);
  if (known?.size === state.size && known.mtimeMs === state.mtimeMs)
    return { sha256: known.sha256, bytes: state.size };
  const hash = createHash("sha256");
  try {
    await hashFile(path, hash);
  } catch (error) {
    throw new HRNetError("read-failed", `Cannot read ${path}: ${messageOf(error)}. Check its permissions.`, {
      cause: error,
    });
  }
  const sha256 = hash.digest("hex");
  await writeStamp(path, sha256);
  return { sha256, bytes: state.size };
}

async function readStamp(path: string): Promise<z.infer<typeof stamp> | undefined> {
  try {
    return stamp.parse(JSON.parse(await readFile(`${path}.stamp`, "utf8")));
  } catch {
    return undefined; // No stamp, or a damaged one: the file is hashed again.
  }
}

/** The stamp only saves time: a cache that cannot be written (a shared, read-only one) does without. */
async function writeStamp(path: string, sha256: string): Promise<void> {
  const state = await stat(path).catch(() => undefined);
  if (state === undefined) return;
  const text = JSON.stringify({ sha256, size: state.size, mtimeMs: state.mtimeMs });
  await writeFileAtomic(`${path}.stamp`, text).catch(() => {});
}

async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    throw new HRNetError(
      "write-failed",
      `Cannot make the cache folder ${folder}: ${messageOf(error)}. Set HRNET_CACHE to a writable folder.`,
      { cause: error },
    );
  }
}

async function keep(part: string, path: string): Promise<void> {
  try {
    await rename(part, path);
  } catch (error) {
    throw new HRNetError(
      "write-failed",
      `Cannot write ${path}: ${messageOf(error)}. Check its permissions.`,
      {
        cause: error,
      },
    );
  }
  await removePart(part);
}

/** Node's fetch knows no proxy before `NODE_USE_ENV_PROXY` (Node 24), so a set variable explains a dead connection. */
function proxyNote(env: Readonly<Record<string, string | undefined>> = process.env): string {
  const names = ["HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy", "ALL_PROXY", "all_proxy"];
  const set = names.find((name) => env[name]);
  if (set === undefined || env["NODE_USE_ENV_PROXY"] === "1") return "";
  return ` ${set} is set, but Node's fetch ignores it: Node 24 and later use it with NODE_USE_ENV_PROXY=1.`;
}
