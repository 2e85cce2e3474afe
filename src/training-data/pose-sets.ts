// Annotation files of any keypoint set to training persons of the network's own.

import { readCocoKeypoints } from "../data/coco.ts";
import { groundTruthRecords } from "../data/coco-records.ts";
import { readMpii } from "../data/mpii.ts";
import { HRNetError } from "../errors.ts";
import { boxToCenterScale, DEFAULT_PADDING, mpiiCenterScale, type Size } from "../pose/transforms.ts";
import type { Skeleton } from "../skeleton/skeleton.ts";
import { MPII_16 } from "../skeleton/skeletons.ts";
import type { TrainingPerson } from "./pose-table.ts";

/** One data set to train on. */
export interface PoseTrainingSet {
  /** `coco`: COCO's format, whatever the keypoints. `mpii`: HRNet's json files of MPII. */
  readonly format: "coco" | "mpii";
  /** The annotation file. */
  readonly annotations: string;
  /** The folder of its pictures. */
  readonly images: string;
  /** How often an epoch shows each person; 1 by default, may be a fraction. */
  readonly repeat?: number | undefined;
  /** Factor of the persons' target weights; 1 by default. */
  readonly weight?: number | undefined;
  /** Persons with fewer labelled keypoints (of the network's) are left out; 1 by default. */
  readonly minKeypoints?: number | undefined;
}

/** How persons are brought to the network's geometry. */
export interface PersonReadOptions {
  /** The network's keypoints. */
  readonly skeleton: Skeleton;
  /** The network's input `[W, H]`. */
  readonly inputSize: Size;
  /** Context around annotated boxes; default {@link DEFAULT_PADDING}. MPII's own rule holds for MPII. */
  readonly padding?: number | undefined;
}

/** Persons of a set, and what of its keypoints the network has. */
export interface TrainingPersons {
  readonly persons: readonly TrainingPerson[];
  /** Keypoints of the network that the set does not label. */
  readonly unlabelled: readonly string[];
  /** Keypoints of the set that the network does not have. */
  readonly unused: readonly string[];
}

/**
 * Reads a training set. Keypoints are matched by name; those the set lacks are unlabelled in all its persons. Persons
 * without any labelled keypoint of the network's are left out.
 * @throws HRNetError as the reader; `invalid-config` when the sets of keypoints have no name in common, `invalid-data`
 * when no person is left
 */
export async function readTrainingPersons(
  set: PoseTrainingSet,
  options: PersonReadOptions,
): Promise<TrainingPersons> {
  const { skeleton, inputSize, padding = DEFAULT_PADDING } = options;
  const { minKeypoints = 1 } = set;
  const read = set.format === "coco" ? readCoco : readMpiiPersons;
  const found = await read(set, inputSize[0] / inputSize[1], padding);
  const mapping = keypointMapping(found.skeleton, skeleton);
  const persons = found.persons
    .map((person) => ({ ...person, keypoints: mapKeypoints(person.keypoints, mapping) }))
    .filter(({ keypoints }) => labelled(keypoints) >= Math.max(1, minKeypoints));
  if (persons.length === 0) {
    throw new HRNetError(
      "invalid-data",
      `${set.annotations} holds no person with ${minKeypoints > 1 ? `${minKeypoints} labelled keypoints` : "a labelled keypoint"} ` +
        `to train on${found.persons.length === 0 ? "" : ` (${found.persons.length} persons without)`}. Is it the right file?`,
    );
  }
  const used = new Set(mapping);
  return {
    persons:
      set.weight === undefined ? persons : persons.map((person) => ({ ...person, weight: set.weight! })),
    unlabelled: skeleton.keypoints.filter((_, k) => mapping[k]! < 0),
    unused: found.skeleton.keypoints.filter((_, k) => !used.has(k)),
  };
}

const labelled = (keypoints: readonly number[]): number =>
  keypoints.filter((value, i) => i % 3 === 2 && value > 0).length;

interface Found {
  readonly skeleton: Skeleton;
  readonly persons: readonly TrainingPerson[];
}

type Read = (set: PoseTrainingSet, aspect: number, padding: number) => Promise<Found>;

const readCoco: Read = async ({ annotations, images }, aspect, padding) => {
  const dataset = await readCocoKeypoints(annotations);
  const persons = groundTruthRecords(dataset, images)
    // A box of one pixel (0 after cleaning) has no region to show.
    .filter(({ box }) => box[2] > 0 || box[3] > 0)
    .map(({ imagePath, box, keypoints }) => ({
      imagePath,
      region: boxToCenterScale(box, { aspect, padding }),
      keypoints: keypoints!,
    }));
  return { skeleton: dataset.skeleton, persons };
};

const readMpiiPersons: Read = async ({ annotations, images }) => {
  const persons = (await readMpii(annotations, images)).flatMap(({ imagePath, center, scale, keypoints }) =>
    keypoints === undefined || !(scale > 0)
      ? []
      : [{ imagePath, region: mpiiCenterScale(center, scale), keypoints }],
  );
  return { skeleton: MPII_16, persons };
};

/**
 * For each keypoint of `to`, the index of the keypoint of that name in `from`; −1 where there is none.
 * @throws HRNetError `invalid-config` when there is none at all
 */
export function keypointMapping(from: Skeleton, to: Skeleton): number[] {
  const mapping = to.keypoints.map((name) => from.keypoints.indexOf(name));
  if (mapping.every((index) => index < 0)) {
    throw new HRNetError(
      "invalid-config",
      `No keypoint of the data ("${from.name}": ${from.keypoints.join(", ")}) has the name of one of the network's ` +
        `("${to.name}": ${to.keypoints.join(", ")}). Rename them to match, or train a network with the data's keypoints.`,
    );
  }
  return mapping;
}

/** K×3 in the order of a {@link keypointMapping}; `0, 0, 0` where there is none. */
export function mapKeypoints(keypoints: readonly number[], mapping: readonly number[]): number[] {
  return mapping.flatMap((index) => (index < 0 ? [0, 0, 0] : keypoints.slice(3 * index, 3 * index + 3)));
}
