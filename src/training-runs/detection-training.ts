// What a detection recipe trains: network and weights, samples, loss, validation.

import {
  type DetectionPicture,
  type DetectionSource,
  readDetectionPictures,
} from "../data/detection-sets.ts";
import { HRNetError } from "../errors.ts";
import { IMAGENET_NORMALIZATION } from "../image/warp.ts";
import type { ModelDescription } from "../model-file/description.ts";
import { baseNetwork, detectionNetwork } from "../recipe/detection-recipe.ts";
import type { DetectionSet } from "../recipe/detection-schema.ts";
import { belowRoot } from "../recipe/recipe-paths.ts";
import type { DetectionRecipe } from "../recipe/schema.ts";
import { imageFromPlanes } from "../report/draw-sample.ts";
import type { GalleryItem } from "../report/run-report.ts";
import { type ClassTable, defaultColor, defineClassTable } from "../segmentation/class-table.ts";
import { prepareDetectionSamples } from "../training-data/detection-samples.ts";
import type { PreparedSamples } from "../training-data/prepared-samples.ts";
import { validateDetection } from "./detection-validation.ts";
import { type DetectorPlan, planDetector } from "./detector-plan.ts";
import { drawFirstSamples } from "./first-samples.ts";
import { freshWeights, initialModel } from "./initial-weights.ts";
import type { OpenTrainingOptions, TaskTraining } from "./training-task.ts";

/** A data set of a recipe, its paths from the root on. */
function sourceOf<T extends DetectionSet>(set: T, root: string | null): T & DetectionSource {
  const whole = (path: string): string => belowRoot(root, path);
  return {
    ...set,
    annotations: whole(set.annotations),
    images: whole(set.images),
    ...(set.format === "voc" && set.list !== undefined && { list: whole(set.list) }),
  };
}

/**
 * Reads data and weights of a recipe.
 * @throws HRNetError as the readers of data and checkpoints; `invalid-config` for a network that finds no objects; `invalid-data` for data
 * without objects
 */
export async function openDetectionTraining(
  recipe: DetectionRecipe,
  { weights: resumed, onLog }: OpenTrainingOptions,
): Promise<TaskTraining> {
  const { input, data } = recipe;
  const plan = planDetector(baseNetwork(recipe), recipe);
  const prepared = await prepareDetectionSamples(
    data.train.map((set) => sourceOf(set, data.root)),
    {
      input,
      augmentation: recipe.augmentation,
      photometric: recipe.photometric,
      targets: plan.targets,
      cacheMegabytes: data.cacheMegabytes,
      ...(data.classes && { classes: data.classes }),
    },
  );
  const { samples, classes: names, objects } = prepared;
  if (objects === 0)
    throw new HRNetError(
      "invalid-data",
      "There are no objects to learn in the training data of this recipe.",
    );
  // Class 0 is an object here: black would not be seen.
  const colors = names.map((_, index) => defaultColor(index + 1));
  const classes = defineClassTable({ name: recipe.name, classes: names, colors, flipPairs: [] });
  const config = detectionNetwork(recipe, names.length);
  const { network, feeds, loss } = plan.build(config, recipe.batchSize / recipe.replicas);
  const validation: readonly DetectionPicture[] | undefined =
    data.validation === null
      ? undefined
      : (await readDetectionPictures(sourceOf(data.validation, data.root), names)).pictures;
  const initial = await initialModel(recipe, config, onLog, { outputs: names.length, classes });
  const description: ModelDescription = {
    version: 1,
    name: recipe.name,
    task: "detection",
    network: config,
    input,
    preprocessing: initial?.description.preprocessing ?? IMAGENET_NORMALIZATION,
    classes,
    provenance: {
      source: recipe.name,
      codeBase: "hrnet-ts",
      ...(initial && { licence: initial.description.provenance.licence }),
    },
  };
  return {
    recipe,
    description,
    network,
    weights: resumed ?? initial?.weights ?? freshWeights(network, recipe.seed),
    samples,
    feeds,
    loss,
    accuracy: () => undefined,
    validate: async (weights, settings) =>
      validation && validateDetection(recipe, { description, weights }, validation, settings),
    sampleGallery: (epoch) => drawSamples(samples, recipe, plan, classes, epoch),
    outputs: `${names.length} classes`,
    galleryNotes: {
      samples: "The first samples of an epoch as the network gets them, with the boxes that it is to find.",
      predictions:
        "Pictures of the validation data, the same in every report of this run: annotated boxes in white, what was found in colour.",
      worst: "Pictures of which the fewest objects were found, or the most that are not there, drawn alike.",
    },
  };
}

/** Pictures of augmented samples in the report. */
const SHOWN_SAMPLES = 8;

/** The run's own first samples of the epoch. */
function drawSamples(
  samples: PreparedSamples,
  { seed, input }: DetectionRecipe,
  plan: DetectorPlan,
  classes: ClassTable,
  epoch: number,
): Promise<GalleryItem[]> {
  const [height, width] = input;
  return drawFirstSamples(samples, { seed, epoch, most: SHOWN_SAMPLES }, (part) => {
    const image = imageFromPlanes(part<Uint8Array>("image"), width, height);
    return { image, caption: plan.draw(image, classes, part) };
  });
}
