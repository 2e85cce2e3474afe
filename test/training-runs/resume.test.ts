// A run that is stopped, or killed, and resumed gives the very numbers of one that was not.
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Recipe } from "../../src/recipe/schema.ts";
import { readTrainingCheckpoint } from "../../src/train/checkpoint.ts";
import { writeCocoFolder } from "../helpers/synthetic-data.ts";
import { eventsOf, runTiny, timelessFigures, tinyRecipe, validatedData } from "../helpers/tiny-run.ts";

let root: string;
let recipe: Recipe;
const out = (name: string): string => join(root, name);

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "hrnet-test-"));
  await writeCocoFolder(root, 14); // 7 batches of 2: accumulation crosses the ends of epochs
  recipe = tinyRecipe(root, {
    epochs: 3,
    batchSize: 2,
    accumulate: 3,
    data: validatedData(root),
    validate: { every: 2, flipTest: false, limit: 2 },
    ema: { decay: 0.9 },
    warmUp: { steps: 5, from: 0.1 },
    schedule: { type: "cosine" },
    seed: 7,
  });
  await runTiny(recipe, out("whole"));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Everything in a run's last checkpoint, weights and slots by name. */
async function stateOf(name: string) {
  const { weights, slots, run } = await readTrainingCheckpoint(join(out(name), "last.safetensors"));
  const tensors = new Map([...weights].map(([key, { data }]) => [key, data as ArrayLike<unknown>]));
  for (const [role, arrays] of slots)
    for (const [key, { data }] of arrays) tensors.set(`${role}/${key}`, data as ArrayLike<unknown>);
  const { recipe: _, pending, ...counts } = run;
  return { tensors, roles: [...slots.keys()], counts, pending: pending.length };
}

async function expectAsWhole(name: string): Promise<void> {
  const [ours, whole] = [await stateOf(name), await stateOf("whole")];
  expect(ours.counts).toEqual(whole.counts);
  expect(ours.pending).toBe(whole.pending);
  expect([...ours.tensors.keys()]).toEqual([...whole.tensors.keys()]);
  const different = [...whole.tensors].filter(([key, data]) => {
    const other = ours.tensors.get(key)!;
    return other.length !== data.length || Array.from(data).some((value, i) => !Object.is(value, other[i]));
  });
  expect(different.map(([key]) => key)).toEqual([]);
  expect(await timelessFigures(out(name))).toEqual(await timelessFigures(out("whole")));
  const best = (folder: string) => readFileSync(join(out(folder), "best.safetensors"));
  expect(best(name).equals(best("whole"))).toBe(true);
}

test("the uninterrupted run: 21 batches, 7 steps, all of its state in the checkpoint", async () => {
  const { counts, roles } = await stateOf("whole");
  expect(counts).toMatchObject({ epoch: 3, batch: 0, steps: 7, batches: 21, collected: 0 });
  expect(roles.sort()).toEqual(["average", "gradients", "moment1", "moment2"]);
  const figures = (await timelessFigures(out("whole"))) as { kind: string; learningRate: number }[];
  expect(figures.filter(({ kind }) => kind === "validation")).toHaveLength(2);
});

describe("resumed", () => {
  test("after signals in the middle of epochs, with another number of workers", async () => {
    const first = await runTiny(recipe, out("stopped"), { stopAfter: 4 });
    expect(first).toMatchObject({ finished: false, epochs: 0, steps: 1 });
    const second = await runTiny({ ...recipe, workers: 1 }, out("stopped"), { stopAfter: 7, resume: true });
    expect(second).toMatchObject({ finished: false, epochs: 1, steps: 3 }); // 11 batches
    const third = await runTiny(recipe, out("stopped"), { resume: true });
    expect(third).toMatchObject({ finished: true, steps: 7 });
    await expectAsWhole("stopped");
    expect(await eventsOf(out("stopped"))).toEqual([
      "stopped in epoch 1 after batch 4",
      "resumed in epoch 1 after batch 4",
      "stopped in epoch 2 after batch 4",
      "resumed in epoch 2 after batch 4",
    ]);
  });

  test("after a validation that a signal cut short", async () => {
    const controller = new AbortController();
    const { finished } = await runTiny(recipe, out("validating"), {
      signal: controller.signal,
      onProgress: ({ validation, epoch }) => {
        if (validation && epoch === 2) controller.abort();
      },
    });
    expect(finished).toBe(false);
    expect((await stateOf("validating")).counts).toMatchObject({ epoch: 1, batch: 7 });
    await runTiny(recipe, out("validating"), { resume: true });
    await expectAsWhole("validating");
  });

  test("after a crash, from the last checkpoint of a step; checkpoints are kept as asked", async () => {
    const careful: Recipe = { ...recipe, checkpoint: { every: 2, unit: "step", keep: 2 } };
    let batches = 0;
    const crash = runTiny(careful, out("crashed"), {
      onProgress: ({ validation }) => {
        if (!validation && ++batches === 17) throw new Error("out of power");
      },
    });
    await expect(crash).rejects.toThrow("out of power");
    appendFileSync(join(out("crashed"), "metrics.jsonl"), '{"kind":"step","st'); // torn
    expect(readFileSync(join(out("crashed"), "report.html"), "utf8")).toContain("failed: out of power");
    expect((await stateOf("crashed")).counts).toMatchObject({ steps: 4, batches: 12 });
    const kept = () => readdirSync(out("crashed")).filter((name) => name.startsWith("step-"));
    expect(kept()).toEqual(["step-00000002.safetensors"]);
    await runTiny(careful, out("crashed"), { resume: true });
    expect(kept()).toEqual(["step-00000006.safetensors"]);
    await expectAsWhole("crashed");
  });

  test("more epochs go on from a finished run; another recipe is refused", async () => {
    const other = runTiny({ ...recipe, batchSize: 4, seed: 8 }, out("whole"), { resume: true });
    await expect(other).rejects.toThrow(/begun with another batchSize, seed/);
    const longer = await runTiny({ ...recipe, epochs: 4 }, out("whole"), { resume: true });
    expect(longer).toMatchObject({ finished: true, epochs: 4, steps: 9 });
    expect(longer.lines).toContain("epochs: 3 before, 4 now");
    const again = await runTiny({ ...recipe, epochs: 3 }, out("whole"), { resume: true });
    expect(again).toMatchObject({ finished: true, steps: 9 }); // nothing is left to do
  });
});
