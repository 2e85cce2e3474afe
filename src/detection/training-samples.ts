// Training samples of detectors: an augmented picture, and what an FCOS network's places or a two-stage detector's anchors and regions are
// to find in it.

import type { RgbImage } from "../image/rgb-image.ts";
import type { Random } from "../random/random.ts";
import { createPlaceTargets } from "./place-targets.ts";
import { createRegionTargets, type RegionTargetOptions } from "./region-targets.ts";
import type { MaskReader, SampleArrays, TargetField, TargetWriter } from "./target-writer.ts";
import { createTripletTargets, type TripletTargetOptions } from "./triplet-targets.ts";
import { createPictureVariation, type SampleObject, type VariationOptions } from "./vary-picture.ts";

/** What samples are for. Plain data. */
export type TargetOptions =
  | { readonly kind: "places" }
  | ({ readonly kind: "regions" } & RegionTargetOptions)
  | ({ readonly kind: "triplets" } & TripletTargetOptions);

/** What writes the targets of each kind. */
function writerOf(input: readonly [number, number], targets: TargetOptions): TargetWriter {
  switch (targets.kind) {
    case "places":
      return createPlaceTargets(input);
    case "regions":
      return createRegionTargets(input, targets);
    case "triplets":
      return createTripletTargets(input, targets);
  }
}

/** How samples are made. Plain data. */
export interface DetectionSampleOptions extends VariationOptions {
  readonly targets: TargetOptions;
}

/** An object with its mask. */
export interface MaskedObject extends SampleObject {
  /** Asked for where masks are learned; `undefined`: as large as the box. */
  readonly mask?: MaskReader | undefined;
}

/** Writes one random variation of a picture. Uses `random` alone: the same stream gives the same sample. */
export interface DetectionSampleMaker {
  /** Beside `image`, uint8 3×H×W: red, green and blue plane, 0–255. */
  readonly fields: readonly TargetField[];
  make(image: RgbImage, objects: readonly MaskedObject[], random: Random, into: SampleArrays): void;
}

/** What writes the targets of a picture that was varied. */
export function createDetectionSampleMaker(options: DetectionSampleOptions): DetectionSampleMaker {
  const vary = createPictureVariation(options);
  const writer = writerOf(options.input, options.targets);
  return {
    fields: writer.fields,
    make(image, objects, random, into) {
      const varied = vary(image, objects, random, into["image"] as Uint8Array);
      writer.write({ ...varied, image, masks: objects.map(({ mask }) => mask), random }, into);
    },
  };
}
