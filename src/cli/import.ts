// hrnet import: a published checkpoint to a .safetensors of ours, with an account of every weight.

import { Command, Option } from "commander";
import type { ImportReport } from "../model-file/import-checkpoint.ts";
import { loadModel, saveModel } from "../model-file/load-model.ts";
import { addLoadOptions, type CheckpointOptions, loadOptions } from "./load-options.ts";

interface Options extends CheckpointOptions {
  readonly out?: string;
  readonly json?: boolean;
  readonly normalization?: "ordinary" | "inplace-abn";
}

/** So many names are listed for each reason; `--json` has all. */
const LISTED = 5;

/** `  head replaced (2): final_layer.weight, final_layer.bias` for each reason. */
function ignoredLines(ignored: ImportReport["ignored"]): string[] {
  const reasons = [...new Set(ignored.map(({ reason }) => reason))];
  return reasons.map((reason) => {
    const names = ignored.filter((item) => item.reason === reason).map(({ name }) => name);
    const more = names.length > LISTED ? ", …" : "";
    return `  ${reason} (${names.length}): ${names.slice(0, LISTED).join(", ")}${more}`;
  });
}

function reportText(report: ImportReport): string {
  const { architecture, codeBase, loaded, ignored, initialized, zeroed, converted, reordered } = report;
  return [
    `architecture ${architecture}, weights of ${codeBase}`,
    `loaded ${loaded}, ignored ${ignored.length}, missing 0`,
    ...ignoredLines(ignored),
    ...(initialized.length > 0
      ? [`initialised afresh (${initialized.length}): ${initialized.join(", ")}`]
      : []),
    ...(zeroed.length > 0
      ? [`biases the file does without, set to 0 (${zeroed.length}): ${zeroed.join(", ")}`]
      : []),
    ...(reordered.length > 0
      ? [`classes with the background first (${reordered.length}): it is the last one now`]
      : []),
    ...(converted.length > 0
      ? [
          `normalisations of InPlace-ABN (${converted.length}): their scales became |scale| + 10⁻⁵; if they are ordinary ones, say --normalization ordinary`,
        ]
      : []),
  ].join("\n");
}

export function command(): Command {
  const verb = new Command("hrnet import")
    .description(
      "Reads a checkpoint (.pth, .pth.tar, .safetensors, or the name of a published one), recognises network and code\n" +
        "base from the names of its weights, and says what was loaded, what was ignored and why.",
    )
    .argument("<checkpoint>", "file, or name (`hrnet download` lists them)")
    .option("--out <file>", "write the model as .safetensors")
    .addOption(
      new Option(
        "--normalization <kind>",
        "what a segmentation checkpoint has (default: inplace-abn where batch counters are missing)",
      ).choices(["ordinary", "inplace-abn"]),
    )
    .option("--json", "the report as JSON on stdout");
  return addLoadOptions(verb)
    .addHelpText(
      "after",
      `
Examples:
  hrnet import pose_hrnet_w32_256x192.pth --out w32.safetensors
  hrnet import hrnet-w32-coco-256x192 --out w32.safetensors
  hrnet import w32.pth --keypoints 5 --skeleton hand.json --out hand.safetensors    a new head to train`,
    )
    .action(async (source: string, options: Options) => {
      const { model, report } = await loadModel(source, {
        ...(await loadOptions(source, options)),
        normalization: options.normalization,
      });
      if (options.out !== undefined) await saveModel(options.out, model);
      const { name, task, input } = model.description;
      const written = options.out ?? null;
      process.stdout.write(
        options.json
          ? `${JSON.stringify({ name, task, input, ...report, missing: [], out: written }, null, 2)}\n`
          : `${reportText(report)}\n${written === null ? "" : `wrote ${written}\n`}`,
      );
    });
}
