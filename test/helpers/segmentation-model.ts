// A segmentation model of random weights, and pictures of coloured squares, for tests of everything around the network.
import { type RgbImage, rgbImage } from "../../src/image/rgb-image.ts";
import { IMAGENET_NORMALIZATION } from "../../src/image/warp.ts";
import type { Model } from "../../src/model-file/import-checkpoint.ts";
import { uniformRandom } from "../../src/random/random.ts";
import { defineClassTable } from "../../src/segmentation/class-table.ts";
import { randomWeights, tinySegmentation } from "./tiny-models.ts";

/** A tiny HRNetV2 of random weights that tells these classes. */
export function randomSegmentationModel(classes: readonly string[], name = "tiny segmentation"): Model {
  const network = tinySegmentation(classes.length);
  const weights = randomWeights(network, 5);
  // Logits of a few units: their exponentials stay finite, as those of trained networks do.
  const head = weights.get("last_layer.3.weight")!.data as Float32Array;
  for (let i = 0; i < head.length; i++) head[i]! *= 0.1;
  return {
    description: {
      version: 1,
      name,
      task: "segmentation",
      network,
      input: [64, 64],
      preprocessing: IMAGENET_NORMALIZATION,
      classes: defineClassTable({ name: "test", classes }),
      provenance: { source: "test", codeBase: "hrnet-ts" },
    },
    weights,
  };
}

/** Squares of random colours. */
export function squares(width: number, height: number, seed = 4): RgbImage {
  const image = rgbImage(width, height);
  const random = uniformRandom(seed);
  const colors = Array.from({ length: 3 * 64 * 64 }, () => Math.floor(256 * random()));
  for (let i = 0; i < image.data.length; i++) {
    const [x, y, c] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width), i % 3];
    image.data[i] = colors[3 * (((x >> 4) & 63) + 64 * ((y >> 4) & 63)) + c]!;
  }
  return image;
}
