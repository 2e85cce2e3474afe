// What a pose recipe trains: network and weights, samples, loss, validation.

import { openBatchLoader } from "../data/batch-loader.ts";
import { readCocoKeypoints } from "../data/coco.ts";
import { HRNetError } from "../errors.ts";
import { input as graphInput, type Value } from "../graph/value.ts";
import { IMAGENET_NORMALIZATION } from "../image/warp.ts";
import type { ModelDescription } from "../model-file/description.ts";
import type { Model } from "../model-file/import-checkpoint.ts";
import { loadModel } from "../model-file/load-model.ts";
import { buildNetwork, type Network } from "../models/network.ts";
import { initialize } from "../nn/initialize.ts";
import { createHeatmapCodec, type HeatmapCodec } from "../pose/codecs/heatmap-codec.ts";
import { normalRandom, uniformRandom } from "../random/random.ts";
import { recipeJointWeights, recipeNetwork, recipeSkeleton } from "../recipe/pose-recipe.ts";
import { resolveData } from "../recipe/recipe-paths.ts";
import type { PoseRecipe } from "../recipe/schema.ts";
import { drawSample, imageFromPlanes } from "../report/draw-sample.ts";
import type { GalleryItem } from "../report/run-report.ts";
import type { Skeleton } from "../skeleton/skeleton.ts";
import { MPII_16 } from "../skeleton/skeletons.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { LossTerms } from "../train/step-options.ts";
import { type PreparedSamples, preparePoseSamples } from "../training-data/pose-samples.ts";
import { batchAccuracy, poseLoss } from "./pose-loss.ts";
import { checkValidationData, validatePose } from "./pose-validation.ts";
import type { Validation, ValidationOptions } from "./training-task.ts";

/** A pose recipe with its data read and its network built. */
export interface PoseTraining {
  readonly recipe: PoseRecipe;
  readonly description: ModelDescription;
  readonly codec: HeatmapCodec;
  /** Built for one of the recipe's `replicas` parts of a batch. */
  readonly network: Network;
  readonly weights: ReadonlyMap<string, Tensor>;
  readonly samples: PreparedSamples;
  /** Inputs of the step beside the picture. */
  readonly feeds: Readonly<Record<string, Value>>;
  loss(outputs: Readonly<Record<string, Value>>, feeds: Readonly<Record<string, Value>>): LossTerms;
  /** Share of a batch's keypoints whose heatmap peaks near the target, from what the loss reports. */
  accuracy(report: Readonly<Record<string, Tensor>>): number | undefined;
  /** Metrics of the weights on the recipe's validation data; `undefined` without such data. */
  validate(weights: ReadonlyMap<string, Tensor>, options: ValidationOptions): Promise<Validation | undefined>;
  /** The first samples of an epoch as the network sees them, drawn with their targets. */
  sampleGallery(epoch: number): Promise<GalleryItem[]>;
}

/** What opening a recipe is told. */
export interface PoseTrainingOptions {
  /** Weights of a checkpoint that is resumed; they take the place of the recipe's initial ones. */
  readonly weights?: ReadonlyMap<string, Tensor> | undefined;
  readonly onLog: (line: string) => void;
}

/**
 * Reads data and weights of a recipe.
 * @throws HRNetError as the readers of data, checkpoints and skeletons
 */
