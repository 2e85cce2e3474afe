// The pose model that a command line asks for, and its estimator.

import type { Command } from "commander";
import { PoseEstimator, type PoseEstimatorOptions } from "../estimators/pose-estimator.ts";
import { defaultModel } from "../model-file/embedded.ts";
import { loadRunnable } from "../model-file/load-model.ts";
import { type CheckpointOptions, loadOptions } from "./load-options.ts";
import { type DeviceOptions, sessionOptions } from "./options.ts";

/** Options that choose and run a model. */
export interface PoseModelCommandOptions extends CheckpointOptions, DeviceOptions {
  readonly model?: string;
  readonly flipTest?: boolean;
}

/** `--model`; left out, it is the model that comes with the package. */
export function addModelOption(command: Command): Command {
  return command.option(
    "--model <name|file>",
    ".onnx, .pth, .safetensors, or the name of a published checkpoint",
  );
}

/**
 * Opens the estimator that parsed options ask for; a published model that is not here yet is fetched, with progress.
 * @throws HRNetError as `defaultModel`, `loadRunnable` and `PoseEstimator.load` do.
 */
export async function loadEstimator(
  options: PoseModelCommandOptions,
  { signal, ...settings }: PoseEstimatorOptions & { readonly signal?: AbortSignal } = {},
): Promise<PoseEstimator> {
  const model = options.model ?? defaultModel();
  const { download, ...load } = await loadOptions(model, options);
  const runnable = await loadRunnable(model, {
    ...load,
    download: { ...download, ...(signal && { signal }) },
  });
  return PoseEstimator.load(runnable, {
    flipTest: options.flipTest ?? false,
    ...sessionOptions(options),
    ...settings,
  });
}
