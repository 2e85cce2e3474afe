// hrnet models: every named network with its size and cost, and the papers' figures beside ours.

import { Command } from "commander";
import { CONVENTIONS, figuresOf, type ModelFigures } from "../models/complexity.ts";
import { VARIANTS } from "../models/variants.ts";
import { formatTable } from "./table.ts";

function tableOf(figures: readonly ModelFigures[]): string {
  const rows = figures.map(({ name, task, input, params, macs, paper, gflopsAsPaper, note }) => [
    name,
    task,
    input.join("×"),
    params.toLocaleString("en"),
    (macs / 1e9).toFixed(3),
    paper ? `${paper.params}` : "–",
    paper ? `${paper.gflops}` : "–",
    gflopsAsPaper === null ? "–" : gflopsAsPaper.toPrecision(4),
    paper?.convention ?? "–",
    note ?? "",
  ]);
  const heading = [
    "name",
    "task",
    "input",
    "#params",
    "GMACs",
    "paper M",
    "paper GFLOPs",
    "ours so counted",
    "counted by",
    "note",
  ];
  return formatTable([heading, ...rows]);
}

function jsonOf(figures: readonly ModelFigures[]): string {
  const rows = figures.map(({ paper, ...rest }) => ({
    ...rest,
    paper: paper && {
      params: paper.params,
      gflops: paper.gflops,
      convention: paper.convention,
      source: paper.source,
    },
  }));
  return JSON.stringify(rows, null, 2);
}

export function command(): Command {
  return new Command("hrnet models")
    .description(
      "Lists every named network: input, parameters, multiply-adds, and the paper's figures beside ours.",
    )
    .argument("[text]", "only names that contain this")
    .option("--json", "JSON on stdout")
    .addHelpText(
      "after",
      `
Figures: #params exact; GMACs = exact multiply-accumulates ÷ 10⁹ at the input size shown.
The paper's GFLOPs stand beside our count by the paper's own rule:
${Object.entries(CONVENTIONS)
  .map(([name, { description }]) => `  ${name}: ${description}`)
  .join("\n")}

Examples:
  hrnet models
  hrnet models lite
  hrnet models --json > models.json`,
    )
    .action((text: string | undefined, options: { json?: boolean }) => {
      const figures = VARIANTS.filter(({ name }) => text === undefined || name.includes(text)).map(figuresOf);
      process.stdout.write(`${options.json ? jsonOf(figures) : tableOf(figures)}\n`);
    });
}
