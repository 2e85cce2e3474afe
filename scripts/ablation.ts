// Ablations of the papers at a small budget: each group of networks trained alike on drawn people, as one table.
// Usage: npm run ablation -- [--out DIR] [--seeds N] [--epochs N] [--train N] [--only GROUP]
// A run that is stopped goes on where it was: finished trainings are not done again.

import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { countParameters } from "../src/models/complexity.ts";
import { findVariant } from "../src/models/find-variant.ts";
import { buildNetwork, type NetworkConfigInput, parseNetworkConfig } from "../src/models/network.ts";
import { parseRecipe } from "../src/recipe/read-recipe.ts";
import { writeSyntheticDataset } from "../src/synthetic/dataset.ts";
import { runTraining } from "../src/training-runs/training-run.ts";

const { values: options } = parseArgs({
  options: {
    out: { type: "string", default: "runs/ablation" },
    seeds: { type: "string", default: "1" },
    epochs: { type: "string", default: "5" },
    train: { type: "string", default: "2000" },
    only: { type: "string" },
  },
});
const [seeds, epochs, train] = [options.seeds, options.epochs, options.train].map(Number) as [
  number,
  number,
  number,
];
const INPUT = [128, 96] as const;
const BATCH = 16;

/** A network to train, and the paper's figure for it. */
interface Entry {
  readonly name: string;
  /** Folder of its trainings; a network of two groups is trained once. */
  readonly run: string;
  readonly network: NetworkConfigInput;
  readonly paper: string;
}

const head = { type: "heatmap", channels: 17 } as const;

/** HRNet of the usual plan, a quarter as wide as W32 and with fewer modules. */
const narrow = (fusion: "within" | "across" | "final"): NetworkConfigInput => ({
  family: "hrnet",
  stem: 16,
  stage1: { blocks: 1, planes: 8 },
  stages: [1, 2, 2].map((modules, stage) => ({
    modules,
    blocks: Array<number>(stage + 2).fill(2),
    channels: Array.from({ length: stage + 2 }, (_, branch) => 8 * 2 ** branch),
  })),
  fusion,
  head,
});

const named = (name: string, changes: object = {}): NetworkConfigInput => ({
  ...(findVariant(name).config as NetworkConfigInput),
  ...changes,
});

/** What is compared with what. Figures of the papers: AP on COCO val2017 (TPAMI Table XII), Lite-HRNet Tables 1 and 7. */
const GROUPS: Readonly<Record<string, { readonly title: string; readonly entries: readonly Entry[] }>> = {
  fusion: {
    title: "Exchange between resolutions (HRNet, narrow)",
    entries: [
      { name: "final", run: "final-fusion", network: narrow("final"), paper: "70.8" },
      { name: "across stages", run: "across-fusion", network: narrow("across"), paper: "71.9" },
      { name: "across and within", run: "within-fusion", network: narrow("within"), paper: "73.4" },
    ],
  },
  "lite-fuse": {
    title: "Sums of Lite-HRNet-18",
    entries: [
      { name: "released code", run: "lite-hrnet-18", network: named("lite-hrnet-18"), paper: "64.8" },
      {
        name: "as in the paper's formula",
        run: "lite-hrnet-18-clean",
        network: named("lite-hrnet-18", { fuse: "clean" }),
        paper: "–",
      },
    ],
  },
  weighting: {
    title: "Conditional channel weighting against 1×1 convolutions (18 layers, 40 channels)",
    entries: [
      {
        name: "two 1×1 (wider naive)",
        run: "wider-naive",
        network: named("wider-naive-lite-hrnet-18"),
        paper: "65.7",
      },
      {
        name: "none",
        run: "no-pointwise",
        network: named("wider-naive-lite-hrnet-18-no-pointwise"),
        paper: "61.3",
      },
      { name: "spatial weights", run: "spatial", network: named("lite-hrnet-18-spatial"), paper: "62.6" },
      {
        name: "cross-resolution weights",
        run: "cross-resolution",
        network: named("lite-hrnet-18-cross-resolution"),
        paper: "63.0",
      },
      { name: "both (Lite-HRNet)", run: "lite-hrnet-18", network: named("lite-hrnet-18"), paper: "64.8" },
    ],
  },
};

/** A finished training: AP of the last epoch. */
async function trainOne(entry: Entry, seed: number, data: string): Promise<number> {
  const out = join(options.out, `${entry.run}-${seed}`);
  const result = join(out, "ablation.json");
  if (existsSync(result)) return (JSON.parse(await readFile(result, "utf8")) as { AP: number }).AP;
  const recipe = parseRecipe({
    name: entry.run,
    task: "pose",
    network: entry.network,
    input: INPUT,
    skeleton: "coco-17",
    codec: { name: "udp", sigma: 1.5 },
    data: {
      root: data,
      train: [
        { format: "coco", annotations: "annotations/person_keypoints_train.json", images: "images/train" },
      ],
      validation: {
        format: "coco",
        annotations: "annotations/person_keypoints_val.json",
        images: "images/val",
      },
    },
    augmentation: { order: "mmpose", scaleFactor: 0.15, rotationFactor: 10, flipProbability: 0.5 },
    optimizer: { type: "adam", learningRate: 4e-3 },
    schedule: { type: "cosine" },
    warmUp: { steps: 30, from: 0.1 },
    epochs,
    batchSize: BATCH,
    replicas: 2,
    validate: { every: epochs },
    checkpoint: { every: 1 },
    seed,
  });
  const resume = existsSync(join(out, "last.safetensors"));
  const { best } = await runTraining(recipe, { out, resume, onLog: (line) => console.error(`  ${line}`) });
  const AP = best!.value;
  await writeFile(result, JSON.stringify({ AP }));
  return AP;
}

const data = join(options.out, "data");
if (!existsSync(join(data, "annotations", "person_keypoints_val.json"))) {
  // The tutorial's people: what networks of random weights learn in minutes.
  await writeSyntheticDataset(data, {
    ...{ width: 192, height: 144, train, val: 300, seed: 5 },
    ...{ people: 1, poses: ["standing", "walking"], yaw: [-20, 20], difficulty: 0.1 },
  });
}
const lines: string[] = [];
for (const [group, { title, entries }] of Object.entries(GROUPS)) {
  if (options.only !== undefined && options.only !== group) continue;
  lines.push(
    `### ${title}`,
    "",
    "| network | #params | AP here (mean, each seed) | AP in the paper |",
    "|---|---|---|---|",
  );
  for (const entry of entries) {
    const scores: number[] = [];
    for (let seed = 1; seed <= seeds; seed++) {
      console.error(`${group}: ${entry.name}, seed ${seed}`);
      scores.push(await trainOne(entry, seed, data));
    }
    const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length;
    const network = buildNetwork(parseNetworkConfig(entry.network), INPUT);
    const params = (countParameters(network.parameters) / 1e6).toFixed(2);
    const each = scores.map((score) => (100 * score).toFixed(1)).join(", ");
    lines.push(`| ${entry.name} | ${params} M | **${(100 * mean).toFixed(1)}** (${each}) | ${entry.paper} |`);
  }
  lines.push("");
}
console.log(lines.join("\n"));
