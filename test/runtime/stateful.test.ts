import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { HRNetError } from "../../src/errors.ts";
import { DataType } from "../../src/graph/onnx-messages.ts";
import { describeDevices } from "../../src/runtime/describe-devices.ts";
import { openSession } from "../../src/runtime/node.ts";
import type { Device, StatefulSession, StatefulSessionOptions } from "../../src/runtime/session.ts";
import { openStatefulSession } from "../../src/runtime/stateful.ts";
import { type Tensor, tensor } from "../../src/tensor/tensor.ts";
import { model, value } from "./models.ts";

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
const numbers = (value: Tensor | undefined) => [...value!.data].map(Number);

/** sum' = sum + x, and total = the sum of its elements: state, feed and output in one. */
const SUM = model(
  [
    { opType: "Add", input: ["sum", "x"], output: ["sum.next"] },
    { opType: "ReduceSum", input: ["sum.next"], output: ["total"] },
  ],
  [value("sum", [3]), value("x", [3])],
  [value("sum.next", [3]), value("total", [1])],
);
const SUM_STATE = { sum: "sum.next" };

/** a' = b + x, b' = a: two states that swap. */
const SWAP = model(
  [
    { opType: "Add", input: ["b", "x"], output: ["a.next"] },
    { opType: "Mul", input: ["a", "one"], output: ["b.next"] },
  ],
  [value("a", [2]), value("b", [2]), value("x", [2])],
  [value("a.next", [2]), value("b.next", [2])],
  { one: floats([1], 1) },
);
const SWAP_STATE = { a: "a.next", b: "b.next" };

/** Some hundred milliseconds a run: w' = w · unit · unit · … + 1. */
const SLOW_SIZE = 1024;
const SLOW_SUM = model(
  [
    ...Array.from({ length: 8 }, (_, step) => ({
      opType: "MatMul",
      input: [step === 0 ? "w" : `h${step - 1}`, "unit"],
      output: [`h${step}`],
    })),
    { opType: "Add", input: ["h7", "one"], output: ["w.next"] },
  ],
  [value("w", [SLOW_SIZE, SLOW_SIZE])],
  [value("w.next", [SLOW_SIZE, SLOW_SIZE])],
  {
    unit: tensor(
      "float32",
      [SLOW_SIZE, SLOW_SIZE],
      new Float32Array(SLOW_SIZE ** 2).map((_, i) => (i % (SLOW_SIZE + 1) === 0 ? 1 : 0)),
    ),
    one: floats([1], 1),
  },
);

/** Devices the suite runs on: the CPU, and every other one that really works here. */
const reports = await describeDevices();
for (const { device, usable, detail } of reports) {
  if (!usable) console.log(`skipping device ${device}: ${detail}`);
}
const devices = reports.filter(({ usable }) => usable).map(({ device }) => device);

