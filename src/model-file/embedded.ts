// The pose model that comes with the package.

import { fileURLToPath } from "node:url";

/**
 * Its name: what is loaded where no model is named. Lite-HRNet-18 for COCO's 17 keypoints; data, figures, limits and terms are
 * in its card, `models/README.md`.
 */
export const EMBEDDED_MODEL = "lite-hrnet-18-embedded";

/** Its file, beside `src` in a clone and beside `dist` in the package. */
export const embeddedModelPath = (): string =>
  fileURLToPath(new URL(`../../models/${EMBEDDED_MODEL}.safetensors`, import.meta.url));
