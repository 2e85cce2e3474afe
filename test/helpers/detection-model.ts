// A small detector with random weights whose boxes have some extent.
import { IMAGENET_NORMALIZATION } from "../../src/image/warp.ts";
import type { Model } from "../../src/model-file/import-checkpoint.ts";
import { defineClassTable } from "../../src/segmentation/class-table.ts";
import { randomWeights, tinyHRNet } from "./tiny-models.ts";

export const ANIMALS = ["cat", "dog"] as const;

/** Tells {@link ANIMALS} apart, by chance. */
export function randomDetectionModel(seed: number): Model {
  const network = tinyHRNet({ type: "fcos", channels: 2, convs: 1, neck: { channels: 32, levels: 5 } });
  const weights = randomWeights(network, seed);
  // Distances of some pixels: e to the power of what the last layer gives.
  for (const [name, { data }] of weights) {
    if (name.startsWith("bbox_head.scales.")) (data as Float32Array).fill(1);
    if (name === "bbox_head.conv_reg.weight") (data as Float32Array).fill(0.001);
    if (name === "bbox_head.conv_reg.bias") (data as Float32Array).fill(3);
  }
  return {
    description: {
      version: 1,
      name: "animals",
      task: "detection",
      network,
      input: [96, 128],
      preprocessing: IMAGENET_NORMALIZATION,
      classes: defineClassTable({
        name: "animals",
        classes: ANIMALS,
        colors: [
          [255, 0, 0],
          [0, 0, 255],
        ],
      }),
      provenance: { source: "test", codeBase: "hrnet-ts" },
    },
    weights,
  };
}
