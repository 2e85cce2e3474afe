import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Worker } from "node:worker_threads";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { HRNetError } from "../../src/errors.ts";
import { DataType } from "../../src/graph/onnx-messages.ts";
import { describeDevices } from "../../src/runtime/describe-devices.ts";
import { deviceCandidates } from "../../src/runtime/devices.ts";
import { openSession } from "../../src/runtime/node.ts";
import type { Device, ModelSession } from "../../src/runtime/session.ts";
import { type DType, tensor } from "../../src/tensor/tensor.ts";
import { ADD, CONV, model, RESHAPE, SLOW, slowFeeds, UNKNOWN_OPERATOR, value } from "./models.ts";

/** The error a promise rejects with, as `code: message`. */
async function failure(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    return error instanceof HRNetError ? `${error.code}: ${error.message}` : `not an HRNetError: ${error}`;
  }
  return "nothing thrown";
}

const floats = (shape: readonly number[], ...elements: number[]) =>
  tensor("float32", shape, Float32Array.from(elements));

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "hrnet-runtime-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** Devices the suite runs on: the CPU, and every other one that really works here. */
const reports = await describeDevices();
for (const { device, usable, detail } of reports) {
  if (!usable) console.log(`skipping device ${device}: ${detail}`);
}
const devices = reports.filter(({ usable }) => usable).map(({ device }) => device);

test("the CPU is always among the devices and comes last", () => {
  expect(devices.at(-1)).toBe("cpu");
});

describe.each(devices)("on %s", (device: Device) => {
  test("what the model declares is told", async () => {
    await using session = await openSession(ADD, { device });
    expect(session.device).toBe(device);
    expect(session.metadata).toEqual({ purpose: "test" });
    expect(session.inputs).toEqual([
      { name: "a", dtype: "float32", shape: ["batch", 3] },
      { name: "b", dtype: "float32", shape: ["batch", 3] },
    ]);
    expect(session.outputs).toEqual([{ name: "y", dtype: "float32", shape: ["batch", 3] }]);
  });

  test("batches of several sizes, in the order of the calls", async () => {
    await using session = await openSession(ADD, { device });
    const sums = [1, 2, 5].map(async (batch) => {
      const a = tensor("float32", [batch, 3], new Float32Array(batch * 3).fill(batch));
      const { y } = await session.run({ a, b: a });
      return y;
    });
    expect(await Promise.all(sums)).toEqual(
      [1, 2, 5].map((n) => tensor("float32", [n, 3], new Float32Array(n * 3).fill(2 * n))),
    );
  });

  test("a convolution", async () => {
    await using session = await openSession(CONV, { device });
    const { y } = await session.run({ x: tensor("float32", [1, 1, 4, 4], new Float32Array(16).fill(1)) });
    expect([...y!.data]).toEqual([4, 6, 6, 4, 6, 9, 9, 6, 6, 9, 9, 6, 4, 6, 6, 4]); // neighbours inside the map
  });
});

test.each<[DType, number, number | bigint]>([
  ["float32", DataType.FLOAT, 1.5],
  ["float64", DataType.DOUBLE, 1.5],
  ["float16", DataType.FLOAT16, 0x3c01],
  ["int64", DataType.INT64, -(2n ** 53n) - 1n],
  ["int32", DataType.INT32, -7],
  ["int16", DataType.INT16, -7],
  ["int8", DataType.INT8, -7],
  ["uint8", DataType.UINT8, 200],
  ["bool", DataType.BOOL, 1],
])("%s goes in and comes out unchanged", async (dtype, elemType, element) => {
  const identity = model(
    [{ opType: "Identity", input: ["x"], output: ["y"] }],
    [value("x", ["n"], elemType)],
    [value("y", ["n"], elemType)],
  );
  await using session = await openSession(identity, { device: "cpu" });
  const x = tensor(dtype, [2]);
  x.data[0] = element;
  expect((await session.run({ x }))["y"]).toEqual(x);
});

