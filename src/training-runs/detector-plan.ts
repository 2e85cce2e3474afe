// How a detector of each kind is trained: what its samples hold, its training form, its loss.

import type { TargetOptions } from "../detection/training-samples.ts";
import type { Value } from "../graph/value.ts";
import type { RgbImage } from "../image/rgb-image.ts";
import type { Network, NetworkConfig } from "../models/network.ts";
import type { DetectionRecipe } from "../recipe/schema.ts";
import type { ClassTable } from "../segmentation/class-table.ts";
import type { LossTerms } from "../train/step-options.ts";
import type { SamplePart } from "./first-samples.ts";
import { planPlaces } from "./place-plan.ts";
import { planRegions } from "./region-plan.ts";
import { planTriplets } from "./triplet-plan.ts";

/** A network in its training form. */
export interface DetectorForm {
  readonly network: Network;
  /** Inputs beside the picture. */
  readonly feeds: Readonly<Record<string, Value>>;
  loss(outputs: Readonly<Record<string, Value>>, feeds: Readonly<Record<string, Value>>): LossTerms;
}

/** What is known of a recipe's detector before its classes are. */
export interface DetectorPlan {
  /** What samples hold, for that many classes. */
  targets(classes: number): TargetOptions;
  /** @param batch pictures of a part of a batch */
  build(config: NetworkConfig, batch: number): DetectorForm;
  /** Draws a sample's targets on its picture; gives a caption. */
  draw(image: RgbImage, classes: ClassTable, part: SamplePart): string;
}

/** The plan of a recipe whose network is `config`, for any number of classes. */
export function planDetector(config: NetworkConfig, recipe: DetectionRecipe): DetectorPlan {
  if (config.family === "hrnet" && config.head.type === "rcnn")
    return planRegions({ ...config, head: config.head }, recipe);
  return config.family === "hrnet" && config.head.type === "centernet"
    ? planTriplets(recipe)
    : planPlaces(recipe);
}
