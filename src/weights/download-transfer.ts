// One attempt to fetch a file over HTTP: redirects, resuming a part, stall and length checks, hashing on the way.

import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, readFile, rm, stat, writeFile } from "node:fs/promises";
import { z } from "zod";
import { HRNetError, messageOf } from "../errors.ts";

/** What arrived so far. */
export interface DownloadProgress {
  /** Bytes on disk, with those of an earlier, resumed attempt. */
  readonly received: number;
  /** Whole size in bytes, `undefined` if the server does not say. */
  readonly total: number | undefined;
  /** Average of this attempt. */
  readonly bytesPerSecond: number;
}

/** What one attempt needs. */
export interface TransferRequest {
  readonly url: URL;
  /** The part file; what it already holds is continued when the server agrees that it is the same file. */
  readonly part: string;
  readonly fetch: typeof fetch;
  readonly stallTimeoutMs: number;
  readonly maxBytes: number;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: ((progress: DownloadProgress) => void) | undefined;
}

/** A part file that is complete. */
export interface TransferResult {
  /** 64 hex digits, over the whole file. */
  readonly sha256: string;
  readonly bytes: number;
  /** Whether its beginning came from an earlier attempt. */
  readonly resumed: boolean;
}

/** A failure that another attempt may not meet. */
export class TransientFailure extends Error {
  /** What the server's Retry-After asks for, in milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, options: { cause?: unknown; retryAfterMs?: number | undefined } = {}) {
    super(message, { cause: options.cause });
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** Enough for a mirror behind a content network; more is a loop. */
const MAX_REDIRECTS = 5;

/** Statuses of a server that may recover (RFC 9110 §15.5.9, §15.6; RFC 6585 §4). */
const TRANSIENT_STATUSES: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);

/** Network errors that waiting a few seconds does not mend: an unknown host, an untrusted certificate. */
const LASTING_ERRORS: ReadonlySet<string> = new Set([
  "ENOTFOUND",
  "CERT_HAS_EXPIRED",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "ERR_TLS_CERT_ALTNAME_INVALID",
]);

/** What is remembered beside a part: which version of the file it is the beginning of. */
const partNote = z.object({ url: z.string(), validator: z.string().min(1) });

/** Where the note of a part file lies. */
export function partNotePath(part: string): string {
  return `${part}.json`;
}

/** Removes a part and its note. */
export async function removePart(part: string): Promise<void> {
  await rm(part, { force: true });
  await rm(partNotePath(part), { force: true });
}

/**
 * Fetches `request.url` into `request.part`. After a {@link TransientFailure} or an abort the part stays, to be
 * continued by the next attempt.
 * @throws TransientFailure; HRNetError `download-failed`, `limit-exceeded`, `write-failed` or `aborted`.
 */
export async function transfer(request: TransferRequest): Promise<TransferResult> {
  const connection = watch(request);
  try {
    const start = await resumePoint(request);
    const response = await follow(request, connection, start);
    if (response.status === 416 && start !== undefined) {
      // The part is as long as the file or longer: it is of another version.
      await removePart(request.part);
      throw new TransientFailure("the server refused to continue the earlier part");
    }
    const offset = await acceptedOffset(request, response, start);
    return await receive(request, connection, response, offset);
  } finally {
    connection.close();
  }
}

/** Runs network calls under the stall timer and names what ended them. */
interface Connection {
  readonly signal: AbortSignal;
  run<T>(call: () => Promise<T>): Promise<T>;
  close(): void;
}

function watch({ signal, stallTimeoutMs, url }: TransferRequest): Connection {
  const controller = new AbortController();
  const cancel = () => controller.abort();
  if (signal?.aborted) controller.abort();
  signal?.addEventListener("abort", cancel, { once: true });
  return {
    signal: controller.signal,
    async run(call) {
      let stalled = false;
      const timer = setTimeout(() => {
        stalled = true;
        controller.abort();
      }, stallTimeoutMs);
      try {
        return await call();
      } catch (error) {
        if (signal?.aborted) throw new HRNetError("aborted", `The download of ${url.href} was cancelled.`);
        if (stalled) throw new TransientFailure(`the server sent nothing for ${stallTimeoutMs / 1000} s`);
        throw networkFailure(url, error);
      } finally {
        clearTimeout(timer);
      }
    },
    close() {
      signal?.removeEventListener("abort", cancel);
      controller.abort();
    },
  };
}