export async function openPoseTraining(
  recipe: PoseRecipe,
  { weights: resumed, onLog }: PoseTrainingOptions,
): Promise<PoseTraining> {
  const data = resolveData(recipe.data);
  const skeleton = (await recipeSkeleton(recipe)) ?? (await skeletonOfData(data.train[0]!));
  const codec = createHeatmapCodec(recipe.codec);
  const config = recipeNetwork(recipe, skeleton.keypoints.length);
  const [height, width] = recipe.input;
  const part = recipe.batchSize / recipe.replicas;
  const network = buildNetwork(config, [height, width], part);
  const { heatmaps, ...further } = network.graph.outputs;
  if (!heatmaps || Object.keys(further).length > 0) {
    throw new HRNetError(
      "invalid-config",
      `The network of this recipe (${config.family}) gives ${Object.keys(network.graph.outputs).join(", ")}, not heatmaps ` +
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
  const initial = await initialModel(recipe, network, skeleton, onLog);
  const description: ModelDescription = {
    version: 1,
    name: recipe.name,
    task: "pose",
    network: config,
    input: recipe.input,
    preprocessing: initial?.description.preprocessing ?? IMAGENET_NORMALIZATION,
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
    codec,
    network,
    weights: resumed ?? initial?.weights ?? freshWeights(network, recipe.seed),
    samples,
    feeds: {
      target: graphInput("target", "float32", targets),
      weight: graphInput("weight", "float32", [part, keypoints]),
      ...(recipe.teacher && { teacher: graphInput("teacher", "float32", targets) }),
    },
    loss: (outputs, feeds) => poseLoss(recipe, perKeypoint, outputs["heatmaps"]!, feeds),
    accuracy: (report) => batchAccuracy(report, keypoints, [cellsX, cellsY]),
    validate: (weights, options) => validatePose(recipe, { description, weights }, options),
    sampleGallery: (epoch) =>
      drawSamples(samples, { recipe, skeleton, codec, cells: [cellsX, cellsY] }, epoch),
  };
}

/** Whether a recipe varies samples but forgets the mirror, which is off by default and worth as much as twice the data. */
function neverMirrored({ augmentation }: PoseRecipe, { flipPairs }: Skeleton): boolean {
  const { flipProbability, scaleFactor, rotationFactor } = augmentation;
  return flipProbability === 0 && flipPairs.length > 0 && (scaleFactor > 0 || rotationFactor > 0);
}

async function skeletonOfData(set: PoseRecipe["data"]["train"][number]): Promise<Skeleton> {
  return set.format === "mpii" ? MPII_16 : (await readCocoKeypoints(set.annotations)).skeleton;
}

/** Weights as every parameter's initialiser wants them, from a seed. */
function freshWeights(network: Network, seed: number): Map<string, Tensor> {
  const normal = normalRandom(uniformRandom(seed));
  return new Map([...network.parameters].map(([name, info]) => [name, initialize(info, normal)]));
}

/** The model that the recipe starts from, fitted to its network. */
async function initialModel(
  recipe: PoseRecipe,
  network: Network,
  skeleton: Skeleton,
  onLog: (line: string) => void,
): Promise<Model | undefined> {
  if (recipe.initialize === null) return undefined;
  const { from, strict } = recipe.initialize;
  const { model, report } = await loadModel(from, {
    config: { ...network.config },
    outputs: skeleton.keypoints.length,
    input: recipe.input,
    skeleton,
    codec: recipe.codec,
  });
  onLog(`${report.loaded} weights loaded from ${from} (${report.codeBase})`);
  const fresh = report.initialized.join(", ");
  if (fresh !== "" && strict) {
    throw new HRNetError(
      "weights-mismatch",
      `${from} does not hold ${fresh} as the network of this recipe has them: its head is of another kind or number of ` +
        "keypoints. With initialize.strict=false they start anew.",
    );
  }
  if (fresh !== "")
    onLog(`the head of ${from} is of another kind or number of keypoints: ${fresh} start anew`);
  if (report.ignored.length > 0) {
    const reasons = [...new Set(report.ignored.map(({ reason }) => reason))].join(", ");
    onLog(`${report.ignored.length} weights of ${from} were left out (${reasons})`);
  }
  return model;
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
async function drawSamples(
  samples: PreparedSamples,
  { recipe, skeleton, codec, cells: [cellsX, cellsY] }: SampleDrawing,
  epoch: number,
): Promise<GalleryItem[]> {
  const length = samples.groups.reduce((sum, { count, repeat }) => sum + Math.round(count * repeat), 0);
  const shown = Math.min(SHOWN_SAMPLES, length);
  await using loader = await openBatchLoader({
    ...samples,
    batchSize: shown,
    seed: recipe.seed,
    workers: 0,
    shuffle: true,
    ahead: 0,
  });
  const [height, width] = recipe.input;
  const count = skeleton.keypoints.length;
  const { channelsPerKeypoint: channels, grid } = codec;
  for await (const { feeds, notes } of loader.batches(epoch)) {
    const part = <T extends "image" | "target" | "weight" | "keypoints">(name: T, index: number) => {
      const data = (feeds[name] ?? notes[name]!).data as Float32Array;
      return data.subarray((index * data.length) / shown, ((index + 1) * data.length) / shown);
    };
    return Array.from({ length: shown }, (_, index) => {
      const points = part("keypoints", index);
      const weights = part("weight", index);
      const crop = imageFromPlanes(part("image", index) as unknown as Uint8Array, width, height);
      const heatmaps = { data: part("target", index), keypoints: count, channels, grid, weights };
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
  return [];
}