describe.each(devices)("on %s", (device: Device) => {
  const open = (bytes: Uint8Array, options: StatefulSessionOptions) =>
    openStatefulSession(bytes, { device, strict: true, threads: 1, ...options });
  // Shared by the tests, each of which sets all state first.
  let sums: StatefulSession;
  let guarded: StatefulSession;
  let swaps: StatefulSession;
  beforeAll(async () => {
    [sums, guarded, swaps] = await Promise.all([
      open(SUM, { state: SUM_STATE }),
      open(SUM, { state: SUM_STATE, guard: "total" }),
      open(SWAP, { state: SWAP_STATE }),
    ]);
  });
  afterAll(() => Promise.all([sums, guarded, swaps].map((session) => session.dispose())));

  test("state accumulates over runs, the other outputs come out", async () => {
    const session = sums;
    expect(session.device).toBe(device);
    expect(session.inputs.map(({ name }) => name)).toEqual(["x"]);
    expect(session.outputs.map(({ name }) => name)).toEqual(["total"]);
    expect(session.state).toEqual([{ name: "sum", dtype: "float32", shape: [3] }]);
    expect(session.metadata).toEqual({ purpose: "test" });
    await session.setState({ sum: floats([3], 1, 2, 3) });
    const x = floats([3], 1, 10, 100);
    for (const runs of [1, 2, 3, 4]) {
      const outputs = await session.run({ x });
      expect(Object.keys(outputs)).toEqual(["total"]);
      expect(numbers(outputs["total"])).toEqual([6 + 111 * runs]);
    }
    expect(await session.getState()).toEqual({ sum: floats([3], 5, 42, 403) });
  });

  test("runs that are asked for together follow each other", async () => {
    const session = sums;
    const set = session.setState({ sum: floats([3], 0, 0, 0) });
    const runs = [1, 2, 3].map((element) => session.run({ x: floats([3], element, 0, 0) }));
    const middle = session.getState();
    const reset = session.setState({ sum: floats([3], 50, 0, 0) });
    const last = session.run({ x: floats([3], 1, 0, 0) });
    expect((await Promise.all(runs)).map(({ total }) => numbers(total))).toEqual([[1], [3], [6]]);
    expect(numbers((await middle)["sum"])).toEqual([6, 0, 0]);
    expect(numbers((await last)["total"])).toEqual([51]);
    await Promise.all([set, reset]);
  });

  test("two states that swap", async () => {
    const session = swaps;
    await session.setState({ a: floats([2], 1, 2), b: floats([2], 30, 40) });
    for (let run = 0; run < 3; run++) {
      expect(await session.run({ x: floats([2], 1, 1) })).toEqual({});
    }
    // (1, 30) → (31, 1) → (2, 31) → (32, 2)
    expect(await session.getState()).toEqual({ a: floats([2], 32, 42), b: floats([2], 2, 3) });
    expect(await session.getState(["b"])).toEqual({ b: floats([2], 2, 3) });
    await session.setState({ b: floats([2], 0, 0) });
    await session.run({ x: floats([2], 1, 1) });
    expect(await session.getState()).toEqual({ a: floats([2], 1, 1), b: floats([2], 32, 42) });
  });

  test("reading state changes nothing, and what was read is the caller's", async () => {
    const session = sums;
    const sum = floats([3], 1, 2, 3);
    await session.setState({ sum });
    expect(numbers(sum)).toEqual([1, 2, 3]); // copied, not taken
    const before = await session.getState();
    before["sum"]!.data.fill(7 as never);
    sum.data.fill(8);
    await session.run({ x: floats([3], 1, 1, 1) });
    const after = await session.getState();
    after["sum"]!.data.fill(9 as never);
    expect(await session.getState()).toEqual({ sum: floats([3], 2, 3, 4) });
  });

  test("one array handed over for two states", async () => {
    const session = swaps;
    const both = floats([2], 5, 6);
    await session.setState({ a: both, b: both }, { transfer: true });
    expect(both.data.length).toBe(0);
    await session.setState({ a: floats([2], 0, 0) });
    expect(numbers((await session.getState())["b"])).toEqual([5, 6]);
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY])("guard: %d keeps the old state", async (bad) => {
    const session = guarded;
    await session.setState({ sum: floats([3], 1, 2, 3) });
    await session.run({ x: floats([3], 1, 1, 1) });
    expect(numbers((await session.run({ x: floats([3], bad, 0, 0) }))["total"])).toEqual([bad]);
    expect(numbers((await session.getState())["sum"])).toEqual([2, 3, 4]);
    expect(numbers((await session.run({ x: floats([3], 1, 1, 1) }))["total"])).toEqual([12]);
  });

  test("without a guard what is not finite stays", async () => {
    const session = sums;
    await session.setState({ sum: floats([3], 1, 2, 3) });
    await session.run({ x: floats([3], Number.NaN, 0, 0) });
    expect(numbers((await session.getState())["sum"])).toEqual([Number.NaN, 2, 3]);
  });

  test("memory stays as it is over many runs", async () => {
    const size = 4 * 2 ** 20; // 16 MiB a run
    const grow = model(
      [{ opType: "Add", input: ["w", "x"], output: ["w.next"] }],
      [value("w", [size]), value("x", [1])],
      [value("w.next", [size])],
    );
    await using session = await open(grow, { state: { w: "w.next" } });
    await session.setState({ w: tensor("float32", [size]) }, { transfer: true });
    const runs = async (count: number) => {
      for (let run = 0; run < count; run++) await session.run({ x: floats([1], 1) });
      return process.memoryUsage.rss();
    };
    const before = await runs(6);
    const growth = (await runs(24)) - before; // 384 MiB if every state were left behind
    expect(growth).toBeLessThan(160 * 2 ** 20);
    const { w } = await session.getState();
    expect(w!.data.every((element) => element === 30)).toBe(true);
  });
});

test("a scalar of whole numbers counts steps", async () => {
  const count = model(
    [{ opType: "Add", input: ["step", "one"], output: ["step.next"] }],
    [value("step", [], DataType.INT64)],
    [value("step.next", [], DataType.INT64)],
    { one: tensor("int64", [], BigInt64Array.of(1n)) },
  );
  for (const device of devices) {
    await using session = await openStatefulSession(count, { device, state: { step: "step.next" } });
    await session.setState({ step: tensor("int64", [], BigInt64Array.of(2n ** 53n)) });
    for (let run = 0; run < 3; run++) await session.run({});
    expect(await session.getState()).toEqual({ step: tensor("int64", [], BigInt64Array.of(2n ** 53n + 3n)) });
  }
});

