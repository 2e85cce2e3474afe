// Batches from worker threads: order, determinism, resuming, broken samples, ends.
import { describe, expect, test } from "vitest";
import { type Batch, type BatchLoaderOptions, openBatchLoader } from "../../src/data/batch-loader.ts";
import type { NumberSettings } from "../helpers/number-source.ts";

const module = new URL("../helpers/number-source.ts", import.meta.url);
type Options = Partial<Omit<BatchLoaderOptions, "settings">> & NumberSettings;
const open = ({ length, broken, at, what, delay, closed, ...rest }: Options) =>
  openBatchLoader({
    module,
    settings: { length, broken, at, what, delay, closed },
    batchSize: 4,
    seed: 1,
    workers: 0,
    shuffle: true,
    ...rest,
  });

/** Everything about a batch but the time it took. */
const content = ({ feeds, notes, indices, valid }: Batch) => ({
  value: [...(feeds["value"]!.data as Float32Array)],
  byte: [...(feeds["byte"]!.data as Uint8Array)],
  id: [...(notes["id"]!.data as BigInt64Array)].map(Number),
  indices: [...indices],
  valid,
});

async function epoch(options: Options, number = 0, from?: number) {
  await using loader = await open(options);
  const batches = [];
  for await (const batch of loader.batches(number, from)) batches.push(content(batch));
  return batches;
}

const seen = (batches: readonly { indices: number[] }[]) => batches.flatMap(({ indices }) => indices);
const sorted = (values: readonly number[]) => [...values].sort((a, b) => a - b);
const range = (count: number) => Array.from({ length: count }, (_, i) => i);

describe("an epoch", () => {
  test("shows each sample once; a sample's arrays are its own", async () => {
    const batches = await epoch({ length: 20 });
    expect(batches.length).toBe(5);
    expect(sorted(seen(batches))).toEqual(range(20));
    expect(seen(batches)).not.toEqual(range(20));
    for (const { value, byte, id, indices } of batches) {
      expect(value.filter((_, i) => i % 2 === 0)).toEqual(indices);
      expect(id).toEqual(indices);
      expect(byte).toEqual([1, 1, 1, 1]);
    }
    expect(new Set(batches.flatMap(({ value }) => value.filter((_, i) => i % 2 === 1))).size).toBe(20);
  });

  test("is the same whatever the number of threads, and another for another epoch or seed", async () => {
    const length = 26; // two are left out
    const [inline, one, two] = await Promise.all(
      [0, 1, 2].map((workers) => epoch({ length, workers, delay: 1, ahead: workers })),
    );
    expect(one).toEqual(inline);
    expect(two).toEqual(inline);
    expect(await epoch({ length })).toEqual(inline);
    for (const other of [await epoch({ length }, 1), await epoch({ length, seed: 2 })]) {
      expect(seen(other)).not.toEqual(seen(inline!));
      expect(other.length).toBe(6);
    }
  });

  test("resumed at a batch, continues as if never interrupted", async () => {
    const whole = await epoch({ length: 40 }, 3);
    expect(await epoch({ length: 40 }, 3, 7)).toEqual(whole.slice(7));
    expect(await epoch({ length: 40 }, 3, 10)).toEqual([]);
  });

  test("in order of index where not shuffled", async () => {
    expect(seen(await epoch({ length: 9, shuffle: false }))).toEqual(range(8));
  });

  test("partial: pad fills the last batch and says how many count", async () => {
    const batches = await epoch({ length: 10, shuffle: false, partial: "pad" });
    expect(batches.map(({ valid }) => valid)).toEqual([4, 4, 2]);
    expect(seen(batches)).toEqual([...range(10), 0, 1]);
  });

  test("shorter than a batch, is repeated, with other random numbers", async () => {
    const [batch, ...none] = await epoch({ length: 3, batchSize: 7, shuffle: false });
    expect(none).toEqual([]);
    expect(batch!.indices).toEqual([0, 1, 2, 0, 1, 2, 0]);
    expect(new Set(batch!.value.filter((_, i) => i % 2 === 1)).size).toBe(7);
  });

  test("groups are repeated, or seen in parts that change", async () => {
    const groups = [
      { count: 4, repeat: 1 },
      { count: 2, repeat: 3 },
      { count: 8, repeat: 0.25 },
      { count: 2, repeat: 1.5 },
      { count: 5, repeat: 0 },
    ];
    const parts = new Set<string>();
    for (let number = 0; number < 8; number++) {
      const indices = sorted(seen(await epoch({ length: 21, groups, batchSize: 5 }, number)));
      expect(indices.length).toBe(15);
      expect(indices.slice(0, 10)).toEqual([0, 1, 2, 3, 4, 4, 4, 5, 5, 5]);
      const part = indices.filter((index) => index >= 6 && index < 14);
      expect(new Set(part).size).toBe(2);
      parts.add(part.join());
      expect(indices.filter((index) => index >= 14 && index < 16).length).toBe(3);
      expect(indices.at(-1)).toBeLessThan(16);
    }
    expect(parts.size).toBeGreaterThan(3);
  });
});