function networkFailure(url: URL, error: unknown): Error {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = (cause as NodeJS.ErrnoException | undefined)?.code ?? "";
  const reason = messageOf(cause) || code || "connection failed";
  if (LASTING_ERRORS.has(code)) {
    return new HRNetError("download-failed", `Cannot reach ${url.host}: ${reason}.`, { cause: error });
  }
  return new TransientFailure(`the connection broke (${reason})`, { cause: error });
}

/** Bytes of the part that may be continued and the version they belong to. */
interface ResumePoint {
  readonly offset: number;
  readonly validator: string;
}

async function resumePoint({ url, part }: TransferRequest): Promise<ResumePoint | undefined> {
  const size = (await stat(part).catch(() => undefined))?.size ?? 0;
  if (size === 0) return undefined;
  try {
    const note = partNote.parse(JSON.parse(await readFile(partNotePath(part), "utf8")));
    return note.url === url.href ? { offset: size, validator: note.validator } : undefined;
  } catch {
    return undefined; // Without a readable note nothing says which version the part is of: start afresh.
  }
}

async function follow(
  request: TransferRequest,
  connection: Connection,
  start: ResumePoint | undefined,
): Promise<Response> {
  // Compressed answers would make lengths and ranges mean something else.
  const headers: Record<string, string> = { "accept-encoding": "identity" };
  if (start !== undefined) {
    headers["range"] = `bytes=${start.offset}-`;
    headers["if-range"] = start.validator;
  }
  let url = request.url;
  for (let redirects = 0; ; redirects++) {
    const target = url;
    const response = await connection.run(() =>
      request.fetch(target, { headers, redirect: "manual", signal: connection.signal }),
    );
    if (response.status < 300 || response.status > 399 || response.status === 304) return response;
    await response.body?.cancel();
    if (redirects === MAX_REDIRECTS) {
      throw new HRNetError(
        "download-failed",
        `${request.url.href} was redirected more than ${MAX_REDIRECTS} times. The address goes in circles; check it.`,
      );
    }
    url = redirectTarget(url, response.headers.get("location"));
  }
}

/**
 * Where a redirect from `from` leads: any http(s) address, but never from https down to http.
 * @throws HRNetError `download-failed`.
 */
export function redirectTarget(from: URL, location: string | null): URL {
  const to = location !== null && URL.canParse(location, from.href) ? new URL(location, from) : null;
  if (to === null) {
    throw new HRNetError(
      "download-failed",
      `${from.href} redirects to no valid address ("${location ?? ""}").`,
    );
  }
  const allowed = to.protocol === "https:" || (to.protocol === "http:" && from.protocol === "http:");
  if (!allowed) {
    throw new HRNetError(
      "download-failed",
      `${from.href} redirects to ${to.href}: leaving https for ${to.protocol.slice(0, -1)} is refused.`,
    );
  }
  return to;
}

/** Checks status and headers; the number of bytes of the part that stay. */
async function acceptedOffset(
  request: TransferRequest,
  response: Response,
  start: ResumePoint | undefined,
): Promise<number> {
  const { href } = request.url;
  const status = `${response.status} ${response.statusText}`.trim();
  if (TRANSIENT_STATUSES.has(response.status)) {
    throw new TransientFailure(`the server answered ${status}`, { retryAfterMs: retryAfter(response) });
  }
  if (response.status !== 200 && response.status !== 206) {
    throw new HRNetError("download-failed", `${href} cannot be fetched: the server answered ${status}.`);
  }
  if (/^\s*(text\/html|application\/xhtml)/i.test(response.headers.get("content-type") ?? "")) {
    throw webPage(href);
  }
  if (response.status === 200) return 0;
  const range = contentRange(response);
  if (start === undefined || range?.first !== start.offset) {
    await removePart(request.part);
    throw new TransientFailure("the server sent another range than was asked for");
  }
  return start.offset;
}

