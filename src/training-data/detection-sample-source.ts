// Samples of a detector for the batch loader; each worker thread opens one of these.

import { outlineMask } from "../data/coco-instances.ts";
import type { DetectionObject, DetectionPicture } from "../data/detection-sets.ts";
import type { OpenSampleSource, SampleField } from "../data/sample-source.ts";
import type { SampleArrays } from "../detection/target-writer.ts";
import {
  createDetectionSampleMaker,
  type DetectionSampleOptions,
  type MaskedObject,
} from "../detection/training-samples.ts";
import { createPictureReader } from "../image/picture-reader.ts";
import { decodeMask } from "../masks/run-length.ts";

/** Settings of the source. */
export interface DetectionSourceSettings {
  readonly pictures: readonly DetectionPicture[];
  readonly samples: DetectionSampleOptions;
  /** Decoded pictures that each thread may keep, in MiB. */
  readonly cacheMegabytes: number;
}

/** An object with what its mask is decoded from. */
function maskedObject(
  { box, class: label, crowd, outline }: DetectionObject,
  size: Pick<DetectionPicture, "width" | "height">,
): MaskedObject {
  return {
    box,
    class: label,
    ignored: crowd,
    ...(outline && { mask: () => decodeMask(outlineMask(outline, size)) }),
  };
}

/** Settings come from `prepareDetectionSamples`. */
export const openSampleSource: OpenSampleSource = (settings) => {
  const { pictures, samples, cacheMegabytes } = settings as DetectionSourceSettings;
  const maker = createDetectionSampleMaker(samples);
  const readPicture = createPictureReader({ orientation: "ignore", cacheBytes: cacheMegabytes * 2 ** 20 });
  const [height, width] = samples.input;
  const fields: readonly SampleField[] = [
    { name: "image", dtype: "uint8", shape: [3, height, width] },
    ...maker.fields,
  ];
  return {
    fields,
    length: pictures.length,
    async fill(index, random, into) {
      const picture = pictures[index]!;
      const image = await readPicture(picture.path);
      const objects = picture.objects.map((object) => maskedObject(object, image));
      maker.make(image, objects, random, into as SampleArrays);
    },
  };
};
