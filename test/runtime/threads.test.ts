import { availableParallelism } from "node:os";
import { expect, test } from "vitest";
import { availableCpus, cpusOfQuota } from "../../src/runtime/threads.ts";

test.each([
  ["max 100000\n", Number.POSITIVE_INFINITY],
  ["-1 100000", Number.POSITIVE_INFINITY],
  ["200000 100000\n", 2],
  ["150000 100000", 2],
  ["10000 100000", 1],
  ["", Number.POSITIVE_INFINITY],
  ["garbage", Number.POSITIVE_INFINITY],
])("a quota of %j is %d CPUs", (text, cpus) => {
  expect(cpusOfQuota(text)).toBe(cpus);
});

test("at least one CPU, at most those there are", () => {
  expect(availableCpus()).toBeGreaterThanOrEqual(1);
  expect(availableCpus()).toBeLessThanOrEqual(availableParallelism());
});