async function receive(
  request: TransferRequest,
  connection: Connection,
  response: Response,
  offset: number,
): Promise<TransferResult> {
  const total = wholeSize(response, offset);
  checkLimit(request, total ?? 0);
  const hash = createHash("sha256");
  if (offset > 0) await hashFile(request.part, hash);
  if (response.body === null) throw new TransientFailure("the server sent no body");
  const reader = response.body.getReader();
  const file = await onDisk(request.part, () => open(request.part, offset > 0 ? "a" : "w"));
  const started = performance.now();
  let received = offset;
  try {
    if (offset === 0) await notePart(request, response);
    for (;;) {
      const { done, value } = await connection.run(() => reader.read());
      if (done) break;
      if (received === 0 && looksLikeHtml(value)) throw webPage(request.url.href);
      received += value.byteLength;
      checkLimit(request, received);
      if (total !== undefined && received > total) {
        throw new HRNetError(
          "download-failed",
          `${request.url.href} sent more than the ${total} bytes it announced.`,
        );
      }
      await onDisk(request.part, () => file.writeFile(value));
      hash.update(value);
      const seconds = Math.max((performance.now() - started) / 1000, 1e-3);
      request.onProgress?.({ received, total, bytesPerSecond: (received - offset) / seconds });
    }
    if (total !== undefined && received !== total) {
      throw new TransientFailure(`the file was cut off: ${received} of ${total} bytes arrived`);
    }
    await onDisk(request.part, () => file.sync());
    return { sha256: hash.digest("hex"), bytes: received, resumed: offset > 0 };
  } catch (error) {
    if (
      error instanceof HRNetError &&
      (error.code === "download-failed" || error.code === "limit-exceeded")
    ) {
      await removePart(request.part);
    }
    throw error instanceof TransientFailure && total !== undefined && received < total
      ? new TransientFailure(`${error.message}; ${received} of ${total} bytes had arrived`, { cause: error })
      : error;
  } finally {
    await file.close();
  }
}

/** Whole size by Content-Range or Content-Length; unknown for a compressed or chunked body. */
function wholeSize(response: Response, offset: number): number | undefined {
  if (response.status === 206) return contentRange(response)?.total;
  if ((response.headers.get("content-encoding") ?? "identity") !== "identity") return undefined;
  const length = response.headers.get("content-length");
  return length !== null && /^\d+$/.test(length) ? offset + Number(length) : undefined;
}

/** `bytes first-last/total` (RFC 9110 §14.4). */
function contentRange(response: Response): { first: number; total: number | undefined } | undefined {
  const match = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get("content-range") ?? "");
  if (match === null) return undefined;
  return { first: Number(match[1]), total: match[2] === "*" ? undefined : Number(match[2]) };
}

function checkLimit({ url, maxBytes }: TransferRequest, bytes: number): void {
  if (bytes <= maxBytes) return;
  throw new HRNetError(
    "limit-exceeded",
    `${url.href} is larger than the limit of ${maxBytes} bytes. Raise maxBytes.`,
  );
}

/** Notes the version of the file, so that the part may be continued; If-Range takes no weak tags (RFC 9110 §13.1.5). */
async function notePart({ part, url }: TransferRequest, response: Response): Promise<void> {
  const tag = response.headers.get("etag");
  const validator = tag?.startsWith('"') ? tag : response.headers.get("last-modified");
  await onDisk(part, () =>
    validator === null || validator === undefined
      ? rm(partNotePath(part), { force: true })
      : writeFile(partNotePath(part), JSON.stringify({ url: url.href, validator })),
  );
}

async function onDisk<T>(path: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const remedy =
      code === "ENOSPC" || code === "EDQUOT"
        ? "The disk is full: make room and run again, the download continues where it stopped"
        : "Choose a writable cache folder (HRNET_CACHE)";
    throw new HRNetError("write-failed", `Cannot write ${path}: ${messageOf(error)}. ${remedy}.`, {
      cause: error,
    });
  }
}

/** Feeds a file to `hash`. */
export async function hashFile(path: string, hash: Hash): Promise<void> {
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
}

function looksLikeHtml(bytes: Uint8Array): boolean {
  return /^\s*(<!doctype html|<html)/i.test(Buffer.from(bytes.subarray(0, 64)).toString("latin1"));
}

function webPage(href: string): HRNetError {
  return new HRNetError(
    "download-failed",
    `${href} answered with a web page instead of a checkpoint: a login, a consent form or an error page. ` +
      "Open the address in a browser.",
  );
}

function retryAfter(response: Response): number | undefined {
  const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : undefined;
}
