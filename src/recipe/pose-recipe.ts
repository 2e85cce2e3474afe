// What a pose recipe means: its skeleton, its network, its weights per keypoint.

import { HRNetError } from "../errors.ts";
import { readJsonFile } from "../files/json-file.ts";
import { findVariant, withOutputChannels } from "../models/find-variant.ts";
import { type NetworkConfig, parseNetworkConfig } from "../models/network.ts";
import { HEATMAP_CODECS } from "../pose/codecs/codec-table.ts";
import { parseSkeleton } from "../skeleton/parse-skeleton.ts";
import type { Skeleton } from "../skeleton/skeleton.ts";
import { skeletonByName } from "../skeleton/skeletons.ts";
import { COCO_JOINT_WEIGHTS, type PoseLoss } from "./pose-schema.ts";
import { isFileName } from "./recipe-paths.ts";
import type { PoseRecipe } from "./schema.ts";

/**
 * The skeleton that a recipe names; `undefined` when it is to come from the data.
 * @throws HRNetError `file-not-found`, `read-failed`, `invalid-data`, `invalid-config`
 */
export async function recipeSkeleton({
  skeleton,
}: Pick<PoseRecipe, "skeleton">): Promise<Skeleton | undefined> {
  if (skeleton === null) return undefined;
  return isFileName(skeleton)
    ? parseSkeleton(await readJsonFile(skeleton, "skeleton file"))
    : skeletonByName(skeleton);
}

/** The network of a recipe, with the output channels that its codec needs for that many keypoints. */
export function recipeNetwork(
  { network, codec }: Pick<PoseRecipe, "network" | "codec">,
  keypoints: number,
): NetworkConfig {
  const config = parseNetworkConfig(typeof network === "string" ? findVariant(network).config : network);
  const perKeypoint = HEATMAP_CODECS[codec.name].target === "offset-maps" ? 3 : 1;
  return withOutputChannels(config, perKeypoint * keypoints);
}

/**
 * The weight of each keypoint in the loss; `undefined`: all 1.
 * @throws HRNetError `invalid-config` when there is not one for each keypoint
 */
export function recipeJointWeights(
  { jointWeights }: Pick<PoseLoss, "jointWeights">,
  keypoints: number,
): readonly number[] | undefined {
  if (jointWeights === null) return undefined;
  const weights = jointWeights === "coco" ? COCO_JOINT_WEIGHTS : jointWeights;
  if (weights.length === keypoints) return weights;
  throw new HRNetError(
    "invalid-config",
    `loss.jointWeights has ${weights.length} weights for ${keypoints} keypoints; expected one for each.`,
  );
}
