// What a pose recipe trains: network and weights, samples, loss, validation.

import { readCocoKeypoints } from "../data/coco.ts";
import { type CocoPoseEvaluation, evaluateOnCoco } from "../estimators/evaluate-coco.ts";
import { evaluateOnMpii } from "../estimators/evaluate-mpii.ts";
import { PoseEstimator } from "../estimators/pose-estimator.ts";
import { add, scale } from "../graph/ops/elementwise.ts";
import { constant, input as graphInput, type Value } from "../graph/value.ts";
import { IMAGENET_NORMALIZATION } from "../image/warp.ts";
import { combinedTargetMse, hardestJointsMse, jointsMse, peaksOf } from "../losses/heatmap-losses.ts";
import { heatmapAccuracy } from "../metrics/heatmap-accuracy.ts";
import type { ModelDescription } from "../model-file/description.ts";
import type { Model } from "../model-file/import-checkpoint.ts";
import { loadModel } from "../model-file/load-model.ts";
import { toOnnx } from "../model-file/onnx-model.ts";
import { buildNetwork, type Network } from "../models/network.ts";
import { initialize } from "../nn/initialize.ts";
import { createHeatmapCodec, type HeatmapCodec } from "../pose/codecs/heatmap-codec.ts";
import { normalRandom, uniformRandom } from "../random/random.ts";
import { recipeJointWeights, recipeNetwork, recipeSkeleton } from "../recipe/pose-recipe.ts";
import { resolveData } from "../recipe/recipe-paths.ts";
import type { PoseRecipe } from "../recipe/schema.ts";
import type { Skeleton } from "../skeleton/skeleton.ts";
import { MPII_16 } from "../skeleton/skeletons.ts";
import { type Tensor, tensor } from "../tensor/tensor.ts";
import type { LossTerms } from "../train/step-graph.ts";
import { type PreparedSamples, preparePoseSamples } from "../training-data/pose-samples.ts";
import type { DeviceOptions, Validation } from "./training-task.ts";

/** A pose recipe with its data read and its network built. */
export interface PoseTraining {
  readonly recipe: PoseRecipe;
  readonly description: ModelDescription;
  readonly codec: HeatmapCodec;
  /** Built for the recipe's batch. */
  readonly network: Network;
  readonly weights: ReadonlyMap<string, Tensor>;
  readonly samples: PreparedSamples;
  /** Inputs of the step beside the picture. */
  readonly feeds: Readonly<Record<string, Value>>;
  loss(outputs: Readonly<Record<string, Value>>, feeds: Readonly<Record<string, Value>>): LossTerms;
  /** Share of a batch's keypoints whose heatmap peaks near the target, from what the loss reports. */
  accuracy(report: Readonly<Record<string, Tensor>>): number | undefined;
  /** Metrics of the weights on the recipe's validation data; `undefined` without such data. */
  validate(weights: ReadonlyMap<string, Tensor>, options: DeviceOptions): Promise<Validation | undefined>;
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
  const network = buildNetwork(config, [height, width], recipe.batchSize);
  const heatmaps = network.graph.outputs["heatmaps"]!;
  const [, , cellsY, cellsX] = heatmaps.shape as [number, number, number, number];
  const jointWeights = recipeJointWeights(recipe.loss, skeleton.keypoints.length);
  const samples = await preparePoseSamples(
    data.train.map((set) => ({ ...set })),
    {
      skeleton,
      inputSize: [width, height],
      heatmapSize: [cellsX, cellsY],
      codec: recipe.codec,
      augmentation: recipe.augmentation,
      photometric: recipe.photometric,
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
      weight: graphInput("weight", "float32", [recipe.batchSize, keypoints]),
      ...(recipe.teacher && { teacher: graphInput("teacher", "float32", targets) }),
    },
    loss: (outputs, feeds) => poseLoss(recipe, perKeypoint, outputs["heatmaps"]!, feeds),
    accuracy: (report) => accuracyOf(report, keypoints, [cellsX, cellsY]),
    validate: (weights, options) => validatePose(recipe, { description, weights }, options),
  };
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
  const { model, report } = await loadModel(recipe.initialize.from, {
    config: { ...network.config },
    outputs: skeleton.keypoints.length,
    input: recipe.input,
    skeleton,
    codec: recipe.codec,
  });
  onLog(`${report.loaded} weights loaded from ${recipe.initialize.from} (${report.codeBase})`);
  if (report.initialized.length > 0) {
    onLog(
      `the file's head is of another kind or number of keypoints: ${report.initialized.join(", ")} start anew`,
    );
  }
  return model;
}

