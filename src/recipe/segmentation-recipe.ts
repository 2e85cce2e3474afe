// What a segmentation recipe means: its classes, its network, its data, the weights of its classes.

import { HRNetError } from "../errors.ts";
import { findVariant, withOutputChannels } from "../models/find-variant.ts";
import { type NetworkConfig, parseNetworkConfig } from "../models/network.ts";
import { readClassTable } from "../segmentation/class-file.ts";
import type { ClassTable } from "../segmentation/class-table.ts";
import { CITYSCAPES_CLASS_WEIGHTS } from "../segmentation/class-tables.ts";
import { belowRoot, isFileName } from "./recipe-paths.ts";
import type { SegmentationRecipe } from "./schema.ts";

/**
 * The classes that a recipe names.
 * @throws HRNetError as `readClassTable`
 */
export function recipeClasses({
  classes,
  data,
}: Pick<SegmentationRecipe, "classes" | "data">): Promise<ClassTable> {
  return readClassTable(isFileName(classes) ? belowRoot(data.root, classes) : classes);
}

/** The network of a recipe, for that many classes. */
export function segmentationNetwork(
  { network }: Pick<SegmentationRecipe, "network">,
  classes: number,
): NetworkConfig {
  const config = parseNetworkConfig(typeof network === "string" ? findVariant(network).config : network);
  return withOutputChannels(config, classes);
}

/**
 * The weight of each class in the loss; `undefined`: all 1.
 * @throws HRNetError `invalid-config` when there is not one for each class
 */
export function recipeClassWeights(
  { loss }: Pick<SegmentationRecipe, "loss">,
  classes: number,
): readonly number[] | undefined {
  if (loss.classWeights === null) return undefined;
  const weights = loss.classWeights === "cityscapes" ? CITYSCAPES_CLASS_WEIGHTS : loss.classWeights;
  if (weights.length === classes) return weights;
  throw new HRNetError(
    "invalid-config",
    `loss.classWeights has ${weights.length} weights for ${classes} classes; expected one for each.`,
  );
}
