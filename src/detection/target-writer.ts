// What turns the objects of a sample into what a network is to say.

import type { RgbImage } from "../image/rgb-image.ts";
import type { Random } from "../random/random.ts";
import type { VariedObjects } from "./vary-picture.ts";

/** An array of a sample. */
export interface TargetField {
  readonly name: string;
  readonly dtype: "float32" | "uint8";
  readonly shape: readonly number[];
}

/** Arrays of a sample by field. */
export type SampleArrays = Readonly<Record<string, Float32Array | Uint8Array>>;

/** Gives a mask in the picture's own pixels, row by row, not 0 inside. */
export type MaskReader = () => Uint8Array;

/** A sample whose picture is made. */
export interface VariedSample extends VariedObjects {
  /** The picture that it was made of. */
  readonly image: RgbImage;
  /** By the objects of the picture; `undefined`: as large as the box. */
  readonly masks: readonly (MaskReader | undefined)[];
  readonly random: Random;
}

/** Writes targets. Uses the sample's `random` alone. */
export interface TargetWriter {
  readonly fields: readonly TargetField[];
  /** @param into arrays that are zero and have the fields' lengths */
  write(sample: VariedSample, into: SampleArrays): void;
}