const KEYPOINT_LOSSES = { 1: jointsMse, 3: combinedTargetMse } as const;

function poseLoss(
  { loss: options, teacher }: PoseRecipe,
  perKeypoint: 1 | 3,
  heatmaps: Value,
  feeds: Readonly<Record<string, Value>>,
): LossTerms {
  const ones = constant(onesLike(feeds["weight"]!));
  const weights = options.useTargetWeight ? feeds["weight"]! : ones;
  const batch = { heatmaps, targets: feeds["target"]!, weights };
  const own =
    options.hardKeypoints === null || perKeypoint === 3
      ? KEYPOINT_LOSSES[perKeypoint](batch)
      : hardestJointsMse(batch, options.hardKeypoints);
  const taught =
    teacher &&
    scale(
      KEYPOINT_LOSSES[perKeypoint]({ heatmaps, targets: feeds["teacher"]!, weights: ones }),
      teacher.weight,
    );
  const predicted = peaksOf(heatmaps, perKeypoint);
  const wanted = peaksOf(feeds["target"]!, perKeypoint);
  return {
    loss: taught ? add(own, taught) : own,
    report: {
      predictedIndex: predicted.index,
      predictedHeight: predicted.height,
      targetIndex: wanted.index,
      targetHeight: wanted.height,
    },
  };
}

function onesLike(value: Value): Tensor {
  const shape = value.shape as readonly number[];
  const result = tensor("float32", shape);
  result.data.fill(1);
  return result;
}

/** Positions [x, y] of peaks; [0, 0] where a map is nowhere positive, as `get_max_preds` of the official code. */
function positions(index: Tensor, height: Tensor, width: number): Float64Array {
  const result = new Float64Array(2 * index.data.length);
  for (let i = 0; i < index.data.length; i++) {
    if (!((height.data[i] as number) > 0)) continue;
    const cell = Number(index.data[i]);
    result[2 * i] = cell % width;
    result[2 * i + 1] = Math.floor(cell / width);
  }
  return result;
}

function accuracyOf(
  report: Readonly<Record<string, Tensor>>,
  keypoints: number,
  size: readonly [number, number],
): number | undefined {
  const { predictedIndex, predictedHeight, targetIndex, targetHeight } = report;
  if (!predictedIndex || !predictedHeight || !targetIndex || !targetHeight) return undefined;
  return heatmapAccuracy(
    positions(predictedIndex, predictedHeight, size[0]),
    positions(targetIndex, targetHeight, size[0]),
    keypoints,
    size,
  ).mean;
}

async function validatePose(
  recipe: PoseRecipe,
  model: Model,
  { signal, ...options }: DeviceOptions,
): Promise<Validation | undefined> {
  const { validation, validationBoxes } = resolveData(recipe.data);
  if (validation === null) return undefined;
  await using estimator = await PoseEstimator.load(toOnnx(model), {
    ...options,
    flipTest: recipe.validate.flipTest,
    decode: { orientation: "ignore" },
  });
  const watch = signal ? { signal } : {};
  if (validation.format === "mpii") {
    const { groups, mean50, mean10 } = await evaluateOnMpii(estimator, { ...validation, ...watch });
    return { main: "PCKh", metrics: { PCKh: mean50 / 100, "PCKh@0.1": mean10 / 100, ...percents(groups) } };
  }
  const evaluation: CocoPoseEvaluation = await evaluateOnCoco(estimator, validation.annotations, {
    images: validation.images,
    limit: recipe.validate.limit ?? undefined,
    detections: validationBoxes ?? undefined,
    ...watch,
  });
  return { main: "AP", metrics: { ...evaluation.stats }, evaluation };
}

const percents = (groups: Readonly<Record<string, number>>): Record<string, number> =>
  Object.fromEntries(Object.entries(groups).map(([name, value]) => [name, value / 100]));
