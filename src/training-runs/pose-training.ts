// What a pose recipe trains: network and weights, samples, loss, validation.

import { readCocoKeypoints } from "../data/coco.ts";
import { HRNetError } from "../errors.ts";
import { input as graphInput } from "../graph/value.ts";
import { IMAGENET_NORMALIZATION } from "../image/warp.ts";
import type { ModelDescription } from "../model-file/description.ts";
import { buildNetwork, type Network } from "../models/network.ts";
import { createHeatmapCodec, type HeatmapCodec } from "../pose/codecs/heatmap-codec.ts";
import { recipeJointWeights, recipeNetwork, recipeSkeleton } from "../recipe/pose-recipe.ts";
import { resolveData } from "../recipe/recipe-paths.ts";
import type { PoseRecipe } from "../recipe/schema.ts";
import { drawSample, imageFromPlanes } from "../report/draw-sample.ts";
import type { GalleryItem } from "../report/run-report.ts";
import type { Skeleton } from "../skeleton/skeleton.ts";
import { MPII_16 } from "../skeleton/skeletons.ts";
import type { Normalization } from "../train/normalization.ts";
import { preparePoseSamples } from "../training-data/pose-samples.ts";
import type { PreparedSamples } from "../training-data/prepared-samples.ts";
import { drawFirstSamples } from "./first-samples.ts";
import { freshWeights, initialModel } from "./initial-weights.ts";
import { batchAccuracy, poseLoss } from "./pose-loss.ts";
import { checkValidationData, validatePose } from "./pose-validation.ts";
import { loadTeacher, taughtName, withTeacher } from "./teacher.ts";
import type { OpenTrainingOptions, TaskTraining } from "./training-task.ts";

/**
 * Reads data and weights of a recipe.
 * @throws HRNetError as the readers of data, checkpoints and skeletons
 */
export async function openPoseTraining(
  recipe: PoseRecipe,
  { weights: resumed, onLog }: OpenTrainingOptions,
): Promise<TaskTraining> {
  const data = resolveData(recipe.data);
  const skeleton = (await recipeSkeleton(recipe)) ?? (await skeletonOfData(data.train[0]!));
  const codec = createHeatmapCodec(recipe.codec);
  const config = recipeNetwork(recipe, skeleton.keypoints.length);
  const [height, width] = recipe.input;
  const part = recipe.batchSize / recipe.replicas;
  const plain = buildNetwork(config, [height, width], part);
  const { heatmaps, ...further } = plain.graph.outputs;
  if (!heatmaps || Object.keys(further).length > 0) {
    throw new HRNetError(
      "invalid-config",
      `The network of this recipe (${config.family}) gives ${Object.keys(plain.graph.outputs).join(", ")}, not heatmaps ` +
        "alone. Top-down pose training needs a network with that one output; `hrnet models` lists networks.",
    );
  }
  const [, , cellsY, cellsX] = heatmaps.shape as [number, number, number, number];
  const jointWeights = recipeJointWeights(recipe.loss, skeleton.keypoints.length);
  await checkValidationData(recipe, skeleton);
  if (neverMirrored(recipe, skeleton)) {
    onLog(
      "augmentation.flipProbability is 0: no sample is ever mirrored, although the skeleton has a left and a right. " +
        "Published recipes have 0.5.",
    );
  }
  const samples = await preparePoseSamples(
    data.train.map((set) => ({ ...set })),
    {
      skeleton,
      inputSize: [width, height],
      heatmapSize: [cellsX, cellsY],
      codec: recipe.codec,
      augmentation: recipe.augmentation,
      photometric: recipe.photometric,
      cacheMegabytes: recipe.data.cacheMegabytes,
      ...(jointWeights && { jointWeights }),
      onLog,
    },
  );
  const initial = await initialModel(recipe, config, onLog, {
    outputs: skeleton.keypoints.length,
    skeleton,
    codec: recipe.codec,
  });
  const preprocessing = initial?.description.preprocessing ?? IMAGENET_NORMALIZATION;
  const lesson = await openLesson(recipe, plain, preprocessing);
  const description: ModelDescription = {
    version: 1,
    name: recipe.name,
    task: "pose",
    network: config,
    input: recipe.input,
    preprocessing,
    codec: recipe.codec,
    skeleton,
    provenance: {
      source: recipe.name,
      codeBase: "hrnet-ts",
      ...(initial && { licence: initial.description.provenance.licence }),
    },
  };
  const perKeypoint = codec.channelsPerKeypoint;
  const targets = heatmaps.shape;
  const keypoints = skeleton.keypoints.length;
  return {
    recipe,
    description,
    network: lesson.network,
    weights: resumed ?? initial?.weights ?? freshWeights(plain, recipe.seed),
    samples,
    feeds: {
      target: graphInput("target", "float32", targets),
      weight: graphInput("weight", "float32", [part, keypoints]),
      ...(lesson.companion && {
        [taughtName("heatmaps")]: graphInput(taughtName("heatmaps"), "float32", targets),
      }),
    },
    companion: lesson.companion,
    loss: (outputs, feeds) => poseLoss(recipe, perKeypoint, outputs, feeds),
    accuracy: (report) => batchAccuracy(report, keypoints, [cellsX, cellsY]),
    validate: (weights, options) => validatePose(recipe, { description, weights }, options),
    sampleGallery: (epoch) =>
      drawSamples(samples, { recipe, skeleton, codec, cells: [cellsX, cellsY] }, epoch),
    outputs: `${keypoints} keypoints`,
    galleryNotes: {
      samples:
        "The first samples of an epoch as the network gets them: the augmented crop with its keypoints, and their targets.",
      predictions:
        "Persons of the validation data, the same in every report of this run. Truth on the left, prediction on the " +
        "right; white lines lead from each prediction to where it should be.",
      worst: "Persons that were found worst, drawn alike.",
    },
  };
}

