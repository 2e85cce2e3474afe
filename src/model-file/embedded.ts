// The models that come with the package, once they are good enough.

import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { HRNetError } from "../errors.ts";

/** Lite-HRNet-18 for COCO's 17 keypoints. Its training is in `scripts/embedded-pose`. */
export const EMBEDDED_POSE = "lite-hrnet-18-embedded";
/** FCOS on Lite-HRNet-18 for persons. Its training is in `scripts/embedded-person`. */
export const EMBEDDED_DETECTOR = "person-detector-embedded";

/** What comes with the package, or will: their files are there or not. */
const EMBEDDED: ReadonlySet<string> = new Set([EMBEDDED_POSE, EMBEDDED_DETECTOR]);

/** The file of a model that comes with the package, beside `src` in a clone and beside `dist` in the package; `undefined` for other names. */
export const embeddedModelPath = (name: string): string | undefined =>
  EMBEDDED.has(name)
    ? fileURLToPath(new URL(`../../models/${name}.safetensors`, import.meta.url))
    : undefined;

/** Whether a model of that name is there. */
const comesAlong = (name: string): boolean => existsSync(embeddedModelPath(name)!);

/** The person detector where none is named; `undefined` while this version comes without one. */
export const defaultDetector = (): string | undefined =>
  comesAlong(EMBEDDED_DETECTOR) ? EMBEDDED_DETECTOR : undefined;

/** A small published checkpoint that runs fast everywhere. */
const SUGGESTED_POSE = "lite-hrnet-18-coco-256x192";

/**
 * The pose model where none is named.
 * @throws HRNetError `usage` while this version comes without one; names the command that fetches a published one
 */
export function defaultPoseModel(): string {
  if (comesAlong(EMBEDDED_POSE)) return EMBEDDED_POSE;
  // Started through a script of a clone's package.json, the command is not on the path.
  const hrnet = process.env["npm_lifecycle_event"] === undefined ? "hrnet" : "npm run hrnet --";
  throw new HRNetError(
    "usage",
    `A model is needed: a file (.onnx, .pth, .safetensors) or the name of a published one. This fetches one:\n` +
      `  ${hrnet} download ${SUGGESTED_POSE}\nThen give --model ${SUGGESTED_POSE}.`,
  );
}
