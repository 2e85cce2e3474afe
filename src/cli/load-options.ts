// Options of the verbs that read a checkpoint, and how they become load options.

import { type Command, Option } from "commander";
import type { LoadOptions } from "../model-file/load-model.ts";
import type { DownloadProgress } from "../weights/download.ts";
import {
  addPoseModelOptions,
  codecOptions,
  inputSize,
  type PoseModelOptions,
  skeletonOption,
  wholeNumber,
} from "./options.ts";
import { createProgress } from "./progress.ts";

/** Options of {@link addLoadOptions} as parsed. */
export interface CheckpointOptions extends PoseModelOptions {
  readonly arch?: string;
  readonly input?: [number, number];
  readonly keypoints?: number;
  readonly offline?: boolean;
}

/** What a checkpoint's names do not tell, or what shall be otherwise. */
export function addLoadOptions(command: Command): Command {
  return addPoseModelOptions(
    addArchitectureOptions(command).addOption(
      new Option("--input <size>", "input height x width, like 256x192").argParser(inputSize),
    ),
  );
}

/** The part of {@link addLoadOptions} that makes the network. */
export function addArchitectureOptions(command: Command): Command {
  return command
    .option("--arch <name>", "the network, instead of recognising it (`hrnet models` lists them)")
    .option(
      "--keypoints <n>",
      "number of keypoints or classes; another one starts a new head",
      wholeNumber(1),
    )
    .option("--offline", "use downloaded checkpoints only");
}

/** Downloads report to stderr. */
export function downloadProgress(name: string, quiet = false): (progress: DownloadProgress) => void {
  const report = createProgress({ label: `download ${name}`, unit: "bytes", quiet });
  return ({ received, total }) => {
    report.update(received, undefined, total);
    if (received === total) report.finish();
  };
}

/** Load options of parsed command-line options. `name` is what is loaded, for the progress line. */
export async function loadOptions(name: string, options: CheckpointOptions): Promise<LoadOptions> {
  const skeleton = await skeletonOption(options.skeleton);
  return {
    arch: options.arch,
    input: options.input,
    outputs: options.keypoints,
    codec: codecOptions(options),
    skeleton,
    download: { ...(options.offline && { offline: true }), onProgress: downloadProgress(name) },
  };
}
