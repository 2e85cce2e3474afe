// Named networks: by name, and the name of a configuration.

import { isDeepStrictEqual } from "node:util";
import { HRNetError } from "../errors.ts";
import { type NetworkConfig, parseNetworkConfig } from "./network.ts";
import { VARIANTS, type Variant } from "./variants.ts";

/**
 * The variant of that name.
 * @throws HRNetError `unknown-model` that lists the names.
 */
export function findVariant(name: string): Variant {
  const variant = VARIANTS.find((row) => row.name === name);
  if (variant) return variant;
  throw new HRNetError(
    "unknown-model",
    `There is no network named ${name}. The names are: ${VARIANTS.map((row) => row.name).join(", ")}.`,
  );
}

/** A configuration with another number of output channels (keypoints or classes). */
export function withOutputChannels(config: NetworkConfig, channels: number): NetworkConfig {
  return parseNetworkConfig({ ...config, head: { ...config.head, channels } });
}

/** Output channels of the head: keypoints (times 3 for offset codecs), classes; `undefined` for feature networks. */
export function outputChannels(config: NetworkConfig): number | undefined {
  return "channels" in config.head ? config.head.channels : undefined;
}

/**
 * The variant that a configuration is, whatever its number of outputs and whether corners are aligned (code bases differ in that);
 * `undefined` for networks without a name.
 */
export function variantOf(config: NetworkConfig): Variant | undefined {
  const bare = ({ head, ...rest }: NetworkConfig): object => ({
    ...rest,
    ...("upsample" in rest && { upsample: rest.upsample.replace("-align-corners", "") }),
    head: { ...head, channels: 1 },
  });
  const wanted = bare(config);
  return VARIANTS.find((row) => isDeepStrictEqual(bare(parseNetworkConfig(row.config)), wanted));
}