/** The network to train and the teacher that the recipe names, if it does: inside its graph, or beside it. */
async function openLesson(
  { teacher, input }: PoseRecipe,
  network: Network,
  normalization: Normalization,
): Promise<Pick<TaskTraining, "network" | "companion">> {
  if (!teacher) return { network };
  const layers = teacher.features?.layers ?? [];
  const expected = { heatmaps: network.graph.outputs["heatmaps"]!.shape, input };
  const loaded = await loadTeacher(teacher.model, expected, layers);
  if (layers.length === 0) return { network, companion: loaded.companion };
  return { network: withTeacher(network, loaded, layers, normalization) };
}

/** Whether a recipe varies samples but forgets the mirror, which is off by default and worth as much as twice the data. */
function neverMirrored({ augmentation }: PoseRecipe, { flipPairs }: Skeleton): boolean {
  const { flipProbability, scaleFactor, rotationFactor } = augmentation;
  return flipProbability === 0 && flipPairs.length > 0 && (scaleFactor > 0 || rotationFactor > 0);
}

async function skeletonOfData(set: PoseRecipe["data"]["train"][number]): Promise<Skeleton> {
  return set.format === "mpii" ? MPII_16 : (await readCocoKeypoints(set.annotations)).skeleton;
}

/** Pictures of augmented samples in the report. */
const SHOWN_SAMPLES = 12;

interface SampleDrawing {
  readonly recipe: PoseRecipe;
  readonly skeleton: Skeleton;
  readonly codec: HeatmapCodec;
  /** `[w, h]` of the heatmaps. */
  readonly cells: readonly [number, number];
}

/**
 * The run's own first samples of the epoch, whatever its batch size: a sample follows from its place in the epoch alone.
 */
function drawSamples(
  samples: PreparedSamples,
  { recipe: { seed, input }, skeleton, codec, cells: [cellsX, cellsY] }: SampleDrawing,
  epoch: number,
): Promise<GalleryItem[]> {
  const [height, width] = input;
  const count = skeleton.keypoints.length;
  const { channelsPerKeypoint: channels, grid } = codec;
  return drawFirstSamples(samples, { seed, epoch, most: SHOWN_SAMPLES }, (part) => {
    const points = part("keypoints");
    const crop = imageFromPlanes(part<Uint8Array>("image"), width, height);
    const heatmaps = { data: part("target"), keypoints: count, channels, grid, weights: part("weight") };
    const keypoints = Array.from({ length: count }, (_, k) => ({
      x: points[3 * k]!,
      y: points[3 * k + 1]!,
      score: points[3 * k + 2]!,
    }));
    const image = drawSample(crop, { ...heatmaps, height: cellsY, width: cellsX }, { skeleton, keypoints });
    const labelled = keypoints.filter(({ score }) => score > 0).length;
    return { image, caption: `${labelled} of ${count} keypoints with a target` };
  });
}
