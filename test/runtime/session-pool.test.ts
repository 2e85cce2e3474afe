// Sessions side by side: the same results as one, shared runs, one ending.
import { afterAll, describe, expect, test } from "vitest";
import { openSession } from "../../src/runtime/node.ts";
import { openSessionPool } from "../../src/runtime/session-pool.ts";
import { tensor } from "../../src/tensor/tensor.ts";
import { ADD, SLOW, slowFeeds } from "./models.ts";

const feeds = (n: number) => ({
  a: tensor("float32", [1, 3], Float32Array.of(n, n + 1, n + 2)),
  b: tensor("float32", [1, 3], Float32Array.of(10, 20, 30)),
});

describe("a pool of two", async () => {
  const log: string[] = [];
  const pool = await openSessionPool(ADD, {
    device: "cpu",
    threads: 2,
    sessions: 2,
    onLog: (line) => log.push(line),
  });
  afterAll(() => pool.dispose());

  test("describes itself as one session of the model", async () => {
    await using one = await openSession(ADD, { device: "cpu" });
    expect(pool.size).toBe(2);
    expect([pool.inputs, pool.outputs, pool.metadata]).toEqual([one.inputs, one.outputs, one.metadata]);
    expect(log.filter((line) => line.startsWith("device cpu"))).toEqual(["device cpu, 1 threads"]);
    expect(log.at(-1)).toBe("2 sessions side by side");
  });

  test("answers every run with its own result", async () => {
    const results = await Promise.all(Array.from({ length: 20 }, (_, n) => pool.run(feeds(n))));
    results.forEach(({ y }, n) => {
      expect(Array.from(y!.data as Float32Array)).toEqual([n + 10, n + 21, n + 32]);
    });
  });

  test("a failed run is the caller's alone", async () => {
    await expect(pool.run({})).rejects.toMatchObject({ code: "invalid-shape" });
    expect(Array.from((await pool.run(feeds(1)))["y"]!.data as Float32Array)).toEqual([11, 22, 33]);
  });
});

test("a run that waits for a session can be cancelled, and ends with the pool", async () => {
  const pool = await openSessionPool(SLOW, { device: "cpu", threads: 2, sessions: 2 });
  const begun = [pool.run(slowFeeds()), pool.run(slowFeeds())];
  const abort = new AbortController();
  const waiting = pool.run(slowFeeds(), { signal: abort.signal });
  abort.abort();
  await expect(waiting).rejects.toMatchObject({ code: "aborted" });
  await expect(pool.run(slowFeeds(), { signal: abort.signal })).rejects.toMatchObject({ code: "aborted" });
  // The sessions go on: both runs and one more come back.
  expect(await Promise.all([...begun, pool.run(slowFeeds())])).toHaveLength(3);

  const left = [0, 1, 2, 3].map(() => pool.run(slowFeeds()));
  const [outcomes] = await Promise.all([Promise.allSettled(left), pool.dispose()]);
  for (const outcome of outcomes) {
    expect(outcome).toMatchObject({ status: "rejected", reason: { code: "aborted" } });
  }
});

test("one session by default, as many as threads with auto, none below one", async () => {
  await using one = await openSessionPool(ADD, { device: "cpu" });
  expect(one.size).toBe(1);
  await using auto = await openSessionPool(ADD, { device: "cpu", threads: 3, sessions: "auto" });
  expect(auto.size).toBe(3);
  for (const sessions of [0, 1.5, Number.NaN]) {
    await expect(openSessionPool(ADD, { sessions })).rejects.toMatchObject({ code: "usage" });
  }
  for (const sessions of [1, "auto"] as const) {
    await expect(openSessionPool(ADD, { sessions, threads: 0 })).rejects.toMatchObject({ code: "usage" });
  }
});

test("after dispose every run is refused", async () => {
  const pool = await openSessionPool(ADD, { device: "cpu", threads: 2, sessions: 2 });
  await pool.dispose();
  await expect(pool.run(feeds(0))).rejects.toMatchObject({ code: "usage" });
});
