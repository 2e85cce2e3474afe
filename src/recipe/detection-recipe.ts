// What a detection recipe means: its network for its classes.

import { HRNetError } from "../errors.ts";
import { findVariant, withOutputChannels } from "../models/find-variant.ts";
import { type NetworkConfig, parseNetworkConfig } from "../models/network.ts";
import type { DetectionRecipe } from "./schema.ts";

/**
 * The network of a recipe, for that many classes.
 * @throws HRNetError `invalid-config` for a network that finds no objects
 */
export function detectionNetwork(
  { network }: Pick<DetectionRecipe, "network">,
  classes: number,
): NetworkConfig {
  const config = parseNetworkConfig(typeof network === "string" ? findVariant(network).config : network);
  if (config.family !== "hrnet" || config.head.type !== "fcos") {
    throw new HRNetError(
      "invalid-config",
      "The network of this recipe has no head that finds objects; expected an HRNet with an FCOS head, such as fcos-hrnetv2p-w18.",
    );
  }
  return withOutputChannels(config, classes);
}
