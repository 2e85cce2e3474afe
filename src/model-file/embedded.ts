// The pose model that comes with the package.

import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { HRNetError } from "../errors.ts";

/** Its name: Lite-HRNet-18 for COCO's 17 keypoints. Its training is in `scripts/embedded-pose`. */
export const EMBEDDED_MODEL = "lite-hrnet-18-embedded";

/** A small published checkpoint that runs fast everywhere. */
const SUGGESTED_MODEL = "lite-hrnet-18-coco-256x192";

/** Its file, beside `src` in a clone and beside `dist` in the package. */
export const embeddedModelPath = (): string =>
  fileURLToPath(new URL(`../../models/${EMBEDDED_MODEL}.safetensors`, import.meta.url));

/**
 * What is loaded where no model is named.
 * @throws HRNetError `usage` while this version comes without a model; names the command that fetches a published one
 */
export function defaultModel(): string {
  if (existsSync(embeddedModelPath())) return EMBEDDED_MODEL;
  // Started through a script of a clone's package.json, the command is not on the path.
  const hrnet = process.env["npm_lifecycle_event"] === undefined ? "hrnet" : "npm run hrnet --";
  throw new HRNetError(
    "usage",
    `A model is needed: a file (.onnx, .pth, .safetensors) or the name of a published one. This fetches one:\n` +
      `  ${hrnet} download ${SUGGESTED_MODEL}\nThen give --model ${SUGGESTED_MODEL}.`,
  );
}
