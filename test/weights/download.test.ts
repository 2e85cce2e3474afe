// Downloads against a local server that misbehaves in every way a network does.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { mkdir } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { HRNetError } from "../../src/errors.ts";
import { cachedName, cacheFolder } from "../../src/weights/cache-folder.ts";
import {
  type DownloadOptions,
  type DownloadProgress,
  downloadCheckpoint,
} from "../../src/weights/download.ts";
import { redirectTarget } from "../../src/weights/download-transfer.ts";

const BODY = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 2654435761) >>> 24));
const HALF = 150_000;
const SHA256 = createHash("sha256").update(BODY).digest("hex");
const PREFIX = SHA256.slice(0, 8);
const FILE = `net-${PREFIX}.pth`;

type Answer = (request: IncomingMessage, response: ServerResponse, hit: number) => void;

let server: Server;
let base: string;
let cacheDir: string;
let answer: Answer;
let requests: IncomingMessage[];

beforeEach(async () => {
  requests = [];
  cacheDir = mkdtempSync(join(tmpdir(), "hrnet-download-"));
  server = createServer((request, response) => {
    requests.push(request);
    answer(request, response, requests.length);
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  vi.unstubAllEnvs();
  server.closeAllConnections();
  await new Promise((closed) => server.close(closed));
  rmSync(cacheDir, { recursive: true });
});

/** Sends everything, honouring Range and If-Range. */
function whole(etag: string | undefined, body = BODY): Answer {
  return (request, response) => {
    if (etag !== undefined) response.setHeader("etag", etag);
    const first = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
    if (first > 0 && request.headers["if-range"] === etag) {
      response.writeHead(206, {
        "content-length": body.length - first,
        "content-range": `bytes ${first}-${body.length - 1}/${body.length}`,
      });
      response.end(body.subarray(first));
    } else {
      response.writeHead(200, { "content-length": body.length }).end(body);
    }
  };
}

/** Announces everything, sends half of `body` and cuts the line. */
function half(etag?: string, body = BODY): Answer {
  return (_request, response) => {
    if (etag !== undefined) response.setHeader("etag", etag);
    response.writeHead(200, { "content-length": body.length });
    response.write(body.subarray(0, HALF), () => setTimeout(() => response.destroy(), 30));
  };
}

/** One answer per request, the last one for all further. */
function inTurn(...answers: Answer[]): Answer {
  return (request, response, hit) => answers[Math.min(hit, answers.length) - 1]!(request, response, hit);
}

const status =
  (code: number, headers: Record<string, string> = {}): Answer =>
  (_request, response) =>
    response.writeHead(code, headers).end("no");

function get(options: DownloadOptions = {}, sha256Prefix = PREFIX, path = `/a/${FILE}`) {
  const quick = { cacheDir, retryDelayMs: 5, stallTimeoutMs: 2000, offline: false };
  return downloadCheckpoint({ url: base + path, sha256Prefix }, { ...quick, ...options });
}

async function failure(call: Promise<unknown>): Promise<HRNetError> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(HRNetError);
  return error as HRNetError;
}

function expectWhole({ path, sha256, bytes }: { path: string; sha256: string; bytes: number }) {
  expect(readFileSync(path).equals(BODY)).toBe(true);
  expect({ sha256, bytes }).toEqual({ sha256: SHA256, bytes: BODY.length });
  expect(readdirSync(cacheDir).sort()).toEqual([FILE, `${FILE}.stamp`]);
}

describe("a good server", () => {
  test("the file arrives, with progress, and comes from the cache afterwards", async () => {
    answer = whole('"a"');
    const seen: DownloadProgress[] = [];
    const first = await get({ onProgress: (progress) => seen.push(progress) });
    expectWhole(first);
    expect(first.fromCache).toBe(false);
    expect(seen.at(-1)).toMatchObject({ received: BODY.length, total: BODY.length });
    expect(seen.every(({ bytesPerSecond }) => bytesPerSecond > 0)).toBe(true);

    expect(await get()).toEqual({ ...first, fromCache: true });
    expect(await get({ offline: true })).toEqual({ ...first, fromCache: true });
    expect(requests).toHaveLength(1);
  });

  test("a length that is not announced is fine", async () => {
    answer = (_request, response) => {
      response.write(BODY.subarray(0, HALF));
      response.end(BODY.subarray(HALF));
    };
    const totals = new Set<number | undefined>();
    expectWhole(await get({ onProgress: ({ total }) => totals.add(total) }));
    expect([...totals]).toEqual([undefined]);
  });

  test("two calls and two processes at once fetch it once", async () => {
    answer = (request, response, hit) => setTimeout(() => whole('"a"')(request, response, hit), 300);
    const module = new URL("../../src/weights/download.ts", import.meta.url).href;
    const source = JSON.stringify({ url: `${base}/a/${FILE}`, sha256Prefix: PREFIX });
    const script = `const { downloadCheckpoint } = await import(${JSON.stringify(module)});
      console.log((await downloadCheckpoint(${source}, { cacheDir: ${JSON.stringify(cacheDir)} })).sha256);`;
    const other = () =>
      promisify(execFile)(process.execPath, ["--import", "tsx", "--input-type=module", "-e", script]);
    const [first, second, ...others] = await Promise.all([get(), get(), other(), other()]);
    expect([first, second].filter(({ fromCache }) => !fromCache).length).toBeLessThanOrEqual(1);
    expect(others.map(({ stdout }) => stdout.trim())).toEqual([SHA256, SHA256]);
    expect(requests).toHaveLength(1);
    expectWhole(first);
  });

  test("the lock of a dead process is taken over", async () => {
    answer = whole('"a"');
    const lock = join(cacheDir, `${FILE}.lock`);
    writeFileSync(lock, "1 dead\n");
    utimesSync(lock, new Date(Date.now() - 60_000), new Date(Date.now() - 60_000));
    expectWhole(await get());
  });
});

describe("interrupted transfers", () => {
  test("a cut line is continued where it stopped", async () => {
    answer = inTurn(half('"a"'), whole('"a"'));
    expectWhole(await get());
    expect(requests.map(({ headers }) => [headers.range, headers["if-range"]])).toEqual([
      [undefined, undefined],
      [`bytes=${HALF}-`, '"a"'],
    ]);
  });

  test("the part of an earlier run is continued", async () => {
    answer = half('"a"');
    const error = await failure(get({ retries: 0 }));
    expect(error.message).toContain(`${HALF} of ${BODY.length} bytes`);
    answer = whole('"a"');
    const received: number[] = [];
    expectWhole(await get({ onProgress: (progress) => received.push(progress.received) }));
    expect(received[0]).toBeGreaterThan(HALF);
  });

  test.each<[string, Answer, Answer, number]>([
    ["a server that ignores Range", half('"a"'), (_, response) => void response.end(BODY), 2],
    ["another version since (ETag)", half('"old"', Buffer.alloc(BODY.length, 7)), whole('"new"'), 2],
    ["a server without ETag", half(), whole(undefined), 2],
    ["a weak ETag", half('W/"a"'), whole('W/"a"'), 2],
    ["416", half('"a"'), inTurn(half('"a"'), status(416), whole('"a"')), 3],
    [
      "a wrong range",
      half('"a"'),
      inTurn(half('"a"'), status(206, { "content-range": "bytes 5-9/10" }), whole('"a"')),
      3,
    ],
    ["one ETag for two contents", half('"a"', Buffer.alloc(BODY.length, 7)), whole('"a"'), 3],
  ])("%s: from the first byte", async (_name, first, second, hits) => {
    answer = inTurn(first, second);
    expectWhole(await get());
    expect(requests).toHaveLength(hits);
  });

  test("a continuation that ends early is itself continued", async () => {
    answer = inTurn(
      half('"a"'),
      (_request, response) => {
        const range = `bytes ${HALF}-${BODY.length - 1}/${BODY.length}`;
        response.writeHead(206, { "content-range": range }).end(BODY.subarray(HALF, HALF + 10));
      },
      whole('"a"'),
    );
    expectWhole(await get());
    expect(requests[2]!.headers.range).toBe(`bytes=${HALF + 10}-`);
  });

  test("cancelling keeps the part for the next run", async () => {
    const controller = new AbortController();
    answer = (_request, response) => {
      response.writeHead(200, { "content-length": BODY.length, etag: '"a"' });
      response.write(BODY.subarray(0, HALF));
    };
    const error = await failure(
      get({
        signal: controller.signal,
        onProgress: ({ received }) => received === HALF && controller.abort(),
      }),
    );
    expect(error.code).toBe("aborted");
    answer = whole('"a"');
    expectWhole(await get());
    expect(requests[1]!.headers.range).toBe(`bytes=${HALF}-`);
  });
});

describe("failures", () => {
  test.each<[string, Answer, string, number]>([
    ["404", status(404), "answered 404 Not Found", 1],
    ["500", status(500), "answered 500 Internal Server Error (3 attempts)", 3],
    ["a login page", status(200, { "content-type": "text/html; charset=utf-8" }), "web page", 1],
    ["a page that calls itself data", (_, r) => void r.end("\n<!DOCTYPE HTML><title>Sign in"), "web page", 1],
    ["a cut line", half(), `${HALF} of ${BODY.length} bytes had arrived (3 attempts)`, 3],
    ["a redirect to nowhere", status(302), "no valid address", 1],
    ["a redirect to a file", status(302, { location: "file:///etc/passwd" }), "refused", 1],
    ["a redirect in circles", status(301, { location: `/a/${FILE}` }), "more than 5 times", 6],
    ["other bytes", whole('"a"', Buffer.alloc(1000)), `expected ${PREFIX}…. It was deleted`, 1],
    [
      "a length too short",
      (_, r) => void r.writeHead(200, { "content-length": HALF }).end(BODY),
      `expected ${PREFIX}`,
      1,
    ],
    ["silence before the headers", () => {}, "sent nothing for 0.15 s", 3],
  ])("%s", async (_name, misbehave, message, hits) => {
    answer = misbehave;
    const error = await failure(get({ retries: 2, stallTimeoutMs: 150 }));
    expect(error.code).toBe("download-failed");
    expect(error.message).toContain(message);
    expect(error.message).toContain(`put it at ${join(cacheDir, FILE)}`);
    expect(requests).toHaveLength(hits);
    expect(readdirSync(cacheDir)).not.toContain(FILE);
    expect(readdirSync(cacheDir)).not.toContain(`${FILE}.lock`);
  });

  test("a wrong digest names both and leaves nothing", async () => {
    const other = Buffer.alloc(1000);
    answer = whole('"a"', other);
    const error = await failure(get());
    expect(error.message).toContain(createHash("sha256").update(other).digest("hex"));
    expect(readdirSync(cacheDir)).toEqual([]);
  });

  test("a length too long is a cut file", async () => {
    answer = (_request, response) => {
      response.writeHead(200, { "content-length": BODY.length + 5 });
      response.write(BODY, () => setTimeout(() => response.destroy(), 30));
    };
    const error = await failure(get({ retries: 0 }));
    expect(error.message).toContain(`${BODY.length} of ${BODY.length + 5} bytes`);
  });

  test("more bytes than Content-Range announces", async () => {
    answer = inTurn(half('"a"'), (_request, response) => {
      response.writeHead(206, { "content-range": `bytes ${HALF}-${HALF + 9}/${HALF + 10}` });
      response.end(BODY.subarray(HALF));
    });
    expect((await failure(get())).message).toContain(`more than the ${HALF + 10} bytes`);
    expect(readdirSync(cacheDir)).toEqual([]);
  });

  test("a stall in the middle is noticed and mended", async () => {
    answer = inTurn((_request, response) => {
      response.writeHead(200, { "content-length": BODY.length, etag: '"a"' });
      response.write(BODY.subarray(0, HALF));
    }, whole('"a"'));
    expectWhole(await get({ stallTimeoutMs: 150 }));
    expect(requests).toHaveLength(2);
  });

  test("503, then the file; Retry-After is kept", async () => {
    answer = inTurn(status(503, { "retry-after": "0.2" }), whole('"a"'));
    const started = performance.now();
    expectWhole(await get());
    expect(performance.now() - started).toBeGreaterThan(190);
  });

  test("a file over the limit, announced or not", async () => {
    for (const headers of [{ "content-length": BODY.length }, {}]) {
      answer = (_request, response) => void response.writeHead(200, headers).end(BODY);
      expect((await failure(get({ maxBytes: HALF }))).code).toBe("limit-exceeded");
      expect(readdirSync(cacheDir)).toEqual([]);
    }
  });

  test("nobody listens; a proxy variable that fetch ignores is named", async () => {
    vi.stubEnv("HTTPS_PROXY", "http://proxy.example:3128");
    const url = `${base}/${FILE}`;
    await new Promise((closed) => server.close(closed));
    const error = await failure(
      downloadCheckpoint({ url, sha256Prefix: PREFIX }, { cacheDir, retries: 1, retryDelayMs: 5 }),
    );
    expect(error.code).toBe("download-failed");
    expect(error.message).toContain("ECONNREFUSED");
    expect(error.message).toContain("(2 attempts)");
    expect(error.message).toContain("HTTPS_PROXY is set, but Node's fetch ignores it");
  });

  test.skipIf(!existsSync("/dev/full"))("a full disk", async () => {
    answer = whole('"a"');
    symlinkSync("/dev/full", join(cacheDir, `${FILE}.part`));
    const error = await failure(get());
    expect(error.code).toBe("write-failed");
    expect(error.message).toContain("The disk is full: make room and run again");
    expect(requests).toHaveLength(1);
  });

  test("a cache folder that is a file", async () => {
    const file = join(cacheDir, "file");
    writeFileSync(file, "");
    expect((await failure(get({ cacheDir: file }))).code).toBe("write-failed");
    await mkdir(join(cacheDir, `${FILE}.part`));
    answer = whole('"a"');
    const error = await failure(get());
    expect(error.code).toBe("write-failed");
    expect(error.message).toContain(`${FILE}.part`);
  });

  test.each([
    ["ftp://example.org/a.pth", PREFIX],
    ["nonsense", PREFIX],
    ["https://example.org/", PREFIX],
    ["https://example.org/a.pth", "1234"],
    ["https://example.org/a.pth", "zzzzzzzz"],
  ])("%s with %s is wrong usage", async (url, sha256Prefix) => {
    expect((await failure(downloadCheckpoint({ url, sha256Prefix }, { cacheDir }))).code).toBe("usage");
  });
});

describe("redirects", () => {
  test("to another path", async () => {
    answer = (request, response, hit) =>
      request.url === "/moved"
        ? whole('"a"')(request, response, hit)
        : status(302, { location: "/moved" })(request, response, hit);
    expectWhole(await get());
  });

  test("up to https, never down", () => {
    const http = new URL("http://a.example/x");
    const https = new URL("https://a.example/x");
    expect(redirectTarget(http, "https://b.example/y").href).toBe("https://b.example/y");
    expect(redirectTarget(https, "y").href).toBe("https://a.example/y");
    expect(() => redirectTarget(https, "http://a.example/x")).toThrow("leaving https for http is refused");
  });
});

describe("the cache", () => {
  test("offline without the file says what to put where", async () => {
    for (const offline of [true, undefined]) {
      vi.stubEnv("HRNET_OFFLINE", "1");
      const call = downloadCheckpoint(
        { url: `${base}/a/${FILE}`, sha256Prefix: PREFIX },
        offline === undefined ? { cacheDir } : { cacheDir, offline },
      );
      const error = await failure(call);
      expect(error.code).toBe("download-failed");
      for (const part of [`${base}/a/${FILE}`, join(cacheDir, FILE), PREFIX])
        expect(error.message).toContain(part);
    }
    expect(requests).toHaveLength(0);
  });

  test("a file put there by hand is checked and used", async () => {
    writeFileSync(join(cacheDir, FILE), BODY);
    const found = await get({ offline: true });
    expect(found.fromCache).toBe(true);
    expectWhole(found);
  });

  test("a wrong file is named offline and left alone, replaced online; a change after the check is seen", async () => {
    const path = join(cacheDir, FILE);
    writeFileSync(path, "wrong");
    const error = await failure(get({ offline: true }));
    expect(error.message).toContain(createHash("sha256").update("wrong").digest("hex"));
    expect(readFileSync(path, "utf8")).toBe("wrong");
    answer = whole('"a"');
    expectWhole(await get());
    const { mtimeMs } = statSync(path);
    writeFileSync(path, Buffer.alloc(BODY.length));
    utimesSync(path, new Date(mtimeMs + 2000), new Date(mtimeMs + 2000));
    expectWhole(await get());
    expect(requests).toHaveLength(2);
  });

  test.each([
    [{ HRNET_CACHE: "/c", XDG_CACHE_HOME: "/x" }, "linux", "/c"],
    [{ XDG_CACHE_HOME: "/x" }, "linux", "/x/hrnet-ts"],
    [{ XDG_CACHE_HOME: "relative" }, "linux", "/home/u/.cache/hrnet-ts"],
    [{}, "linux", "/home/u/.cache/hrnet-ts"],
    [{}, "darwin", "/home/u/Library/Caches/hrnet-ts"],
    [{ LOCALAPPDATA: "/local" }, "win32", "/local/hrnet-ts"],
  ] as const)("%j on %s lies at %s", (env, platform, folder) => {
    expect(cacheFolder({ env, platform, home: "/home/u" })).toBe(folder);
  });

  test.each([
    [`https://a.example/b/${FILE}?x=1`, FILE],
    ["https://a.example/b/model.pth", `model-${PREFIX}.pth`],
    ["https://a.example/b/..%2f..%2fetc.pth", `_2f.._2fetc-${PREFIX}.pth`],
  ])("%s is kept as %s", (url, name) => expect(cachedName(new URL(url), PREFIX)).toBe(name));
});
