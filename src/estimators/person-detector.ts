// A detector as what finds the persons of a pose pipeline.

import { HRNetError } from "../errors.ts";
import type { RgbImage } from "../image/rgb-image.ts";
import type { BoxInput } from "../pose/boxes.ts";
import type { Detector } from "./detector.ts";

/** Finds the persons of a picture: any function from pixels to boxes `[x, y, width, height]`, with or without scores. */
export type PersonDetector = (image: RgbImage) => readonly BoxInput[] | Promise<readonly BoxInput[]>;

/** Name of the class in COCO and most others. */
const PERSON = "person";

/**
 * The persons that a detector finds: objects of its class `person`, or all of a detector with a single class.
 *
 * ```ts
 * const detector = await Detector.load("fcos-hrnetv2p-w32-coco", { minScore: 0.3 });
 * const estimator = await PoseEstimator.load("w32.onnx", { detector: personsOf(detector) });
 * ```
 * The detector stays the caller's: dispose of it after the estimator.
 * @throws HRNetError `invalid-model` for a detector of several classes none of which is a person
 */
export function personsOf(detector: Detector): PersonDetector {
  const { classes } = detector.classes;
  const wanted = classes.length === 1 ? 0 : classes.findIndex((name) => name.toLowerCase() === PERSON);
  if (wanted < 0) {
    throw new HRNetError(
      "invalid-model",
      `${detector.description.name} finds ${classes.slice(0, 5).join(", ")}${classes.length > 5 ? ", …" : ""}, but no persons; expected a ` +
        `class named "${PERSON}" or a detector of a single class.`,
    );
  }
  return async (image) =>
    (await detector.detect(image))
      .filter((found) => found.class === wanted)
      .map(({ box, score }) => ({ box, score }));
}
