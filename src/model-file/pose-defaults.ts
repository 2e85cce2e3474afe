// The skeleton of a pose network whose file does not name one.

import { HRNetError } from "../errors.ts";
import { defineSkeleton, type Skeleton } from "../skeleton/skeleton.ts";
import { COCO_17, MPII_16 } from "../skeleton/skeletons.ts";

/** Skeletons of the published checkpoints by number of keypoints. */
const BY_COUNT: ReadonlyMap<number, Skeleton> = new Map(
  [COCO_17, MPII_16].map((row) => [row.keypoints.length, row]),
);

/**
 * The given skeleton, the published one with that many keypoints, or one with numbered keypoints and no limbs.
 * @throws HRNetError `invalid-config` when the given skeleton has another number of keypoints.
 */
export function skeletonForChannels(keypoints: number, given?: Skeleton): Skeleton {
  if (given && given.keypoints.length !== keypoints) {
    throw new HRNetError(
      "invalid-config",
      `The skeleton ${given.name} has ${given.keypoints.length} keypoints, the network ${keypoints}. ` +
        "Give the skeleton the network was trained with.",
    );
  }
  const numbered = {
    name: `${keypoints} keypoints`,
    keypoints: Array.from({ length: keypoints }, (_, k) => `${k}`),
  };
  return given ?? BY_COUNT.get(keypoints) ?? defineSkeleton(numbered);
}
