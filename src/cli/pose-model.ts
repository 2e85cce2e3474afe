// The pose model that a command line asks for, and its estimator.

import { HRNetError } from "../errors.ts";
import { PoseEstimator, type PoseEstimatorOptions } from "../estimators/pose-estimator.ts";
import { loadRunnable } from "../model-file/load-model.ts";
import { type CheckpointOptions, loadOptions } from "./load-options.ts";
import { type DeviceOptions, sessionOptions } from "./options.ts";

/** Options that choose and run a model. */
export interface PoseModelCommandOptions extends CheckpointOptions, DeviceOptions {
  readonly model?: string;
  readonly flipTest?: boolean;
}

/** A small published checkpoint that runs fast everywhere. */
export const SUGGESTED_MODEL = "lite-hrnet-18-coco-256x192";

/**
 * The model a command line names.
 * @throws HRNetError `usage` without one; names the command that fetches a published one.
 */
export function requireModel(model: string | undefined): string {
  if (model !== undefined) return model;
  // Started through a script of a clone's package.json, the command is not on the path.
  const hrnet = process.env["npm_lifecycle_event"] === undefined ? "hrnet" : "npm run hrnet --";
  throw new HRNetError(
    "usage",
    `A model is needed: --model FILE (.onnx, .pth, .safetensors) or the name of a published one. This fetches one:\n` +
      `  ${hrnet} download ${SUGGESTED_MODEL}\nThen give --model ${SUGGESTED_MODEL}.`,
  );
}

/**
 * Opens the estimator that parsed options ask for; a published model that is not here yet is fetched, with progress.
 * @throws HRNetError as `loadRunnable` and `PoseEstimator.load` do.
 */
export async function loadEstimator(
  model: string,
  options: PoseModelCommandOptions,
  { signal, ...settings }: PoseEstimatorOptions & { readonly signal?: AbortSignal } = {},
): Promise<PoseEstimator> {
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
