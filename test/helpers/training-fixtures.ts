// The training fixtures: a narrow network, one batch, and what PyTorch's steps made of it.
import { readFileSync } from "node:fs";
import { add, scale } from "../../src/graph/ops/elementwise.ts";
import { input, type Value } from "../../src/graph/value.ts";
import { jointsMse } from "../../src/losses/heatmap-losses.ts";
import {
  crossEntropy,
  crossEntropyOverAll,
  hardPixelCrossEntropy,
} from "../../src/losses/segmentation-losses.ts";
import { importStateDict } from "../../src/model-file/import-checkpoint.ts";
import { buildNetwork, type Network } from "../../src/models/network.ts";
import { decodeNpy } from "../../src/tensor/npy.ts";
import { type Tensor, tensor } from "../../src/tensor/tensor.ts";
import type { Optimizer } from "../../src/train/optimizers.ts";
import { readCheckpoint } from "../../src/weights/read-checkpoint.ts";
import { shared } from "./shared.ts";

/** A fixture opened. */
export interface TrainingFixture {
  readonly network: Network;
  readonly weights: ReadonlyMap<string, Tensor>;
  readonly meta: {
    readonly losses_float64: readonly number[];
    readonly near_zero_grad_tensors: readonly string[];
  };
  /** Inputs of the loss, and what is fed to them. */
  readonly feeds: Readonly<Record<string, Value>>;
  readonly batch: () => Record<string, Tensor>;
  /** Each output of the network in the first step, by the name of the graph's output. */
  readonly outputs: Readonly<Record<string, Tensor>>;
  readonly loss: (outputs: Readonly<Record<string, Value>>, feeds: Readonly<Record<string, Value>>) => Value;
  tensors(name: string): Promise<ReadonlyMap<string, Tensor>>;
}

/** A training of the fixtures: its folder, its initial weights, the files of its results. */
interface TrainingCase {
  readonly name: string;
  readonly folder: string;
  readonly checkpoint: string;
  readonly gradients: string;
  readonly parameters: string;
  readonly optimizer: Optimizer;
  readonly learningRate: number;
  readonly weightDecay: number;
}

const ADAM = {
  optimizer: { type: "adam", betas: [0.9, 0.999], epsilon: 1e-8 },
  learningRate: 1e-3,
  weightDecay: 0,
} as const;
const SGD = {
  optimizer: { type: "sgd", momentum: 0.9, nesterov: false },
  learningRate: 0.01,
  weightDecay: 5e-4,
} as const;
const pose = (folder: string, checkpoint: string): TrainingCase => ({
  name: folder,
  folder,
  checkpoint,
  gradients: "grads",
  parameters: "params",
  ...ADAM,
});
const segmentation = (mode: "ce" | "ohem"): TrainingCase => ({
  name: `train_seg_ocr_c4, ${mode}`,
  folder: "train_seg_ocr_c4",
  checkpoint: "init.pth",
  gradients: `grads_${mode}`,
  parameters: `params_${mode}`,
  ...SGD,
});

/** All of them. */
export const TRAINING_CASES: readonly TrainingCase[] = [
  pose("train_pose_v1_c3", "checkpoint.pth"),
  pose("train_litehrnet_lite", "init.pth"),
  segmentation("ce"),
  segmentation("ohem"),
];

/** Opens a fixture, its network built for the batch of its input. */
export async function trainingFixture({
  folder,
  checkpoint,
  gradients,
}: TrainingCase): Promise<TrainingFixture> {
  const path = (file: string): string => shared("fixtures", folder, file);
  const array = (file: string): Tensor => decodeNpy(readFileSync(path(file)));
  const { stateDict } = await readCheckpoint(path(checkpoint));
  const [batch, , height, width] = array("input.npy").shape as [number, number, number, number];
  const { model } = importStateDict(stateDict, path(checkpoint), { input: [height, width] });
  const meta = JSON.parse(readFileSync(path("meta.json"), "utf8"));
  const mode = gradients.split("_")[1];
  return {
    network: buildNetwork(model.description.network, [height, width], batch),
    weights: model.weights,
    meta: mode === undefined ? meta : meta.modes[mode],
    tensors: async (file) => (await readCheckpoint(path(file))).stateDict,
    ...(mode === undefined ? poseTask(array) : segmentationTask(array, mode)),
  };
}

type Task = Pick<TrainingFixture, "feeds" | "batch" | "outputs" | "loss">;

function poseTask(array: (file: string) => Tensor): Task {
  const { shape } = array("target.npy");
  const weight = () => ({ ...array("target_weight.npy"), shape: shape.slice(0, 2) });
  return {
    feeds: {
      target: input("target", "float32", shape),
      weight: input("weight", "float32", shape.slice(0, 2)),
    },
    batch: () => ({ target: array("target.npy"), weight: weight(), image: array("input.npy") }),
    outputs: { heatmaps: array("output_train_step0.npy") },
    loss: ({ heatmaps }, { target, weight: weights }) =>
      jointsMse({ heatmaps: heatmaps!, targets: target!, weights: weights! }),
  };
}

function segmentationTask(array: (file: string) => Tensor, mode: string): Task {
  const { shape, data } = array("labels.npy");
  const labels = () => tensor("float32", shape, Float32Array.from(data as Uint8Array));
  const options = {
    alignCorners: true,
    classWeights: Array.from(array("class_weights.npy").data as Float32Array),
  };
  return {
    feeds: { labels: input("labels", "float32", shape) },
    batch: () => ({ labels: labels(), image: array("input.npy") }),
    outputs: { aux: array("output_train_step0_aux.npy"), logits: array("output_train_step0_main.npy") },
    loss: ({ aux, logits }, { labels: truth }) => {
      const [first, last] = [aux, logits].map((value) => ({ logits: value!, labels: truth! }));
      return mode === "ce"
        ? add(scale(crossEntropy(first!, options), 0.4), crossEntropy(last!, options))
        : add(
            scale(crossEntropyOverAll(first!, options), 0.4),
            hardPixelCrossEntropy(last!, options, { threshold: 0.2, kept: 2000 }),
          );
    },
  };
}

/** Elements of a stored tensor beside ours: a name `weight::every7` holds each 7th element of the flattened `weight`. */
export function sampled(name: string, ours: ReadonlyMap<string, Tensor>): Float32Array | undefined {
  const [key, rule] = name.split("::every") as [string, string?];
  const data = ours.get(key)?.data as Float32Array | undefined;
  if (!data || rule === undefined) return data;
  return Float32Array.from(
    { length: Math.ceil(data.length / Number(rule)) },
    (_, i) => data[i * Number(rule)]!,
  );
}

/** ‖a − b‖/‖b‖ over the pairs. */
export function relativeNorm(pairs: Iterable<readonly [ArrayLike<number>, ArrayLike<number>]>): number {
  let difference = 0;
  let norm = 0;
  for (const [a, b] of pairs) {
    for (let i = 0; i < b.length; i++) {
      difference += (a[i]! - b[i]!) ** 2;
      norm += b[i]! ** 2;
    }
  }
  return Math.sqrt(difference / norm);
}
