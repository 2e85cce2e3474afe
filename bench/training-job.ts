// The training that is timed: a network, its loss and optimizer, and a batch, the same for us and for the peer.

import { input } from "../src/graph/value.ts";
import { jointsMse } from "../src/losses/heatmap-losses.ts";
import { buildNetwork, parseNetworkConfig } from "../src/models/network.ts";
import { VARIANTS } from "../src/models/variants.ts";
import { type Tensor, tensor } from "../src/tensor/tensor.ts";
import { TrainingSession, type TrainingSessionOptions } from "../src/train/training-session.ts";
import { proceduralInput, proceduralWeight } from "../test/helpers/procedural.ts";
import { SIZE } from "./networks.ts";

/** A network trained with batches of a size. */
export interface TrainingJob {
  readonly network: string;
  readonly batch: number;
  /** Parts of the batch that we train side by side. */
  readonly replicas: number;
}

/** How our side runs it. */
export type TrainingSettings = Pick<TrainingSessionOptions, "threads" | "spinning">;

/** Learning rate of the recipes of HRNet and SimpleBaseline. */
export const LEARNING_RATE = 1e-3;
/** Of ImageNet, as `torchvision` has them. */
const NORMALIZATION = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

const KEYPOINTS = 17;
const CELLS = [SIZE[0] / 4, SIZE[1] / 4] as const;

const networkOf = ({ network, batch, replicas }: TrainingJob) =>
  buildNetwork(
    parseNetworkConfig(VARIANTS.find(({ name }) => name === network)!.config),
    SIZE,
    batch / replicas,
  );

/** Weights made from their names. */
export function jobWeights(job: TrainingJob): Map<string, Tensor> {
  return new Map(
    [...networkOf(job).parameters].map(([key, { value }]) => [
      key,
      proceduralWeight(key, value.shape as number[]),
    ]),
  );
}

/** Feeds of a step: pictures as bytes, heatmaps from 0 to 1, keypoint weights of which some are 0. */
export function jobBatch({ batch }: TrainingJob): Record<"image" | "target" | "weight", Tensor> {
  // Procedural inputs are uniform from -2 to 2.
  const bytes = proceduralInput("image", [batch, 3, ...SIZE]);
  const target = proceduralInput("target", [batch, KEYPOINTS, ...CELLS]);
  const weight = tensor("float32", [batch, KEYPOINTS]);
  return {
    image: tensor(
      "uint8",
      bytes.shape,
      Uint8Array.from(bytes.data as Float32Array, (x) => Math.floor((x + 2) * 64)),
    ),
    target: tensor(
      "float32",
      target.shape,
      (target.data as Float32Array).map((x) => Math.abs(x) / 2),
    ),
    weight: tensor(
      "float32",
      weight.shape,
      (weight.data as Float32Array).map((_, i) => (i % 5 === 0 ? 0 : 1)),
    ),
  };
}

/** Opens our session: `JointsMSELoss`, Adam as PyTorch has it by default. */
export async function openJob(
  job: TrainingJob,
  settings: TrainingSettings,
): Promise<{ readonly session: TrainingSession; readonly parameters: number; readonly openMs: number }> {
  const weights = jobWeights(job);
  const start = performance.now();
  const network = networkOf(job);
  const part = job.batch / job.replicas;
  const names = [...network.parameters].filter(([, { trainable }]) => trainable).map(([name]) => name);
  const session = await TrainingSession.open({
    ...settings,
    replicas: job.replicas,
    network,
    weights,
    normalization: NORMALIZATION,
    feeds: {
      target: input("target", "float32", [part, KEYPOINTS, ...CELLS]),
      weight: input("weight", "float32", [part, KEYPOINTS]),
    },
    loss: (outputs, { target, weight }) => ({
      loss: jointsMse({ heatmaps: outputs["heatmaps"]!, targets: target!, weights: weight! }),
    }),
    optimizer: { type: "adam", betas: [0.9, 0.999], epsilon: 1e-8 },
    groups: [{ names, learningRateFactor: 1, weightDecay: 0 }],
    batchNormMomentum: 0.1,
    device: "cpu",
  });
  const openMs = performance.now() - start;
  const parameters = names.reduce((sum, name) => sum + weights.get(name)!.data.length, 0);
  return { session, parameters, openMs };
}
