// hrnet export: a model as one self-contained .onnx.

import { Command, Option } from "commander";
import { HRNetError } from "../errors.ts";
import { writeFileAtomic } from "../files/atomic-write.ts";
import { loadModel } from "../model-file/load-model.ts";
import { PRECISIONS, type Precision, toOnnx } from "../model-file/onnx-model.ts";
import { addLoadOptions, type CheckpointOptions, loadOptions } from "./load-options.ts";
import { byteSize } from "./progress.ts";

interface Options extends CheckpointOptions {
  readonly out: string;
  readonly precision: Precision;
  readonly json?: boolean;
}

export function command(): Command {
  const verb = new Command("hrnet export")
    .description(
      "Writes a model as one .onnx: batch normalisation folded, any batch size, and preprocessing, keypoints and\n" +
        "provenance in its metadata. It runs in any ONNX runtime and in `hrnet pose`.",
    )
    .argument("<checkpoint>", ".pth, .safetensors, or the name of a published checkpoint")
    .requiredOption("--out <file.onnx>", "where to write")
    .addOption(
      new Option("--precision <name>", "of weights and computation; input and output stay float32")
        .choices(PRECISIONS)
        .default("fp32"),
    )
    .option("--json", "what was written as JSON on stdout");
  return addLoadOptions(verb)
    .addHelpText(
      "after",
      `
Examples:
  hrnet export w32.pth --out w32.onnx
  hrnet export lite-hrnet-18-coco-256x192 --out lite.onnx --precision fp16`,
    )
    .action(async (source: string, options: Options) => {
      if (!/\.onnx$/i.test(options.out)) {
        throw new HRNetError("usage", `--out ${options.out}: the name must end in .onnx.`);
      }
      const { model } = await loadModel(source, await loadOptions(source, options));
      const { onnx, description } = toOnnx(model, options.precision);
      await writeFileAtomic(options.out, onnx);
      const { name, input } = description;
      process.stdout.write(
        options.json
          ? `${JSON.stringify({ out: options.out, bytes: onnx.byteLength, name, input, precision: options.precision })}\n`
          : `wrote ${options.out}: ${name}, ${input.join("×")}, ${options.precision}, ${byteSize(onnx.byteLength)}\n`,
      );
    });
}