describe("feeds", () => {
  let session: ModelSession;
  beforeAll(async () => {
    session = await openSession(ADD, { device: "cpu" });
  });
  afterAll(() => session.dispose());
  const a = floats([1, 3], 1, 2, 3);

  test.each([
    [
      "missing",
      { a },
      'invalid-shape: Input "b" was not given; the model expects "a" (float32 batch×3), "b"',
    ],
    [
      "unknown",
      { a, b: a, c: a },
      'invalid-shape: The model has no input "c"; it expects "a" (float32 batch×3)',
    ],
    [
      "of another type",
      { a, b: tensor("int32", [1, 3]) },
      'invalid-shape: Input "b" was given as int32 1×3; the model expects float32 batch×3.',
    ],
    [
      "of another size",
      { a, b: floats([1, 2], 1, 2) },
      'invalid-shape: Input "b" was given as float32 1×2; the model expects float32 batch×3.',
    ],
    [
      "of another rank",
      { a, b: floats([3], 1, 2, 3) },
      'invalid-shape: Input "b" was given as float32 3; the model',
    ],
    [
      "too short",
      { a, b: { ...a, shape: [2, 3] } },
      'invalid-shape: Input "b" has 3 elements; its shape 2×3 needs 6',
    ],
  ])("%s", async (_, feeds, message) => {
    expect(await failure(session.run(feeds))).toContain(message);
  });

  test("are copied at the call, or handed over when that is asked for", async () => {
    const mine = floats([1, 3], 1, 2, 3);
    const waiting = session.run({ a: mine, b: mine });
    mine.data.fill(9);
    expect((await waiting)["y"]!.data).toEqual(Float32Array.of(2, 4, 6));
    const sum = (await session.run({ a: mine, b: mine }, { transfer: true }))["y"]!.data;
    expect(sum).toEqual(Float32Array.of(18, 18, 18));
    expect(mine.data.length).toBe(0);
  });

  test("that are views of a larger buffer leave the rest of it alone", async () => {
    const buffer = Float32Array.of(0, 1, 2, 3, 4);
    const view = tensor("float32", [1, 3], buffer.subarray(1, 4));
    const { y } = await session.run({ a: view, b: view }, { transfer: true });
    expect(y!.data).toEqual(Float32Array.of(2, 4, 6));
    expect(buffer).toEqual(Float32Array.of(0, 1, 2, 3, 4));
  });
});

describe("what goes wrong", () => {
  test("a failing run carries the engine's message, and the session goes on", async () => {
    await using session = await openSession(RESHAPE, { device: "cpu" });
    const x = tensor("float32", [6]);
    const run = (...shape: bigint[]) =>
      session.run({ x, shape: tensor("int64", [2], BigInt64Array.from(shape)) });
    expect(await failure(run(4n, 2n))).toMatch(/^inference-failed: .*Reshape/s);
    expect((await run(3n, 2n))["y"]!.shape).toEqual([3, 2]);
  });

  test("models the engine refuses", async () => {
    expect(await failure(openSession(UNKNOWN_OPERATOR))).toMatch(/^invalid-model: .*Transmogrify/s);
    expect(await failure(openSession(new Uint8Array(100).fill(255)))).toMatch(/^invalid-model/);
    expect(await failure(openSession(new Uint8Array(0)))).toMatch(/^invalid-model/);
  });

  test("paths", async () => {
    expect(await failure(openSession(join(folder, "none.onnx")))).toMatch(/^file-not-found: .*none\.onnx/);
    expect(await failure(openSession(folder))).toMatch(/^read-failed/);
    const path = join(folder, "add.onnx");
    await writeFile(path, ADD);
    await using session = await openSession(path, { device: "cpu" });
    expect(session.metadata).toEqual({ purpose: "test" });
  });

  test("a device that is not here is an error, never another device", async () => {
    const absent = (["coreml", "dml"] as const).filter(
      (device) => !reports.some((report) => report.device === device),
    );
    for (const device of absent) {
      expect(await failure(openSession(ADD, { device }))).toMatch(
        new RegExp(`^device-unavailable: .*${device}.*may be used here: .*cpu`, "s"),
      );
    }
    expect(absent.length).toBeGreaterThan(0);
  });

  test("options out of range", async () => {
    expect(await failure(openSession(ADD, { threads: 0 }))).toMatch(/^usage: threads was given as 0/);
    expect(await failure(openSession(ADD, { device: "tpu" as Device }))).toMatch(/^usage: device .*"tpu"/);
  });

  test("a worker that dies rejects every waiting run, and later ones", async () => {
    const session = await openSession(ADD, { device: "cpu" });
    const { connection } = session as unknown as { connection: { worker: Worker } };
    const a = floats([1, 3], 1, 2, 3);
    await connection.worker.terminate();
    expect(await failure(session.run({ a, b: a }))).toMatch(/^usage: .*worker died/);
    await session.dispose();

    const second = await openSession(SLOW, { device: "cpu" });
    const { worker } = (second as unknown as { connection: { worker: Worker } }).connection;
    const waiting = [failure(second.run(slowFeeds())), failure(second.run(slowFeeds()))];
    worker.postMessage(null); // a message it cannot read: an uncaught exception ends it, at the latest after one run
    expect((await Promise.all(waiting)).at(-1)).toMatch(
      /^inference-failed: .*worker thread died: Cannot read/,
    );
    expect(await failure(second.run(slowFeeds()))).toMatch(/^usage: .*worker died/);
  });
});

