// Samples of a detector for the batch loader; each worker thread opens one of these.

import type { DetectionPicture } from "../data/detection-sets.ts";
import type { OpenSampleSource, SampleField } from "../data/sample-source.ts";
import {
  createDetectionSampleMaker,
  type DetectionSampleArrays,
  type DetectionSampleOptions,
  samplePlaces,
} from "../detection/training-samples.ts";
import { createPictureReader } from "../image/picture-reader.ts";

/** Settings of the source. */
export interface DetectionSourceSettings {
  readonly pictures: readonly DetectionPicture[];
  readonly samples: DetectionSampleOptions;
  /** Decoded pictures that each thread may keep, in MiB. */
  readonly cacheMegabytes: number;
}

/** Settings come from `prepareDetectionSamples`. */
export const openSampleSource: OpenSampleSource = (settings) => {
  const { pictures, samples, cacheMegabytes } = settings as DetectionSourceSettings;
  const make = createDetectionSampleMaker(samples);
  const readPicture = createPictureReader({ orientation: "ignore", cacheBytes: cacheMegabytes * 2 ** 20 });
  const [height, width] = samples.input;
  const places = samplePlaces(samples.input);
  const fields: readonly SampleField[] = [
    { name: "image", dtype: "uint8", shape: [3, height, width] },
    { name: "classes", dtype: "float32", shape: [places] },
    { name: "distances", dtype: "float32", shape: [places, 4] },
    { name: "centerness", dtype: "float32", shape: [places] },
  ];
  return {
    fields,
    length: pictures.length,
    async fill(index, random, into) {
      const { path, objects } = pictures[index]!;
      const boxes = objects.map(({ box, class: label, crowd }) => ({ box, class: label, ignored: crowd }));
      make(await readPicture(path), boxes, random, into as unknown as DetectionSampleArrays);
    },
  };
};
