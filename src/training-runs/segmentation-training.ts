// What a segmentation recipe trains: network and weights, samples, loss, validation.

import { HRNetError } from "../errors.ts";
import { alignsCorners } from "../estimators/segmentation-networks.ts";
import { input as graphInput } from "../graph/value.ts";
import { rgbImage } from "../image/rgb-image.ts";
import { IMAGENET_NORMALIZATION } from "../image/warp.ts";
import type { ModelDescription } from "../model-file/description.ts";
import { buildNetwork } from "../models/network.ts";
import type { SegmentationRecipe } from "../recipe/schema.ts";
import { recipeClasses, recipeClassWeights, segmentationNetwork } from "../recipe/segmentation-recipe.ts";
import { imageFromPlanes, sideBySide } from "../report/draw-sample.ts";
import type { GalleryItem } from "../report/run-report.ts";
import type { ClassTable } from "../segmentation/class-table.ts";
import { drawSegmentation } from "../segmentation/draw-segmentation.ts";
import type { PreparedSamples } from "../training-data/prepared-samples.ts";
import { prepareSegmentationSamples } from "../training-data/segmentation-samples.ts";
import { drawFirstSamples } from "./first-samples.ts";
import { freshWeights, initialModel } from "./initial-weights.ts";
import { pixelAccuracy, segmentationLoss } from "./segmentation-loss.ts";
import { setFolders } from "./segmentation-sets.ts";
import { findValidationPictures, validateSegmentation } from "./segmentation-validation.ts";
import type { OpenTrainingOptions, TaskTraining } from "./training-task.ts";

/**
 * Reads data and weights of a recipe.
 * @throws HRNetError as the readers of classes, data and checkpoints; `invalid-config` for a network without logits
 */
export async function openSegmentationTraining(
  recipe: SegmentationRecipe,
  { weights: resumed, onLog }: OpenTrainingOptions,
): Promise<TaskTraining> {
  const { input, data } = recipe;
  const classes = await recipeClasses(recipe);
  const count = classes.classes.length;
  const config = segmentationNetwork(recipe, count);
  const part = recipe.batchSize / recipe.replicas;
  const network = buildNetwork(config, input, part);
  const { logits, aux: _, ...further } = network.graph.outputs;
  if (logits?.shape.length !== 4 || Object.keys(further).length > 0) {
    throw new HRNetError(
      "invalid-config",
      `The network of this recipe (${config.family}) gives ${Object.keys(network.graph.outputs).join(", ")}, no logits of pixels. ` +
        "`hrnet models` lists networks for segmentation.",
    );
  }
  const classWeights = recipeClassWeights(recipe, count);
  const samples = await prepareSegmentationSamples(
    data.train.map((set) => setFolders(set, data)),
    {
      classes,
      input,
      augmentation: recipe.augmentation,
      photometric: recipe.photometric,
      cacheMegabytes: data.cacheMegabytes,
    },
  );
  const validation = await findValidationPictures(recipe);
  const initial = await initialModel(recipe, config, onLog, { outputs: count, classes });
  const description: ModelDescription = {
    version: 1,
    name: recipe.name,
    task: "segmentation",
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
  const options = { alignCorners: alignsCorners(config), classWeights };
  return {
    recipe,
    description,
    network,
    weights: resumed ?? initial?.weights ?? freshWeights(network, recipe.seed),
    samples,
    feeds: { labels: graphInput("labels", "float32", [part, ...input]) },
    loss: (outputs, { labels }) => segmentationLoss(recipe.loss, options, outputs, labels!),
    accuracy: pixelAccuracy,
    validate: async (weights, settings) =>
      validation && validateSegmentation(recipe, { description, weights }, validation, settings),
    sampleGallery: (epoch) => drawSamples(samples, recipe, classes, epoch),
    outputs: `${count} classes`,
    galleryNotes: {
      samples: "The first samples of an epoch as the network gets them, and the classes of their pixels.",
      predictions:
        "Pictures of the validation data, the same in every report of this run: the picture, the truth, what was found.",
      worst: "Pictures of which the fewest pixels were found right, drawn alike.",
    },
  };
}

/** Pictures of augmented samples in the report. */
const SHOWN_SAMPLES = 8;

/** The run's own first samples of the epoch. */
function drawSamples(
  samples: PreparedSamples,
  { seed, input: [height, width] }: SegmentationRecipe,
  classes: ClassTable,
  epoch: number,
): Promise<GalleryItem[]> {
  return drawFirstSamples(samples, { seed, epoch, most: SHOWN_SAMPLES }, (part) => {
    const crop = imageFromPlanes(part<Uint8Array>("image"), width, height);
    const data = Uint16Array.from(part("labels"));
    const drawn = rgbImage(width, height, crop.data.slice());
    drawSegmentation(drawn, { width, height, data }, classes);
    const classified = data.reduce((sum, label) => sum + (label < classes.classes.length ? 1 : 0), 0);
    return {
      image: sideBySide([crop, drawn]),
      caption: `${((100 * classified) / data.length).toFixed(0)} % of the pixels are classified`,
    };
  });
}