describe("samples that cannot be had", () => {
  test("are replaced by the next one that can, and reported once", async () => {
    const results = await Promise.all(
      [0, 2].map(async (workers) => {
        const lines: string[] = [];
        const options = { length: 12, broken: [3, 4, 11], shuffle: false, workers };
        await using loader = await open({ ...options, onProblem: (line) => lines.push(line) });
        const batches = [];
        for (const number of [0, 1]) {
          for await (const batch of loader.batches(number)) batches.push(content(batch));
        }
        expect(lines.sort()).toEqual([11, 3, 4].map((i) => `picture-${i}.jpg is damaged`));
        return batches;
      }),
    );
    expect(results[1]).toEqual(results[0]);
    expect(seen(results[0]!).slice(0, 12)).toEqual([0, 1, 2, 5, 5, 5, 6, 7, 8, 9, 10, 0]);
    for (const { value, indices, byte } of results[0]!) {
      expect(value.filter((_, i) => i % 2 === 0)).toEqual(indices); // nothing is left of the broken one
      expect(byte).toEqual([1, 1, 1, 1]);
    }
  });

  test.each([0, 2])("more than 10 of them end the run, %i workers", async (workers) => {
    const broken = range(11).map((i) => 3 * i);
    await expect(epoch({ length: 200, broken, workers, batchSize: 20 })).rejects.toMatchObject({
      code: "invalid-data",
      message: expect.stringMatching(/^11 of 200 samples cannot be loaded[\s\S]*picture-\d+\.jpg is damaged/),
    });
    expect(await epoch({ length: 200, broken: broken.slice(1), batchSize: 20 })).toHaveLength(10);
  });

  test("all of a few", async () => {
    await expect(epoch({ length: 3, broken: [0, 1, 2] })).rejects.toMatchObject({
      code: "invalid-data",
      message: expect.stringContaining("3 samples in a row cannot be loaded"),
    });
  });
});

describe("ends", () => {
  test.each([0, 2])("a bug in the source is reported, %i workers", async (workers) => {
    await expect(epoch({ length: 20, at: 6, what: "bug", workers })).rejects.toMatchObject({
      code: "invalid-data",
      message: "Samples cannot be loaded: x is undefined",
    });
  });

  test("a thread that dies is reported, and nothing waits for it", async () => {
    await using loader = await open({ length: 40, at: 17, what: "exit", workers: 2 });
    const run = async () => {
      for await (const _ of loader.batches(0));
    };
    await expect(run()).rejects.toMatchObject({
      code: "read-failed",
      message: expect.stringContaining("died"),
    });
    await expect(run()).rejects.toMatchObject({ code: "read-failed" });
  });

  test.each([0, 2])("a signal ends the wait for a batch at once, %i workers", async (workers) => {
    const stop = new AbortController();
    const loader = await open({
      length: 40,
      at: 5,
      what: "hang",
      shuffle: false,
      workers,
      signal: stop.signal,
    });
    const batches = loader.batches(0);
    expect((await batches.next()).done).toBe(false);
    const waiting = batches.next();
    setTimeout(() => stop.abort(), 20);
    const start = performance.now();
    await expect(waiting).rejects.toMatchObject({ code: "aborted" });
    expect(performance.now() - start).toBeLessThan(1000);
    await loader.dispose();
    await expect(open({ length: 4, signal: stop.signal })).rejects.toMatchObject({ code: "aborted" });
  });

  test("leaving an epoch early leaves the loader usable; after dispose it is not", async () => {
    const loader = await open({ length: 40, workers: 1 });
    for await (const _ of loader.batches(0)) break;
    const indices: number[] = [];
    for await (const batch of loader.batches(1)) indices.push(...batch.indices);
    expect(sorted(indices)).toEqual(range(40));
    await loader.dispose();
    await loader.dispose();
    await expect(loader.batches(2).next()).rejects.toMatchObject({ code: "aborted" });
  });

  test("what cannot be opened says why", async () => {
    for (const workers of [0, 1]) {
      await expect(open({ length: 4, closed: true, workers })).rejects.toMatchObject({
        code: "invalid-config",
        message: "the source is closed",
      });
    }
    const usage = { code: "usage" };
    await expect(open({ length: 4, batchSize: 0 })).rejects.toMatchObject(usage);
    await expect(open({ length: 4, seed: 0.5 })).rejects.toMatchObject(usage);
    await expect(open({ length: 4, groups: [{ count: 5, repeat: 1 }] })).rejects.toMatchObject(usage);
    await expect(open({ length: 0 })).rejects.toMatchObject({ code: "invalid-data" });
    const other = new URL("../helpers/near.ts", import.meta.url);
    await expect(open({ length: 4, module: other, workers: 1 })).rejects.toMatchObject({
      ...usage,
      message: expect.stringContaining("openSampleSource"),
    });
  });
});

test("the time the caller waited is the batch's, not the caller's own", async () => {
  await using loader = await open({ length: 12, workers: 1, delay: 20, shuffle: false });
  const waited: number[] = [];
  for await (const batch of loader.batches(0)) {
    waited.push(batch.waitedMs);
    await new Promise((resolve) => setTimeout(resolve, 300)); // the next ones are made meanwhile
  }
  expect(waited[0]).toBeGreaterThan(35);
  expect(Math.max(...waited.slice(1))).toBeLessThan(30);
});
