// hrnet train: a recipe carried out.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { Command, Option } from "commander";
import { HRNetError } from "../errors.ts";
import { listRecipes, readRecipe } from "../recipe/read-recipe.ts";
import { DEVICES, type Device } from "../runtime/session.ts";
import { RUN_FILES } from "../training-runs/run-files.ts";
import type { TrainingResult } from "../training-runs/run-options.ts";
import { runTraining } from "../training-runs/training-run.ts";
import { interruptSignal } from "./interrupt.ts";
import { wholeNumber } from "./options.ts";
import { formatTable } from "./table.ts";
import { createTrainProgress } from "./train-progress.ts";

interface Options {
  readonly out?: string;
  readonly resume?: boolean;
  readonly device: Device | "auto";
  readonly threads?: number;
  readonly list?: boolean;
  readonly json?: boolean;
}

/** Exit code of work that Ctrl-C has ended. */
const INTERRUPTED = 130;

function summary({ folder, finished, steps, best, files }: TrainingResult): string {
  const figure = best ? `best ${best.metric} ${best.value.toFixed(3)} after epoch ${best.epoch}; ` : "";
  const state = finished
    ? `finished after ${steps} steps`
    : `stopped after ${steps} steps; go on with: hrnet train --resume --out ${folder}`;
  return [
    `${figure}${state}`,
    ...Object.entries(files).map(([name, path]) => `${name.padEnd(6)} ${path}`),
  ].join("\n");
}

/** The recipes that come with the package. */
async function printRecipes(json: boolean): Promise<void> {
  const recipes = await Promise.all((await listRecipes()).map((name) => readRecipe(name)));
  if (json) {
    const rows = recipes.map(({ name, task, network, input, about, paper }) => ({
      name,
      task,
      network,
      input,
      about,
      paper,
    }));
    process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`);
    return;
  }
  const rows = recipes.map(({ name, input, paper }) => [
    name,
    input.join("×"),
    paper ? `${paper.metric} ${paper.value}` : "–",
    paper?.of ?? "",
  ]);
  const table = formatTable([["recipe", "input", "paper", "printed in"], ...rows]);
  process.stdout.write(
    `${table}\n\nhrnet train <recipe> data.root=<folder> carries one out; docs/train.md tells how to write your own.\n`,
  );
}

/** The recipe to carry out: the one given, or with `--resume` the one in the run's folder. */
async function recipeOf(name: string | undefined, overrides: readonly string[], { out, resume }: Options) {
  if (name !== undefined) return readRecipe(name, overrides);
  if (resume && out !== undefined) {
    const path = join(out, RUN_FILES.recipe);
    if (existsSync(path)) return readRecipe(path);
    throw new HRNetError("usage", `${out} holds no run to resume: there is no ${path}.`);
  }
  throw new HRNetError(
    "usage",
    "Give a recipe, or --resume with --out and the folder of the run to go on with.",
  );
}

async function train(name: string | undefined, overrides: readonly string[], options: Options) {
  const { signal, release } = interruptSignal();
  const progress = createTrainProgress({ quiet: options.json ?? false });
  const onStop = (): void =>
    progress.log("stopping after this batch, with a checkpoint; Ctrl-C again ends at once, without one");
  signal.addEventListener("abort", onStop, { once: true });
  try {
    const recipe = await recipeOf(name, overrides, options);
    const out = options.out ?? join("runs", recipe.name);
    progress.log(`run folder ${out}`);
    const result = await runTraining(recipe, {
      out,
      resume: options.resume ?? false,
      device: options.device,
      ...(options.threads !== undefined && { threads: options.threads }),
      signal,
      onLog: progress.log,
      onProgress: progress.update,
    });
    progress.finish(summary(result));
    if (options.json) process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
    if (!result.finished) process.exitCode = INTERRUPTED;
  } finally {
    progress.finish("");
    release();
  }
}

export function command(): Command {
  return new Command("hrnet train")
    .description(
      "Trains a network by a recipe. What a run leaves: checkpoints, figures, a report, the finished model.",
    )
    .argument("[recipe]", "name of a recipe that comes with the package, or a JSON file; none: lists them")
    .argument("[key=value...]", "changes to the recipe, such as epochs=5 or optimizer.learningRate=2e-4")
    .option("--out <dir>", "folder of the run (default: runs/<name of the recipe>)")
    .option("--resume", "go on with the run in that folder")
    .addOption(
      new Option("--device <name>", "where the network is trained; auto: on a GPU (WebGPU) if there is one")
        .choices(["auto", ...DEVICES])
        .default("cpu"),
    )
    .option("--threads <n>", "CPU threads of the step (default: all cores)", wholeNumber(1))
    .option("--list", "list the recipes that come with the package")
    .option("--json", "print the result (or the list) as JSON")
    .addHelpText(
      "after",
      `
Ctrl-C stops after the batch in work, with a checkpoint (exit code 130).

Examples:
  hrnet train --list
  hrnet train hrnet-w32-coco-256x192 data.root=/data/coco
  hrnet train my-recipe.json epochs=20 batchSize=16 --out runs/first
  hrnet train --resume --out runs/first

Training on your own data: docs/train.md. Every key of a recipe: docs/recipes.md`,
    )
    .action(async (name: string | undefined, overrides: string[], options: Options) => {
      const bare = name === undefined && !options.resume && options.out === undefined;
      if (options.list || bare) await printRecipes(options.json ?? false);
      else await train(name, overrides, options);
    });
}
