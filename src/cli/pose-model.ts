// The pose model that a command line asks for, and its estimator.

import type { Command } from "commander";
import { PoseEstimator, type PoseEstimatorOptions } from "../estimators/pose-estimator.ts";
import { defaultPoseModel } from "../model-file/embedded.ts";
import type { Model } from "../model-file/import-checkpoint.ts";
import { isOnnxFile, loadModel, loadRunnable } from "../model-file/load-model.ts";
import { type RunnableModel, toOnnx } from "../model-file/onnx-model.ts";
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
 * Reads the model that parsed options ask for; a published one that is not here yet is fetched, with progress.
 * @throws HRNetError as `defaultPoseModel`, `loadModel` and `loadRunnable` do
 */
export async function loadChosenModel(
  options: PoseModelCommandOptions,
  signal?: AbortSignal,
): Promise<Model | RunnableModel> {
  const source = options.model ?? defaultPoseModel();
  const { download, ...rest } = await loadOptions(source, options);
  const load = { ...rest, download: { ...download, ...(signal && { signal }) } };
  return isOnnxFile(source) ? loadRunnable(source, load) : (await loadModel(source, load)).model;
}

/**
 * The estimator of a model, run as parsed options say.
 * @throws HRNetError as `PoseEstimator.load` does
 */
export function estimatorOf(
  model: Model | RunnableModel,
  options: PoseModelCommandOptions,
  settings: PoseEstimatorOptions = {},
): Promise<PoseEstimator> {
  return PoseEstimator.load("onnx" in model ? model : toOnnx(model), {
    flipTest: options.flipTest ?? false,
    ...sessionOptions(options),
    ...settings,
  });
}

/**
 * Opens the estimator that parsed options ask for.
 * @throws HRNetError as {@link loadChosenModel} and {@link estimatorOf} do
 */
export async function loadEstimator(
  options: PoseModelCommandOptions,
  { signal, ...settings }: PoseEstimatorOptions & { readonly signal?: AbortSignal } = {},
): Promise<PoseEstimator> {
  return estimatorOf(await loadChosenModel(options, signal), options, settings);
}
