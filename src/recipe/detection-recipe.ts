// What a detection recipe means: its network for its classes.

import { HRNetError } from "../errors.ts";
import { findVariant, withOutputChannels } from "../models/find-variant.ts";
import { findsObjects, type NetworkConfig, parseNetworkConfig } from "../models/network.ts";
import type { DetectionRecipe } from "./schema.ts";

/**
 * The network that a recipe names, for the classes that it has there.
 * @throws HRNetError `invalid-config` for a network that finds no objects
 */
export function baseNetwork({ network }: Pick<DetectionRecipe, "network">): NetworkConfig {
  const config = parseNetworkConfig(typeof network === "string" ? findVariant(network).config : network);
  if (findsObjects(config)) return config;
  throw new HRNetError(
    "invalid-config",
    "The network of this recipe has no head that finds objects; expected one such as fcos-hrnetv2p-w18 or faster-rcnn-hrnetv2p-w18.",
  );
}

/**
 * The network of a recipe, for that many classes. A semantic branch learns them too, and what is none of them.
 * @throws HRNetError `invalid-config` for a network that finds no objects
 */
export function detectionNetwork(recipe: Pick<DetectionRecipe, "network">, classes: number): NetworkConfig {
  const config = withOutputChannels(baseNetwork(recipe), classes);
  if (config.family !== "hrnet" || config.head.type !== "rcnn" || config.head.semantic === null)
    return config;
  return { ...config, head: { ...config.head, semantic: classes + 1 } };
}