test("the event loop goes on while a model runs", async () => {
  await using session = await openSession(SLOW, { device: "cpu" });
  await session.run(slowFeeds());
  let ticks = 0;
  const timer = setInterval(() => ticks++, 5);
  const start = performance.now();
  for (let i = 0; i < 3; i++) await session.run(slowFeeds());
  const elapsed = performance.now() - start;
  clearInterval(timer);
  // A third of the ideal count leaves room for a busy machine; a blocked loop gives about one tick per run.
  expect(ticks).toBeGreaterThan(Math.max(6, elapsed / 5 / 3));
});

test("sessions side by side", async () => {
  const sessions = await Promise.all(
    [ADD, CONV, ADD].map((bytes) => openSession(bytes, { device: "cpu", threads: 1 })),
  );
  const a = floats([1, 3], 1, 2, 3);
  const results = await Promise.all([sessions[0]!.run({ a, b: a }), sessions[2]!.run({ a, b: a })]);
  for (const { y } of results) expect(y!.data).toEqual(Float32Array.of(2, 4, 6));
  await Promise.all(sessions.map((session) => session.dispose()));
});

describe("ending", () => {
  test("disposing of a running session rejects its runs and waits for the engine", async () => {
    const session = await openSession(SLOW, { device: "cpu" });
    const runs = [failure(session.run(slowFeeds())), failure(session.run(slowFeeds()))];
    await session.dispose();
    for (const message of await Promise.all(runs)) expect(message).toMatch(/^aborted/);
    expect(await failure(session.run(slowFeeds()))).toMatch(/^usage: .*disposed/);
    await session.dispose(); // once more does no harm
  });

  test("an abort rejects at once, skips what has not begun, and leaves the session usable", async () => {
    await using session = await openSession(SLOW, { device: "cpu" });
    const start = performance.now();
    await session.run(slowFeeds());
    const oneRun = performance.now() - start;
    const controller = new AbortController();
    const { signal } = controller;
    const runs = Array.from({ length: 20 }, () => failure(session.run(slowFeeds(), { signal })));
    const aborted = performance.now();
    controller.abort(new Error("no longer wanted"));
    for (const message of await Promise.all(runs)) expect(message).toMatch(/^aborted/);
    expect(performance.now() - aborted).toBeLessThan(100);
    expect((await session.run(slowFeeds()))["y"]!.data[0]).toBeCloseTo(1);
    expect(performance.now() - aborted).toBeLessThan(10 * oneRun); // 20 runs were not done
    expect(await failure(session.run(slowFeeds(), { signal }))).toMatch(/^aborted/);
  });

  test.each([
    ["forgets to dispose", "await session.run(feeds); console.log('end');"],
    ["ends while a run is awaited", "session.run(feeds).then(() => console.log('end'));"],
    [
      "exits in the middle of a run",
      "session.run(feeds); setTimeout(() => { console.log('end'); process.exit(0); }, 30);",
    ],
  ])("a process that %s exits with 0", async (_, action) => {
    const script = join(folder, "process.mts");
    const url = (path: string) => JSON.stringify(new URL(path, import.meta.url));
    await writeFile(
      script,
      `import { openSession } from ${url("../../src/runtime/node.ts")};
       import { SLOW, slowFeeds } from ${url("./models.ts")};
       const session = await openSession(SLOW, { device: "cpu" });
       const feeds = slowFeeds();
       ${action}`,
    );
    // Rejects unless the exit code is 0.
    const { stdout, stderr } = await promisify(execFile)("npx", ["tsx", script], {
      cwd: new URL("../..", import.meta.url),
    });
    expect(stdout).toBe("end\n");
    expect(stderr.replace(/^npm warn .*\n/gm, "")).toBe("");
  });
});

test("auto says what it chose and why", async () => {
  const lines: string[] = [];
  await using session = await openSession(ADD, { onLog: (line) => lines.push(line), threads: 1 });
  expect(devices).toContain(session.device);
  expect(lines.at(-1)).toContain(`device ${session.device}`);
  for (const { device, promising } of deviceCandidates()) {
    if (!promising) expect(lines.join("\n")).toContain(`device ${device} is not tried`);
  }
});

test("a profile is written when asked for", async () => {
  const session = await openSession(ADD, { device: "cpu", profile: join(folder, "profile") });
  const a = floats([1, 3], 1, 2, 3);
  await session.run({ a, b: a });
  await session.dispose();
  expect((await readdir(folder)).some((name) => name.startsWith("profile") && name.endsWith(".json"))).toBe(
    true,
  );
});
