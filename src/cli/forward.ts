// hrnet forward: a network on a plain array, to compare with any other implementation.

import { Command } from "commander";
import { HRNetError } from "../errors.ts";
import { writeFileAtomic } from "../files/atomic-write.ts";
import { loadModel, refuseNetworkChanges } from "../model-file/load-model.ts";
import { readOnnxBytes, toOnnx } from "../model-file/onnx-model.ts";
import { fieldsOfOfficialConfig } from "../models/official-config.ts";
import { openSession } from "../runtime/node.ts";
import type { ModelSession } from "../runtime/session.ts";
import { toFloat32 } from "../tensor/float16.ts";
import { encodeNpy, readNpy } from "../tensor/npy.ts";
import { formatShape, type Tensor, tensor } from "../tensor/tensor.ts";
import { encodeSafetensors } from "../weights/safetensors.ts";
import { addArchitectureOptions, type CheckpointOptions, loadOptions } from "./load-options.ts";
import { addDeviceOptions, type DeviceOptions, jsonOption, sessionOptions } from "./options.ts";

interface Options extends Omit<CheckpointOptions, "input">, DeviceOptions {
  readonly model: string;
  readonly input: string;
  readonly output: string;
  readonly outputName?: string;
  readonly config?: string;
  readonly json?: boolean;
}

/** The array as float32 N×C×H×W. */
async function readInput(path: string): Promise<Tensor<"float32">> {
  const array = await readNpy(path);
  if (array.shape.length !== 4) {
    throw new HRNetError(
      "invalid-shape",
      `${path} has shape ${formatShape(array.shape)}; expected N×3×height×width, normalised as the network wants it.`,
    );
  }
  return tensor("float32", array.shape, toFloat32(array));
}

/** An .onnx as it is, or the network of a checkpoint at the array's size. */
async function modelBytes(options: Options, [, , height, width]: readonly number[]): Promise<Uint8Array> {
  if (/\.onnx$/i.test(options.model)) {
    refuseNetworkChanges(options.model, {
      arch: options.arch,
      outputs: options.keypoints,
      config: options.config === undefined ? undefined : {},
    });
    return readOnnxBytes(options.model);
  }
  const { input: _array, ...rest } = options;
  const config = await jsonOption(options.config, "--config");
  if (config !== undefined && (typeof config !== "object" || config === null || Array.isArray(config))) {
    throw new HRNetError(
      "usage",
      "--config must be a JSON object: a network configuration, or fields of one.",
    );
  }
  const { model } = await loadModel(options.model, {
    ...(await loadOptions(options.model, rest)),
    input: [height!, width!],
    config: config === undefined ? undefined : fieldsOfOfficialConfig(config),
  });
  return toOnnx(model).onnx;
}

/** The output by its name, or the last: the one the official test code takes of several. */
function chooseOutput(session: ModelSession, wanted: string | undefined): string {
  const names = session.outputs.map(({ name }) => name);
  const name = wanted ?? names.at(-1)!;
  if (names.includes(name)) return name;
  throw new HRNetError("usage", `The network has no output ${name}; it has ${names.join(", ")}.`);
}

export function command(): Command {
  const verb = new Command("hrnet forward")
    .description(
      "Runs a network on a .npy array and writes the result: the check against any other implementation.\n" +
        "The array is N×3×height×width, already normalised; the network is built for its size.",
    )
    .requiredOption("--model <file>", ".pth, .safetensors, .onnx, or the name of a published checkpoint")
    .requiredOption("--input <x.npy>", "input array, N×3×height×width")
    .requiredOption("--output <y.npy>", "where to write the output; a .safetensors gets every output by name")
    .option("--output-name <name>", "which output, where a network has several (default: the last)")
    .option(
      "--config <json|file>",
      "network configuration, or fields of it to change: ours, or an official one (yaml as JSON, mm dict)",
    )
    .option("--json", "what was done as JSON on stdout");
  return addDeviceOptions(addArchitectureOptions(verb))
    .addHelpText(
      "after",
      `
Examples:
  hrnet forward --model w32.pth --input x.npy --output y.npy
  hrnet forward --model seg.pth --input x.npy --output y.npy --config '{"upsample":"bilinear-align-corners"}'
  hrnet forward --model lite.pth --input x.npy --output y.npy --config '{"fuse":"clean"}'
  hrnet forward --model detector.pth --input x.npy --output levels.safetensors`,
    )
    .action(async (options: Options) => {
      const x = await readInput(options.input);
      const onnx = await modelBytes(options, x.shape);
      await using session = await openSession(onnx, {
        ...sessionOptions(options),
        transfer: true,
        // For comparison, not for speed: ONNX Runtime's blocked CPU layout sums in another order than PyTorch does.
        graphOptimization: "extended",
      });
      const name = chooseOutput(session, options.outputName);
      const inputName = session.inputs[0]!.name;
      const outputs = await session.run({ [inputName]: x }, { transfer: true });
      const all = /\.safetensors$/i.test(options.output);
      const y = outputs[name]!;
      await writeFileAtomic(
        options.output,
        all ? encodeSafetensors(Object.entries(outputs), { format: "pt" }) : encodeNpy(y),
      );
      const shapes = Object.fromEntries(
        Object.entries(outputs)
          .filter(([key]) => all || key === name)
          .map(([key, { shape }]) => [key, shape]),
      );
      const list = Object.entries(shapes).map(([key, shape]) => `${key} ${formatShape(shape)}`);
      process.stdout.write(
        options.json
          ? `${JSON.stringify({ output: options.output, outputs: shapes, device: session.device })}\n`
          : `wrote ${options.output}: ${list.join(", ")}\n`,
      );
    });
}
