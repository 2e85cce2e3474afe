// Training runs small enough for tests: a network of two channels on a few drawn persons.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseRecipe } from "../../src/recipe/read-recipe.ts";
import type { PoseRecipe, Recipe, RecipeInput } from "../../src/recipe/schema.ts";

type PoseRecipeInput = Extract<RecipeInput, { task: "pose" }>;

import { type MetricsRecord, readMetricsLog } from "../../src/report/metrics-log.ts";
import type { TrainingResult, TrainingRunOptions } from "../../src/training-runs/run-options.ts";
import { runTraining } from "../../src/training-runs/training-run.ts";
import { tinyPose } from "./tiny-models.ts";

const set = {
  format: "coco",
  annotations: "annotations/person_keypoints_val2017.json",
  images: "val2017",
} as const;

/** A recipe on the data of `writeCocoFolder(root, …)`, without validation; `changes` replace whole keys. */
export function tinyRecipe(root: string, changes: Partial<PoseRecipeInput> = {}): PoseRecipe {
  const recipe = parseRecipe({
    name: "tiny",
    task: "pose",
    network: { ...tinyPose() },
    input: [64, 64],
    data: { root, train: [set] },
    optimizer: { type: "adam", learningRate: 1e-3 },
    epochs: 1,
    batchSize: 4,
    workers: 0,
    ...changes,
  });
  if (recipe.task !== "pose") throw new Error("the tiny recipe is for pose");
  return recipe;
}

/** `data` of a recipe that also validates on its training data. */
export const validatedData = (root: string) => ({ root, train: [set], validation: set });

/** Carries a recipe out on one thread; `stopAfter` batches a signal stops it. */
export async function runTiny(
  recipe: Recipe,
  out: string,
  { stopAfter, ...options }: Partial<TrainingRunOptions> & { stopAfter?: number } = {},
): Promise<TrainingResult & { readonly lines: readonly string[] }> {
  const lines: string[] = [];
  const controller = new AbortController();
  let batches = 0;
  const result = await runTraining(recipe, {
    out,
    threads: 1,
    signal: controller.signal,
    onLog: (line) => lines.push(line),
    onProgress: ({ validation }) => {
      if (!validation && ++batches === stopAfter) controller.abort();
    },
    ...options,
  });
  return { ...result, lines };
}

/** Figures of a run's log without what depends on time. */
export async function timelessFigures(out: string): Promise<unknown[]> {
  const records: MetricsRecord[] = await readMetricsLog(join(out, "metrics.jsonl"));
  return records
    .filter(({ kind }) => kind !== "event")
    .map((record) => ({ ...record, time: 0, imagesPerSecond: 0, waitShare: 0 }));
}

/** Texts of the events in a run's log. */
export async function eventsOf(out: string): Promise<string[]> {
  const records = await readMetricsLog(join(out, "metrics.jsonl"));
  return records.flatMap((record) => (record.kind === "event" ? [record.text] : []));
}

/** Writes a recipe as a file for the command line. */
export function writeRecipe(folder: string, recipe: Recipe): string {
  const path = join(folder, "recipe.json");
  writeFileSync(path, JSON.stringify(recipe));
  return path;
}
