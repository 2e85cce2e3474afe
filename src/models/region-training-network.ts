// A two-stage detector built for training.

import { createGraph } from "../graph/graph.ts";
import { input as graphInput, type Value } from "../graph/value.ts";
import { Scope } from "../nn/scope.ts";
import { hrnetBackbone } from "./hrnet.ts";
import type { HRNetConfig, HRNetHead } from "./hrnet-config.ts";
import type { Network } from "./network.ts";
import { pyramidNeck } from "./pyramid-neck.ts";
import { drawsNeeded, type RegionTrainingCounts, regionTraining } from "./region-training.ts";

/** Sizes of what is fed. */
export interface RegionTrainingSizes extends RegionTrainingCounts {
  /** Objects of a picture at most. */
  readonly objects: number;
  /** Cells of an object's mask along each axis. */
  readonly maskCells: number;
}

/** A network in its training form and the inputs that it has beside the pictures. */
export interface RegionTrainingNetwork {
  readonly network: Network;
  /** `objectBoxes`, `objectClasses`, `draws` and, with masks, `objectMasks`. */
  readonly feeds: Readonly<Record<string, Value>>;
}

/** Builds the training form for a batch of pictures of [height, width] pixels; its outputs are those of {@link regionTraining}. */
export function buildRegionTraining(
  config: HRNetConfig & { readonly head: HRNetHead<"rcnn"> },
  [height, width]: readonly [number, number],
  batch: number,
  sizes: RegionTrainingSizes,
): RegionTrainingNetwork {
  const { head } = config;
  const { objects, maskCells } = sizes;
  const scope = new Scope();
  const x = graphInput("input", "float32", [batch, 3, height, width]);
  const feeds = {
    objectBoxes: graphInput("objectBoxes", "float32", [batch, objects, 4]),
    objectClasses: graphInput("objectClasses", "float32", [batch, objects]),
    draws: graphInput("draws", "float32", [batch, drawsNeeded(head, sizes, objects)]),
    ...(head.masks !== "none" && {
      objectMasks: graphInput("objectMasks", "uint8", [batch, objects, maskCells, maskCells]),
    }),
  };
  const { branches } = hrnetBackbone(scope.child("backbone"), config, x, false);
  const levels = pyramidNeck(scope.child("neck"), { ...head.neck, stride: 1 }, branches);
  const truth = {
    boxes: feeds.objectBoxes,
    classes: feeds.objectClasses,
    draws: feeds.draws,
    masks: feeds.objectMasks,
  };
  const outputs = regionTraining(scope, head, x, levels, truth, sizes);
  const graph = createGraph([x, ...Object.values(feeds)], outputs);
  return { network: { config, input: { height, width }, graph, parameters: scope.parameters }, feeds };
}
