// From data sets of objects to what the batch loader needs to load a detector's samples.

import {
  type DetectionPicture,
  type DetectionSource,
  readDetectionPictures,
} from "../data/detection-sets.ts";
import type { SampleGroup } from "../data/epoch-order.ts";
import type { DetectionSampleOptions } from "../detection/training-samples.ts";
import type { VariationOptions } from "../detection/vary-picture.ts";
import { moduleBeside } from "../threads/start-worker.ts";
import type { DetectionSourceSettings } from "./detection-sample-source.ts";
import type { PreparedSamples } from "./prepared-samples.ts";

/** A data set to learn from. */
export type DetectionTrainingSet = DetectionSource & {
  /** How often an epoch goes through it. Default 1. */
  readonly repeat?: number | undefined;
};

/** Options of {@link prepareDetectionSamples}. */
export interface PrepareDetectionOptions extends VariationOptions {
  /** What samples hold, for that many classes. */
  readonly targets: (classes: number) => DetectionSampleOptions["targets"];
  /** Names of the classes to learn; by default those of the first set. */
  readonly classes?: readonly string[] | undefined;
  /** Decoded pictures that each thread may keep, in MiB; default 0. */
  readonly cacheMegabytes?: number | undefined;
}

/** Samples, and the classes that their numbers stand for. */
export interface PreparedDetection {
  readonly samples: PreparedSamples;
  readonly classes: readonly string[];
  /** Objects to be found, over all pictures. */
  readonly objects: number;
}

/**
 * Reads the sets; samples are numbered set by set. Pictures without objects count: what is not there is learned from them. Fields:
 * `image` uint8 3×H×W, and those of the targets.
 * @throws HRNetError as `readDetectionPictures`
 */
export async function prepareDetectionSamples(
  sets: readonly DetectionTrainingSet[],
  { cacheMegabytes = 0, classes: given, targets: targetsOf, ...variation }: PrepareDetectionOptions,
): Promise<PreparedDetection> {
  const groups: SampleGroup[] = [];
  const pictures: DetectionPicture[] = [];
  let classes = given;
  for (const { repeat = 1, ...source } of sets) {
    const read = await readDetectionPictures(source, classes);
    classes = read.classes;
    pictures.push(...read.pictures);
    groups.push({ count: read.pictures.length, repeat });
  }
  const targets = targetsOf(classes?.length ?? 0);
  const masked = targets.kind === "regions" && (targets.masks || targets.semantic);
  const settings: DetectionSourceSettings = {
    pictures: masked ? pictures : pictures.map(withoutOutlines),
    samples: { ...variation, targets },
    cacheMegabytes,
  };
  return {
    samples: { module: moduleBeside("./detection-sample-source", import.meta.url), settings, groups },
    classes: classes ?? [],
    objects: pictures.reduce((sum, { objects }) => sum + objects.filter(({ crowd }) => !crowd).length, 0),
  };
}

/** A picture without what only masks are made of: it goes to every thread. */
const withoutOutlines = (picture: DetectionPicture): DetectionPicture => ({
  ...picture,
  objects: picture.objects.map((object) => ({ ...object, outline: undefined })),
});
