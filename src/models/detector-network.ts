// Any detector as a graph from pictures to detections.

import { HRNetError } from "../errors.ts";
import { createGraph, type Graph } from "../graph/graph.ts";
import type { Shape } from "../graph/value.ts";
import { centernetDetections } from "./centernet-detections.ts";
import { fcosDetections } from "./fcos-detections.ts";
import { buildNetwork, findsObjects, isTwoStage, type Network, type NetworkConfig } from "./network.ts";
import { REGION_TEST } from "./region-network.ts";

/** How detections are made. */
export interface DetectorTestOptions {
  /** Probabilities of classes that are not above this are left out; {@link leastScore} of the network in published figures. */
  readonly minScore: number;
  /** IoU above which the weaker of two boxes of a class goes. 0.5. */
  readonly nms: number;
  /** Detections of a picture. 100. */
  readonly most: number;
}

/** The threshold that a network's published figures are made with. Source: `test_cfg` of mmdetection's configurations. */
export const leastScore = (config: NetworkConfig): number =>
  config.family === "hrnet" && config.head.type === "rcnn" && config.head.masks === "flow" ? 0.001 : 0.05;

/** Whether a detector's graph is the same for all sizes of pictures: a semantic branch and CenterNet's pooling know the sizes of their maps. */
export const hasOpenSize = (config: NetworkConfig): boolean =>
  "type" in config.head &&
  (config.head.type === "fcos" || (config.head.type === "rcnn" && config.head.semantic === null));

/** mmdetection's. */
export const DETECTOR_TEST: Omit<DetectorTestOptions, "minScore"> = {
  nms: REGION_TEST.nms,
  most: REGION_TEST.most,
};

/** Proposals of a picture, by how boxes are counted: mmdetection 2.x, HRNet-Object-Detection. Source: `test_cfg` of both. */
const PROPOSALS = { continuous: 1000, pixels: 2000 } as const;

/**
 * A detector for one picture of [height, width] pixels; nothing of that size is in the graph but the input's shape, unless {@link hasOpenSize}
 * says otherwise. Outputs: `boxes` 1×D×4 (corners in pixels; first and last pixel with `extent: "pixels"`), `scores` 1×D (below 0: none), `classes` float32 1×D, and with mask heads
 * `masks` 1×D×28×28 (0 … 1, over the box).
 * @throws HRNetError `invalid-config` for a network that finds no objects
 */
export function buildDetector(
  config: NetworkConfig,
  size: readonly [number, number],
  options: DetectorTestOptions,
): Network {
  if (!findsObjects(config) || !("type" in config.head))
    throw new HRNetError(
      "invalid-config",
      "The network has no head that finds objects; expected FCOS, CenterNet or a two-stage one.",
    );
  const { head } = config;
  const extent = head.type === "rcnn" ? head.extent : "continuous";
  const network = buildNetwork(config, size, 1, { ...options, proposals: PROPOSALS[extent] });
  const { graph } = network;
  const [x] = graph.inputs;
  if (!isTwoStage(config)) {
    const found =
      head.type === "centernet"
        ? centernetDetections(x!, graph.outputs, head.channels, options)
        : fcosDetections(x!, graph.outputs, options);
    return { ...network, graph: createGraph(graph.inputs, { ...found }) };
  }
  const { semantic: _, ...outputs } = graph.outputs;
  return { ...network, graph: createGraph(graph.inputs, outputs) };
}

/**
 * What graphs of any size are built for: a size of which every level of a pyramid has several cells, and not as many along both axes, so that
 * nothing is left out as having no effect.
 */
const OPEN_SIZE = [576, 704] as const;

/** A detector's graph, and the shapes of inputs whose sizes it leaves open. */
export interface OpenDetector {
  readonly graph: Graph;
  readonly openInputs?: Readonly<Record<string, Shape>>;
}

/**
 * A detector for one picture of any height and width that are multiples of 32 where the network allows it ({@link hasOpenSize}), else as {@link buildDetector}
 * for `size`.
 * @throws HRNetError as {@link buildDetector}
 */
export function buildOpenDetector(
  config: NetworkConfig,
  size: readonly [number, number],
  options: DetectorTestOptions,
): OpenDetector {
  if (!hasOpenSize(config)) return { graph: buildDetector(config, size, options).graph };
  const { graph } = buildDetector(config, OPEN_SIZE, options);
  return { graph, openInputs: { input: [1, 3, "height", "width"] } };
}
