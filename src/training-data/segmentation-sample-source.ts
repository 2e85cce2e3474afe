// Samples of a segmentation network for the batch loader; each worker thread opens one of these.

import { readLabelMap } from "../data/read-label-map.ts";
import type { OpenSampleSource, SampleField } from "../data/sample-source.ts";
import type { LabelledPicture } from "../data/segmentation-pairs.ts";
import { createKeepingReader, createPictureReader } from "../image/picture-reader.ts";
import {
  createSegmentationSampleMaker,
  type SegmentationSampleArrays,
  type SegmentationSampleOptions,
} from "../segmentation/training-samples.ts";

/** Settings of the source. */
export interface SegmentationSourceSettings {
  readonly pictures: readonly LabelledPicture[];
  readonly samples: SegmentationSampleOptions;
  /** Decoded pictures and label maps that each thread may keep, in MiB. */
  readonly cacheMegabytes: number;
}

/** Settings come from `prepareSegmentationSamples`. */
export const openSampleSource: OpenSampleSource = (settings) => {
  const { pictures, samples, cacheMegabytes } = settings as SegmentationSourceSettings;
  const make = createSegmentationSampleMaker(samples);
  // A pixel of a picture takes 3 bytes, one of its labels 1.
  const bytes = cacheMegabytes * 2 ** 20;
  const readPicture = createPictureReader({ orientation: "ignore", cacheBytes: (3 / 4) * bytes });
  const readLabels = createKeepingReader(readLabelMap, ({ data }) => data.byteLength, bytes / 4);
  const [height, width] = samples.input;
  const fields: readonly SampleField[] = [
    { name: "image", dtype: "uint8", shape: [3, height, width] },
    { name: "labels", dtype: "float32", shape: [height, width] },
  ];
  return {
    fields,
    length: pictures.length,
    async fill(index, random, into) {
      const { imagePath, labelPath } = pictures[index]!;
      const [image, labels] = await Promise.all([readPicture(imagePath), readLabels(labelPath)]);
      make(image, labels, random, into as unknown as SegmentationSampleArrays);
    },
  };
};
