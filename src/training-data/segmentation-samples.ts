// From segmentation data sets to what the batch loader needs to load a network's samples.

import type { SampleGroup } from "../data/epoch-order.ts";
import { findLabelledPictures, type LabelledPicture, type PairFolders } from "../data/segmentation-pairs.ts";
import type { SegmentationSampleOptions } from "../segmentation/training-samples.ts";
import { moduleBeside } from "../threads/start-worker.ts";
import type { PreparedSamples } from "./prepared-samples.ts";
import type { SegmentationSourceSettings } from "./segmentation-sample-source.ts";

/** A data set to learn from. */
export interface SegmentationSet extends PairFolders {
  /** How often an epoch goes through it. Default 1. */
  readonly repeat?: number | undefined;
}

/** Options of {@link prepareSegmentationSamples}. */
export interface PrepareSegmentationOptions extends SegmentationSampleOptions {
  /** Decoded pictures and label maps that each thread may keep, in MiB; default 0. */
  readonly cacheMegabytes?: number | undefined;
}

/**
 * Finds the sets' pictures; samples are numbered set by set. Fields: `image` uint8 3×H×W, `labels` float32 H×W.
 * @throws HRNetError as `findLabelledPictures`
 */
export async function prepareSegmentationSamples(
  sets: readonly SegmentationSet[],
  { cacheMegabytes = 0, ...samples }: PrepareSegmentationOptions,
): Promise<PreparedSamples> {
  const groups: SampleGroup[] = [];
  const pictures: LabelledPicture[] = [];
  for (const { repeat = 1, ...folders } of sets) {
    const found = await findLabelledPictures(folders);
    pictures.push(...found);
    groups.push({ count: found.length, repeat });
  }
  const settings: SegmentationSourceSettings = { pictures, samples, cacheMegabytes };
  return { module: moduleBeside("./segmentation-sample-source", import.meta.url), settings, groups };
}