test("a guard in half precision", async () => {
  const half = model(
    [
      { opType: "Add", input: ["h", "x"], output: ["h.next"] },
      { opType: "Mul", input: ["h.next", "h.next"], output: ["square"] },
    ],
    [value("h", [1], DataType.FLOAT16), value("x", [1], DataType.FLOAT16)],
    [value("h.next", [1], DataType.FLOAT16), value("square", [1], DataType.FLOAT16)],
  );
  const one = tensor("float16", [1], Uint16Array.of(0x3c00));
  const large = tensor("float16", [1], Uint16Array.of(0x7800)); // 32768: its square is infinite
  await using session = await openStatefulSession(half, {
    device: "cpu",
    state: { h: "h.next" },
    guard: "square",
  });
  await session.setState({ h: one });
  expect(numbers((await session.run({ x: large }))["square"])).toEqual([0x7c00]);
  expect(numbers((await session.getState())["h"])).toEqual([0x3c00]);
  await session.run({ x: one });
  expect(numbers((await session.getState())["h"])).toEqual([0x4000]); // 1 + 1
});

describe("what goes wrong", () => {
  let session: StatefulSession;
  beforeAll(async () => {
    session = await openStatefulSession(SWAP, { device: "cpu", state: SWAP_STATE });
  });
  afterAll(() => session.dispose());
  const x = floats([2], 1, 1);

  test("state that was never set is named", async () => {
    expect(await failure(session.run({ x }))).toBe(
      'usage: State "a", "b" was never set; give it to setState first.',
    );
    await session.setState({ a: x });
    expect(await failure(session.run({ x }))).toMatch(/^usage: State "b" was never set/);
    expect(await failure(session.getState())).toMatch(/^usage: State "b" was never set/);
    expect(await session.getState(["a"])).toEqual({ a: x });
    await session.setState({ b: x });
    await session.run({ x });
  });

  test.each<[string, Record<string, Tensor>, RegExp]>([
    ["an unknown name", { c: x }, /^invalid-shape: "c" is no state of the session; its state is "a", "b"/],
    ["the name of a feed", { x }, /^invalid-shape: "x" is no state/],
    [
      "another type",
      { a: tensor("int32", [2]) },
      /^invalid-shape: Input "a" was given as int32 2; .* float32 2/,
    ],
    [
      "another shape",
      { a: floats([3], 1, 2, 3) },
      /^invalid-shape: Input "a" was given as float32 3; .* 2\./,
    ],
    ["too few elements", { a: { ...x, data: new Float32Array(1) } }, /^invalid-shape: Input "a" has 1/],
  ])("setState with %s", async (_, values, message) => {
    const both = { a: floats([2], 1, 2), b: floats([2], 3, 4) };
    await session.setState(both);
    expect(await failure(session.setState({ b: x, ...values }))).toMatch(message);
    expect(await session.getState()).toEqual(both); // nothing of it was set
  });

  test("other calls", async () => {
    expect(await failure(session.getState(["x"]))).toMatch(/^usage: "x" is no state/);
    expect(await failure(session.run({}))).toMatch(/^invalid-shape: Input "x" was not given/);
    expect(await failure(session.run({ x, a: x }))).toMatch(/^invalid-shape: The model has no input "a"/);
  });

  test("names the model lacks, on every device", async () => {
    const openings: [options: Omit<StatefulSessionOptions, "device">, message: RegExp][] = [
      [{ state: { c: "a.next" } }, /^usage: The model has no input "c"; .* "a", "b", "x"/],
      [{ state: { a: "c" } }, /^usage: The model has no output "c"; .* "a.next", "b.next"/],
      [{ state: { a: "a.next", b: "a.next" } }, /^usage: Two inputs .*"a.next"/],
      [{ state: { a: "a.next" }, guard: "loss" }, /^usage: The model has no output "loss"/],
      [{ state: { a: "a.next" }, guard: "a.next" }, /^usage: guard was given as "a.next"/],
    ];
    await Promise.all(
      openings.flatMap(([options, message]) =>
        devices.map(async (device) => {
          expect(await failure(openStatefulSession(SWAP, { device, ...options }))).toMatch(message);
        }),
      ),
    );
  });

  test("an output that does not fit its input", async () => {
    const wrong = model(
      [
        {
          opType: "Concat",
          input: ["a", "a"],
          output: ["twice"],
          attribute: [{ name: "axis", type: 2, i: 0 }],
        },
        { opType: "Cast", input: ["a"], output: ["whole"], attribute: [{ name: "to", type: 2, i: 6 }] },
      ],
      [value("a", [2])],
      [value("twice", [4]), value("whole", [2], DataType.INT32)],
    );
    const opening = (state: Record<string, string>) =>
      failure(openStatefulSession(wrong, { device: "cpu", state }));
    expect(await opening({ a: "twice" })).toMatch(
      /^invalid-shape: .*"twice" \(float32 4\).*"a" \(float32 2\)/,
    );
    expect(await opening({ a: "whole" })).toMatch(/^invalid-shape: .*"whole" \(int32 2\).*"a" \(float32 2\)/);
  });

  test("a run that fails in the engine leaves the state", async () => {
    const reshape = model(
      [
        { opType: "Add", input: ["n", "one"], output: ["n.next"] },
        { opType: "Reshape", input: ["n.next", "shape"], output: ["y"] },
      ],
      [value("n", [2]), value("shape", ["rank"], DataType.INT64)],
      [value("n.next", [2]), value("y", ["p", "q"])],
      { one: floats([1], 1) },
    );
    const shape = (...sizes: bigint[]) => ({
      shape: tensor("int64", [sizes.length], BigInt64Array.from(sizes)),
    });
    await using failing = await openStatefulSession(reshape, { device: "cpu", state: { n: "n.next" } });
    await failing.setState({ n: floats([2], 1, 2) });
    await failing.run(shape(2n, 1n));
    expect(await failure(failing.run(shape(3n, 1n)))).toMatch(/^inference-failed/);
    expect(numbers((await failing.getState())["n"])).toEqual([2, 3]);
    await failing.run(shape(1n, 2n));
    expect(numbers((await failing.getState())["n"])).toEqual([3, 4]);
  });

  test("an ordinary session of the same model takes state as inputs", async () => {
    await using plain = await openSession(SWAP, { device: "cpu" });
    expect(await plain.run({ a: x, b: x, x })).toEqual({ "a.next": floats([2], 2, 2), "b.next": x });
  });
});

