// hrnet train: a recipe carried out.

import { join } from "node:path";
import { Command, Option } from "commander";
import { readRecipe } from "../recipe/read-recipe.ts";
import { DEVICES, type Device } from "../runtime/session.ts";
import { runTraining, type TrainingProgress, type TrainingResult } from "../training-runs/training-run.ts";
import { interruptSignal } from "./interrupt.ts";
import { wholeNumber } from "./options.ts";
import { createProgress, duration, significant } from "./progress.ts";

interface Options {
  readonly out?: string;
  readonly resume?: boolean;
  readonly device: Device;
  readonly threads?: number;
  readonly json?: boolean;
}

/** `epoch 3/210  batch 120/4682  loss 0.00051  lr 0.001  31.2 images/s  5 h 12 min left` */
function progressLine(state: TrainingProgress): string {
  return [
    `epoch ${state.epoch}/${state.epochs}`,
    `batch ${state.batch}/${state.batches}`,
    `step ${state.step}`,
    `loss ${state.loss.toPrecision(3)}`,
    `lr ${Number(state.learningRate.toPrecision(3))}`,
    `${significant(state.imagesPerSecond)} images/s`,
    `${duration(state.secondsLeft)} left`,
  ].join("  ");
}

function summary({ folder, finished, steps, best, files }: TrainingResult): string {
  const figure = best ? `best ${best.metric} ${best.value.toFixed(3)} after epoch ${best.epoch}; ` : "";
  const state = finished
    ? `finished after ${steps} steps`
    : `stopped after ${steps} steps; go on with --resume --out ${folder}`;
  return [
    `${figure}${state}`,
    ...Object.entries(files).map(([name, path]) => `${name.padEnd(6)} ${path}`),
  ].join("\n");
}

export function command(): Command {
  return new Command("hrnet train")
    .description(
      "Trains a network by a recipe. What a run leaves: checkpoints, figures, a report, the finished model.",
    )
    .argument("<recipe>", "name of a recipe that comes with the package, or a JSON file")
    .argument("[key=value...]", "changes to the recipe, such as epochs=5 or optimizer.learningRate=2e-4")
    .option("--out <dir>", "folder of the run (default: runs/<name of the recipe>)")
    .option("--resume", "go on with the run in that folder")
    .addOption(
      new Option("--device <name>", "where the network is trained").choices([...DEVICES]).default("cpu"),
    )
    .option("--threads <n>", "CPU threads of the step (default: all cores)", wholeNumber(1))
    .option("--json", "print the result as JSON")
    .addHelpText(
      "after",
      `
Examples:
  hrnet train hrnet-w32-coco-256x192 data.root=/data/coco
  hrnet train my-recipe.json epochs=20 batchSize=16 --out runs/first
  hrnet train my-recipe.json --out runs/first --resume

Every key of a recipe: docs/recipes.md`,
    )
    .action(async (name: string, overrides: string[], options: Options) => {
      const { signal, release } = interruptSignal();
      const progress = createProgress({ label: "train", unit: "steps", line: ({ note }) => note });
      try {
        const recipe = await readRecipe(name, overrides);
        const result = await runTraining(recipe, {
          out: options.out ?? join("runs", recipe.name),
          resume: options.resume ?? false,
          device: options.device,
          ...(options.threads !== undefined && { threads: options.threads }),
          signal,
          onLog: (line) => progress.log(line),
          onProgress: (state) => progress.update(state.step, progressLine(state)),
        });
        progress.finish(options.json ? "" : summary(result));
        if (options.json) process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
        if (!result.finished) process.exitCode = 130;
      } finally {
        release();
      }
    });
}
