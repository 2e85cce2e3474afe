// Samples of a pose network for the batch loader; each worker thread opens one of these.

import type { OpenSampleSource, SampleField } from "../data/sample-source.ts";
import { createPictureReader } from "../image/picture-reader.ts";
import {
  createPoseSampleMaker,
  type PoseSampleArrays,
  type PoseSampleOptions,
} from "../pose/training-samples.ts";
import { type PoseTable, personOf } from "./pose-table.ts";

/** Settings of the source. */
export interface PoseSourceSettings {
  readonly table: PoseTable;
  readonly samples: PoseSampleOptions;
  /** Decoded pictures that each thread may keep, in MiB. */
  readonly cacheMegabytes: number;
}

/** Settings come from `preparePoseSamples`. */
export const openSampleSource: OpenSampleSource = (settings) => {
  const { table, samples, cacheMegabytes } = settings as PoseSourceSettings;
  const maker = createPoseSampleMaker(samples);
  // Annotations are made on the pixels as stored.
  const read = createPictureReader({ orientation: "ignore", cacheBytes: cacheMegabytes * 2 ** 20 });
  const [width, height] = samples.inputSize;
  const [cellsX, cellsY] = samples.heatmapSize;
  const { keypoints, channelsPerKeypoint } = maker;
  const fields: readonly SampleField[] = [
    { name: "image", dtype: "uint8", shape: [3, height, width] },
    { name: "target", dtype: "float32", shape: [keypoints * channelsPerKeypoint, cellsY, cellsX] },
    { name: "weight", dtype: "float32", shape: [keypoints] },
    { name: "keypoints", dtype: "float32", shape: [keypoints, 3], purpose: "note" },
    { name: "crop", dtype: "float64", shape: [6], purpose: "note" },
  ];
  return {
    fields,
    length: table.images.length,
    async fill(index, random, into) {
      const person = personOf(table, index);
      maker.make(await read(person.imagePath), person, random, into as unknown as PoseSampleArrays);
    },
  };
};
