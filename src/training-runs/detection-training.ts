// What a detection recipe trains: network and weights, samples, loss, validation.

import {
  type DetectionPicture,
  type DetectionSource,
  readDetectionPictures,
} from "../data/detection-sets.ts";
import { type DrawnObject, drawObjects } from "../detection/draw-detections.ts";
import { fcosLevels, placesOf } from "../detection/fcos-places.ts";
import { HRNetError } from "../errors.ts";
import { input as graphInput } from "../graph/value.ts";
import type { RgbImage } from "../image/rgb-image.ts";
import { IMAGENET_NORMALIZATION } from "../image/warp.ts";
import { fcosLoss } from "../losses/fcos-loss.ts";
import type { ModelDescription } from "../model-file/description.ts";
import { buildNetwork } from "../models/network.ts";
import { detectionNetwork } from "../recipe/detection-recipe.ts";
import type { DetectionSet } from "../recipe/detection-schema.ts";
import { belowRoot } from "../recipe/recipe-paths.ts";
import type { DetectionRecipe } from "../recipe/schema.ts";
import { imageFromPlanes } from "../report/draw-sample.ts";
import type { GalleryItem } from "../report/run-report.ts";
import { type ClassTable, defaultColor, defineClassTable } from "../segmentation/class-table.ts";
import { prepareDetectionSamples } from "../training-data/detection-samples.ts";
import type { PreparedSamples } from "../training-data/prepared-samples.ts";
import { validateDetection } from "./detection-validation.ts";
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
  const prepared = await prepareDetectionSamples(
    data.train.map((set) => sourceOf(set, data.root)),
    {
      input,
      augmentation: recipe.augmentation,
      photometric: recipe.photometric,
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
  const part = recipe.batchSize / recipe.replicas;
  const network = buildNetwork(config, input, part);
  const places = placesOf(fcosLevels(...input));
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
  const levels = fcosLevels(...input).map((_, l) => l);
  return {
    recipe,
    description,
    network,
    weights: resumed ?? initial?.weights ?? freshWeights(network, recipe.seed),
    samples,
    feeds: {
      classes: graphInput("classes", "float32", [part, places]),
      distances: graphInput("distances", "float32", [part, places, 4]),
      centerness: graphInput("centerness", "float32", [part, places]),
    },
    loss: (outputs, { classes: labels, distances, centerness }) => {
      const of = (kind: string) => levels.map((l) => outputs[`${kind}${l}`]!);
      const { total } = fcosLoss(
        { classes: of("classes"), distances: of("distances"), centerness: of("centerness") },
        { classes: labels!, distances: distances!, centerness: centerness! },
      );
      return { loss: total, report: {} };
    },
    accuracy: () => undefined,
    validate: async (weights, settings) =>
      validation && validateDetection(recipe, { description, weights }, validation, settings),
    sampleGallery: (epoch) => drawSamples(samples, recipe, classes, epoch),
    outputs: `${names.length} classes`,
    galleryNotes: {
      samples:
        "The first samples of an epoch as the network gets them, with the boxes that its places are to find.",
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
  classes: ClassTable,
  epoch: number,
): Promise<GalleryItem[]> {
  const [height, width] = input;
  return drawFirstSamples(samples, { seed, epoch, most: SHOWN_SAMPLES }, (part) => {
    const image = imageFromPlanes(part<Uint8Array>("image"), width, height);
    const positives = drawTargets(image, input, classes, part("classes"), part("distances"));
    return { image, caption: `${positives} places with an object` };
  });
}

/** Draws each box that places are to find, once. */
function drawTargets(
  crop: RgbImage,
  input: readonly [number, number],
  { classes, colors }: ClassTable,
  labels: Float32Array,
  distances: Float32Array,
): number {
  const drawn = new Map<string, DrawnObject>();
  let place = 0;
  let positives = 0;
  for (const { height, width, stride } of fcosLevels(...input)) {
    const half = Math.floor(stride / 2);
    for (let i = 0; i < height * width; i++, place++) {
      const label = labels[place]!;
      if (label < 0) continue;
      positives++;
      const [l, t, r, b] = Array.from(distances.subarray(4 * place, 4 * place + 4)) as [
        number,
        number,
        number,
        number,
      ];
      const [x, y] = [half + (i % width) * stride - l, half + Math.floor(i / width) * stride - t];
      const box = [x, y, l + r, t + b] as const;
      drawn.set(box.map((value) => Math.round(value)).join(), {
        box,
        color: colors[label]!,
        text: classes[label],
      });
    }
  }
  drawObjects(crop, [...drawn.values()]);
  return positives;
}