describe("ending", () => {
  const zeros = () => ({ w: tensor("float32", [SLOW_SIZE, SLOW_SIZE]) });
  const open = () => openStatefulSession(SLOW_SUM, { device: "cpu", state: { w: "w.next" } });
  const level = async (session: StatefulSession) => (await session.getState())["w"]!.data[SLOW_SIZE + 5];

  test("an aborted run leaves no trace, whether it has begun or not", async () => {
    await using session = await open();
    await session.setState(zeros());
    const start = performance.now();
    await session.run({});
    const oneRun = performance.now() - start;
    const controller = new AbortController();
    const { signal } = controller;
    const runs = Array.from({ length: 20 }, () => failure(session.run({}, { signal })));
    await new Promise((resolve) => setTimeout(resolve, 10)); // the first has begun
    controller.abort();
    for (const message of await Promise.all(runs)) expect(message).toMatch(/^aborted/);
    expect(await level(session)).toBe(1);
    expect(performance.now() - start).toBeLessThan(15 * oneRun);
    await session.run({});
    expect(await level(session)).toBe(2);
  });

  test("a run is rejected exactly when it changed nothing, whenever the signal fires", async () => {
    await using session = await openStatefulSession(SUM, { device: "cpu", state: SUM_STATE });
    await session.setState({ sum: floats([3], 0, 0, 0) });
    let done = 0;
    for (let round = 0; round < 60; round++) {
      const controller = new AbortController();
      const run = failure(session.run({ x: floats([3], 1, 0, 0) }, { signal: controller.signal }));
      const end = performance.now() + round / 60; // over the first millisecond, about as long as a run takes
      while (performance.now() < end);
      controller.abort();
      if ((await run) === "nothing thrown") done++;
    }
    expect((await session.getState())["sum"]!.data[0]).toBe(done);
  });

  test("disposing of a running session", async () => {
    const session = await open();
    await session.setState(zeros(), { transfer: true });
    const pending = [failure(session.run({})), failure(session.getState()), failure(session.run({}))];
    await session.dispose();
    for (const message of await Promise.all(pending)) expect(message).toMatch(/^aborted/);
    expect(await failure(session.setState(zeros()))).toMatch(/^usage: .*disposed/);
    expect(await failure(session.getState())).toMatch(/^usage: .*disposed/);
    expect(await failure(session.run({}))).toMatch(/^usage: .*disposed/);
    await session.dispose();
  });
});
