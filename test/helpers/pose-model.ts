// A pose model with random weights, for tests of what surrounds a network.
import { IMAGENET_NORMALIZATION } from "../../src/image/warp.ts";
import type { Model } from "../../src/model-file/import-checkpoint.ts";
import { COCO_17 } from "../../src/skeleton/skeletons.ts";
import { randomWeights, tinyPose } from "./tiny-models.ts";

/** A tiny COCO pose network for 64×64 pixels. Its heatmaps mean nothing, but are the same every time. */
export function randomPoseModel(seed = 1): Model {
  const network = tinyPose();
  return {
    description: {
      version: 1,
      name: "random",
      task: "pose",
      network,
      input: [64, 64],
      preprocessing: IMAGENET_NORMALIZATION,
      codec: { name: "quarter-offset" },
      skeleton: COCO_17,
      provenance: { source: "random weights", codeBase: "hrnet-ts" },
    },
    weights: randomWeights(network, seed),
  };
}
