// From whatever names a picture (path, URL, bytes, stream) to its bytes, within limits of size and time.

import { open } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { HRNetError, messageOf } from "../errors.ts";

/** An encoded picture: a path, a `file:`, `http(s):` or `data:` URL, bytes, a Blob, or a Node.js or Web stream. */
export type EncodedSource = string | URL | Uint8Array | ArrayBuffer | Blob | AsyncIterable<Uint8Array>;

/** Limits on fetching an encoded picture. */
export interface FetchLimits {
  /** Largest encoded size in bytes. */
  readonly maxBytes: number;
  /** Longest wait for a picture from the network, in milliseconds. */
  readonly timeoutMs: number;
  /** Cancels a download or a stream. */
  readonly signal?: AbortSignal | undefined;
}

/** How a source is called in messages: its path or URL, or `the given …`. */
export function sourceName(source: unknown): string {
  if (source instanceof URL) return sourceName(source.href);
  if (typeof source === "string") return /^data:/i.test(source) ? "the given data: URL" : source;
  if (source instanceof Uint8Array || source instanceof ArrayBuffer) return "the given byte array";
  if (source instanceof Blob) return "the given Blob";
  return isAsyncIterable(source) ? "the given stream" : "the given pixels";
}

/**
 * All bytes of a source. Byte arrays are handed through, not copied.
 * @throws HRNetError `file-not-found`, `read-failed`, `limit-exceeded`, `aborted`, `usage`.
 */
export async function readSource(source: EncodedSource, limits: FetchLimits): Promise<Uint8Array> {
  if (source instanceof Uint8Array) return checked(source, source, limits);
  if (source instanceof ArrayBuffer) return checked(new Uint8Array(source), source, limits);
  if (source instanceof Blob) {
    if (source.size > limits.maxBytes) throw tooLarge(source, source.size, limits);
    return new Uint8Array(await source.arrayBuffer());
  }
  if (source instanceof URL) return readSource(source.href, limits);
  if (typeof source === "string") {
    const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(source)?.[1]?.toLowerCase();
    if (scheme === "file") return readPath(fileUrlPath(source), limits);
    if (scheme === "http" || scheme === "https" || scheme === "data") return readUrl(source, limits);
    if (/^[a-z][a-z0-9+.-]+:\/\//i.test(source)) {
      throw new HRNetError(
        "usage",
        `${source}: "${scheme}:" is not supported. Give a path or a file:, http:, https: or data: URL.`,
      );
    }
    return readPath(source, limits);
  }
  if (isAsyncIterable(source)) return collect(source, source, limits);
  throw new HRNetError(
    "usage",
    "A picture is given as a path, URL, Uint8Array, ArrayBuffer, Blob, stream, or { width, height, data } pixels.",
  );
}

async function readPath(path: string, limits: FetchLimits): Promise<Uint8Array> {
  try {
    const file = await open(path);
    try {
      const stat = await file.stat();
      if (stat.isDirectory()) {
        throw new HRNetError("read-failed", `${path} is a folder, expected a picture.`);
      }
      if (!stat.isFile()) return await collect(file.createReadStream({ autoClose: false }), path, limits); // a pipe
      if (stat.size > limits.maxBytes) throw tooLarge(path, stat.size, limits);
      return await file.readFile();
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof HRNetError) throw error;
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ENOTDIR") {
      throw new HRNetError("file-not-found", `${path}: no such file.`, { cause: error });
    }
    throw new HRNetError("read-failed", `${path} cannot be read: ${messageOf(error)}.`, { cause: error });
  }
}

async function readUrl(url: string, limits: FetchLimits): Promise<Uint8Array> {
  if (/^data:/i.test(url) && url.length * 0.75 > limits.maxBytes) {
    throw tooLarge(url, Math.floor(url.length * 0.75), limits);
  }
  const timeout = AbortSignal.timeout(limits.timeoutMs);
  const signal = limits.signal === undefined ? timeout : AbortSignal.any([timeout, limits.signal]);
  try {
    const response = await fetch(url, { signal });
    if (!response.ok || response.body === null) {
      await response.body?.cancel();
      throw new HRNetError(
        response.status === 404 || response.status === 410 ? "file-not-found" : "read-failed",
        `${url}: the server answered ${response.status} ${response.statusText}`.trimEnd().concat("."),
      );
    }
    const length = Number(response.headers.get("content-length") ?? 0);
    if (length > limits.maxBytes) {
      await response.body.cancel();
      throw tooLarge(url, length, limits);
    }
    return await collect(response.body, url, { ...limits, signal });
  } catch (error) {
    if (limits.signal?.aborted) throw cancelled(url, error);
    if (error instanceof HRNetError && error.code !== "aborted") throw error;
    const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : "";
    const reason = timeout.aborted
      ? `no complete answer within ${limits.timeoutMs / 1000} s (option timeoutMs)`
      : `${messageOf(error)}${cause}`;
    throw new HRNetError("read-failed", `${sourceName(url)} cannot be fetched: ${reason}.`, { cause: error });
  }
}

/** The chunks of a stream in one array; stops reading as soon as there are too many. */
async function collect(
  stream: AsyncIterable<unknown>,
  source: EncodedSource,
  limits: FetchLimits,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of stream) {
      if (limits.signal?.aborted) throw cancelled(source, limits.signal.reason);
      if (!(chunk instanceof Uint8Array)) {
        throw new HRNetError(
          "usage",
          `${sourceName(source)} yields ${typeof chunk} chunks, expected bytes. Do not set an encoding on the stream.`,
        );
      }
      size += chunk.length;
      if (size > limits.maxBytes) throw tooLarge(source, size, limits);
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof HRNetError) throw error;
    if (limits.signal?.aborted) throw cancelled(source, error);
    throw new HRNetError("read-failed", `${sourceName(source)} broke off: ${messageOf(error)}.`, {
      cause: error,
    });
  }
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size);
}

function checked(bytes: Uint8Array, source: EncodedSource, limits: FetchLimits): Uint8Array {
  if (bytes.length > limits.maxBytes) throw tooLarge(source, bytes.length, limits);
  return bytes;
}

function fileUrlPath(url: string): string {
  try {
    return fileURLToPath(url);
  } catch (error) {
    throw new HRNetError("usage", `${url} is no valid file: URL: ${messageOf(error)}.`, { cause: error });
  }
}

function tooLarge(source: EncodedSource, size: number, limits: FetchLimits): HRNetError {
  const mebibytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
  return new HRNetError(
    "limit-exceeded",
    `${sourceName(source)} has at least ${mebibytes(size)}, the limit is ${mebibytes(limits.maxBytes)} ` +
      "(option maxBytes).",
  );
}

function cancelled(source: EncodedSource, cause: unknown): HRNetError {
  return new HRNetError("aborted", `Reading ${sourceName(source)} was cancelled.`, { cause });
}

function isAsyncIterable(value: unknown): value is AsyncIterable<Uint8Array> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value;
}
