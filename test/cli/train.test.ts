// hrnet train as users run it: the list, a run, Ctrl-C, going on.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { command } from "../../src/cli/train.ts";
import { listRecipes } from "../../src/recipe/read-recipe.ts";
import { runVerb } from "../helpers/cli.ts";
import { writeCocoFolder } from "../helpers/synthetic-data.ts";
import { tinyRecipe, validatedData, writeRecipe } from "../helpers/tiny-run.ts";

let root: string;
let recipe: string;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "hrnet-test-"));
  await writeCocoFolder(root, 8);
  const data = validatedData(root);
  recipe = writeRecipe(
    root,
    tinyRecipe(root, { data, validate: { flipTest: false, limit: 2 }, epochs: 1000 }),
  );
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Starts a run as a process and interrupts it `times` times once it trains. */
function interrupted(out: string, times: number): Promise<{ code: number | null; stderr: string }> {
  const main = new URL("../../src/cli/main.ts", import.meta.url).pathname;
  const args = ["--import", "tsx", main, "train", recipe, "--out", out, "--threads", "1"];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "pipe"] });
  let stderr = "";
  let sent = 0;
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    stderr += chunk;
    const due = /^epoch 1: /m.test(stderr) && (sent === 0 || stderr.includes("stopping after this batch"));
    if (due && sent < times) {
      sent++;
      child.kill("SIGINT");
    }
  });
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, stderr })));
}

test("without a recipe: those that ship, with the papers' figures", async () => {
  const names = await listRecipes();
  const [bare, listed] = [await runVerb(command()), await runVerb(command(), "--list")];
  expect(bare).toBe(listed);
  for (const name of names) expect(bare).toMatch(new RegExp(`^${name} +\\d+×\\d+ `, "m"));
  expect(bare).toMatch(/^hrnet-w32-coco-256x192 +256×192 +AP 74\.4 /m);
  const json = JSON.parse(await runVerb(command(), "--list", "--json"));
  expect(json.map(({ name }: { name: string }) => name)).toEqual(names);
  await expect(runVerb(command(), "--resume")).rejects.toThrow(/Give a recipe, or --resume with --out/);
  const nowhere = runVerb(command(), "--resume", "--out", join(root, "nowhere"));
  await expect(nowhere).rejects.toThrow(/nowhere holds no run to resume/);
});

test("Ctrl-C stops with a checkpoint and says how to go on, which JSON on stdout then tells of alone", async () => {
  const out = join(root, "stopped");
  const { code, stderr } = await interrupted(out, 1);
  expect(code).toBe(130);
  expect(stderr).toMatch(/^run folder .*stopped$/m);
  expect(stderr).toMatch(/^epoch 1: AP \d\.\d{3} {2}AP50 \d\.\d{3} {2}AR \d\.\d{3} {2}\(best\)$/m);
  expect(stderr).toContain("stopping after this batch, with a checkpoint; Ctrl-C again ends at once");
  expect(stderr).toMatch(/stopped after \d+ steps; go on with: hrnet train --resume --out .*stopped\nlast /);
  expect(existsSync(join(out, "last.safetensors"))).toBe(true);
  expect(readFileSync(join(out, "report.html"), "utf8")).toContain("stopped early");

  const epochs = Number(/stopped in epoch (\d+)/.exec(readFileSync(join(out, "metrics.jsonl"), "utf8"))![1]);
  const stdout = await runVerb(
    command(),
    ...[join(out, "recipe.json"), `epochs=${epochs}`, "--resume", "--out", out, "--json", "--threads", "1"],
  );
  const result = JSON.parse(stdout);
  expect(result).toMatchObject({ finished: true, epochs, steps: 2 * epochs, best: { metric: "AP" } });
  for (const file of Object.values<string>(result.files)) expect(existsSync(file), file).toBe(true);
});

test("a second Ctrl-C ends at once", async () => {
  const { code, stderr } = await interrupted(join(root, "killed"), 2);
  expect(code).toBe(130);
  expect(stderr).not.toMatch(/stopped after \d+ steps/);
});
