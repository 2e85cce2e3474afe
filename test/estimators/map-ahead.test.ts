// Order, bounds and endings of the look-ahead that streams of pictures run through.

import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { mapAhead } from "../../src/estimators/map-ahead.ts";

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** A promise and its resolver. */
function deferred(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

describe("mapAhead", () => {
  test("keeps the order of the items, whichever is done first", async () => {
    const results = mapAhead([30, 1, 10, 1], 3, async (ms, index) => {
      await sleep(ms);
      return index;
    });
    expect(await collect(results)).toEqual([0, 1, 2, 3]);
    expect(await collect(mapAhead([], 3, async () => 1))).toEqual([]);
  });

  test.each([0, 1, 3])("with %i ahead, no more than that beside the first", async (ahead) => {
    let running = 0;
    let most = 0;
    const work = async () => {
      most = Math.max(most, ++running);
      await sleep(2);
      running--;
    };
    await collect(mapAhead(Array(12).keys(), ahead, work));
    expect(most).toBe(ahead + 1);
  });

  test("while the caller holds a result, the source is read only so far", async () => {
    let read = 0;
    function* source() {
      for (;;) yield read++;
    }
    const results = mapAhead(source(), 2, async (item) => item);
    for await (const item of results) {
      await sleep(1);
      expect(read - item).toBeLessThanOrEqual(4); // it, two in the making, one read
      if (item === 20) break;
    }
  });

  test("a result is there at once, though a live source has no next item yet", async () => {
    const gate = deferred();
    async function* live() {
      yield "first";
      await gate.promise;
      yield "second";
    }
    const results = mapAhead(live(), 2, async (item) => {
      await sleep(5);
      return item;
    });
    expect((await results.next()).value).toBe("first"); // would wait for ever if it waited for the source
    gate.resolve();
    expect((await results.next()).value).toBe("second");
    expect((await results.next()).done).toBe(true);
  });

  test("ending early waits for the work begun and closes the source", async () => {
    let finished = 0;
    let closed = false;
    function* source() {
      try {
        for (let i = 0; ; i++) yield i;
      } finally {
        closed = true;
      }
    }
    const results = mapAhead(source(), 2, async (item) => {
      await sleep(item * 3);
      finished++;
    });
    await results.next();
    await results.return(undefined);
    expect(closed).toBe(true);
    const before = finished;
    await sleep(20);
    expect(finished).toBe(before);
  });

  test("ending early does not wait for a live source", async () => {
    async function* live() {
      yield 1;
      await new Promise(() => {});
    }
    const results = mapAhead(live(), 1, async (item) => item);
    await results.next();
    await results.return(undefined);
  });

  test("a signal ends the wait for a live source; what it yields later is not worked on", async () => {
    let give = (_: number): void => {};
    async function* live() {
      yield 1;
      yield await new Promise<number>((resolve) => {
        give = resolve;
      });
    }
    const controller = new AbortController();
    const worked: number[] = [];
    const work = async (item: number) => worked.push(item);
    const results = mapAhead(live(), 1, work, controller.signal);
    await results.next();
    const waiting = results.next();
    setTimeout(() => controller.abort(), 5);
    await expect(waiting).rejects.toMatchObject({ code: "aborted" });
    give(2);
    await sleep(5);
    expect(worked).toEqual([1]);
  });

  test("failures come in their turn, of the work and of the source", async () => {
    async function* source() {
      yield 1;
      yield 2;
      throw new Error("source broke");
    }
    const seen: number[] = [];
    const run = async (fails: number) => {
      seen.length = 0;
      const work = async (item: number) => {
        if (item === fails) throw new Error("work broke");
        await sleep(5);
        return item;
      };
      for await (const item of mapAhead(source(), 3, work)) seen.push(item);
    };
    await expect(run(2)).rejects.toThrow("work broke");
    expect(seen).toEqual([1]);
    await expect(run(0)).rejects.toThrow("source broke");
    expect(seen).toEqual([1, 2]);
  });
});
