// The benchmark: every comparison from one run on one machine, as a table or (--json) as data.

import { createRequire } from "node:module";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { commandRows } from "./command.ts";
import { detectionRows } from "./detection.ts";
import { forwardRows } from "./forward.ts";
import type { Group, Row } from "./measure.ts";
import { SIZE } from "./networks.ts";
import { segmentationRows } from "./segmentation.ts";
import { torchRows } from "./torch-peer.ts";
import { trainingRows } from "./training.ts";

const { values: options } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    threads: { type: "string", default: "2" },
    rounds: { type: "string", default: "10" },
    only: { type: "string", multiple: true, default: [] },
  },
});
const threads = Number(options.threads);
const rounds = Number(options.rounds);
if (![threads, rounds].every((count) => Number.isInteger(count) && count >= 1)) {
  throw new Error("--threads and --rounds must be whole numbers from 1 on.");
}

/** Forward passes of large pictures take seconds, too. */
const largeRounds = Math.max(3, Math.ceil(rounds / 3));

/** A step takes seconds: fewer turns do. */
const trainingRounds = Math.max(3, Math.ceil(rounds / 2));

/** Every group of rows, by the name that `--only` takes (more than once for several), in the order of the table. */
const GROUPS: Readonly<Record<string, () => Promise<Group>>> = {
  torch: () => torchRows(threads, rounds),
  forward: () => forwardRows(threads === 1 ? [1] : [threads, 1], rounds),
  training: () => trainingRows(threads, trainingRounds),
  segmentation: () => segmentationRows(threads, largeRounds),
  detection: () => detectionRows(threads, largeRounds),
  command: () => commandRows(threads, rounds),
};
const unknown = options.only.find((name) => !Object.hasOwn(GROUPS, name));
if (unknown !== undefined) {
  throw new Error(`--only was given as ${unknown}; the groups are ${Object.keys(GROUPS).join(", ")}.`);
}
const groups = Object.entries(GROUPS).filter(
  ([name]) => options.only.length === 0 || options.only.includes(name),
);

const { version } = createRequire(import.meta.url)("onnxruntime-node/package.json") as { version: string };
const machine = {
  cpu: cpus()[0]!.model,
  cores: cpus().length,
  node: process.version,
  onnxruntime: version,
  threads,
  input: `${SIZE[0]}×${SIZE[1]}`,
  protocol: `${rounds} rounds in turns after warm-up, medians, batch 1 unless said`,
};

const rows: Row[] = [];
const notes: string[] = [];
for (const [, run] of groups) {
  const result = await run();
  rows.push(...result.rows);
  notes.push(...result.notes);
}

if (options.json) {
  process.stdout.write(`${JSON.stringify({ machine, rows, notes }, undefined, 2)}\n`);
} else {
  const number = (value: number): string => value.toFixed(2);
  const header = ["what", "ours", "peer", "unit", "ratio", "target", ""];
  const verdict = ({ ratio, target }: Row): string =>
    target === undefined ? "" : ratio >= target ? "met" : "missed";
  const lines = rows.map((row) => [
    row.name,
    number(row.ours),
    number(row.peer),
    row.unit,
    `${number(row.ratio)}×`,
    row.target === undefined ? "" : `≥ ${Number(row.target.toFixed(2))}×`,
    verdict(row),
  ]);
  const widths = header.map((_, column) =>
    Math.max(...[header, ...lines].map((line) => line[column]!.length)),
  );
  const format = (line: readonly string[]): string =>
    line
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)))
      .join("  ")
      .trimEnd();
  const about = Object.entries(machine).map(([key, value]) => `${key}: ${value}`);
  process.stdout.write(`${[...about, "", format(header), ...lines.map(format), "", ...notes].join("\n")}\n`);
}
