// Any network by its configuration: validation, construction, the graph with its parameters.

import { z } from "zod";
import { HRNetError } from "../errors.ts";
import { createGraph, type Graph } from "../graph/graph.ts";
import { input as graphInput, type Value } from "../graph/value.ts";
import { type ParameterMap, Scope } from "../nn/scope.ts";
import { mobilePose, mobilePoseSchema, simpleBaseline, simpleBaselineSchema } from "./deconv-pose.ts";
import { hrnetSchema } from "./hrnet-config.ts";
import { hrnet, type Outputs } from "./hrnet-heads.ts";
import { lowestStride } from "./input-size.ts";
import { liteHRNet, liteHRNetSchema } from "./lite-hrnet.ts";
import type { RegionTestOptions } from "./region-network.ts";

const networkSchema = z.discriminatedUnion("family", [
  hrnetSchema,
  liteHRNetSchema,
  simpleBaselineSchema,
  mobilePoseSchema,
]);

/** A complete configuration of any network. */
export type NetworkConfig = z.infer<typeof networkSchema>;

/** A configuration as people write it: what has a default may be left out. */
export type NetworkConfigInput = z.input<typeof networkSchema>;

/**
 * A configuration checked and completed with its defaults.
 * @throws HRNetError `invalid-config` that lists every wrong field.
 */
export function parseNetworkConfig(config: unknown): NetworkConfig {
  const result = networkSchema.safeParse(config);
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => `${issue.path.join(".") || "(top)"}: ${issue.message}`);
  throw new HRNetError("invalid-config", `This is no network configuration: ${problems.join("; ")}.`);
}

/** A network as a graph. */
export interface Network {
  readonly config: NetworkConfig;
  /** Input size in pixels. */
  readonly input: { readonly height: number; readonly width: number };
  /** One input `input` (N×3×height×width, float32, normalised RGB) and the named outputs. Weights are parameters. */
  readonly graph: Graph;
  /** Every parameter and buffer by state-dict key, also those the graph does not read (`num_batches_tracked`). */
  readonly parameters: ParameterMap;
}

/** Adds the network to a graph under construction: outputs for x (N×3×H×W). */
export function applyNetwork(
  scope: Scope,
  config: NetworkConfig,
  x: Value,
  test?: RegionTestOptions,
): Outputs {
  switch (config.family) {
    case "hrnet":
      return hrnet(scope, config, x, test);
    case "lite-hrnet":
      return liteHRNet(scope, config, x);
    case "simple-baseline":
      return simpleBaseline(scope, config, x);
    default:
      return mobilePose(scope, config, x);
  }
}

/** What height and width of the input must be multiples of; 1 for networks that take any size. */
export function inputMultiple(config: NetworkConfig): number {
  const branched =
    config.family === "lite-hrnet" || (config.family === "hrnet" && config.upsample === "nearest");
  return branched ? lowestStride(Math.max(1, ...config.stages.map(({ channels }) => channels.length))) : 1;
}

/** Whether a network has a head that finds objects. */
export const findsObjects = (config: NetworkConfig): boolean =>
  "type" in config.head && ["fcos", "rcnn", "centernet"].includes(config.head.type);

/** Whether a network finds regions first and looks at them then. */
export const isTwoStage = (config: NetworkConfig): boolean =>
  config.family === "hrnet" && config.head.type === "rcnn";

/**
 * Builds a network for [height, width] pixels; the batch stays symbolic (`N`) unless a number is given. That of a two-stage detector is one
 * picture.
 * @param test how a two-stage detector makes its detections
 */
export function buildNetwork(
  config: NetworkConfig,
  [height, width]: readonly [number, number],
  batch: number | string = isTwoStage(config) ? 1 : "N",
  test?: RegionTestOptions,
): Network {
  for (const size of [height, width]) {
    if (!Number.isInteger(size) || size < 1 || size > 16384) {
      throw new HRNetError(
        "invalid-shape",
        `The input size ${height}×${width} must be two whole numbers up to 16384.`,
      );
    }
  }
  const scope = new Scope();
  const x = graphInput("input", "float32", [batch, 3, height, width]);
  const outputs = applyNetwork(scope, config, x, test);
  return { config, input: { height, width }, graph: createGraph([x], outputs), parameters: scope.parameters };
}
