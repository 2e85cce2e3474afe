// One recipe on every device: a small network's losses on the CPU, in half precision, and on WebGPU agree.
import { describe, expect, test } from "vitest";
import { input } from "../../src/graph/value.ts";
import { jointsMse } from "../../src/losses/heatmap-losses.ts";
import { buildNetwork, type NetworkConfig } from "../../src/models/network.ts";
import { uniformRandom } from "../../src/random/random.ts";
import { describeDevices } from "../../src/runtime/describe-devices.ts";
import type { Device } from "../../src/runtime/session.ts";
import { tensor } from "../../src/tensor/tensor.ts";
import { TrainingSession } from "../../src/train/training-session.ts";
import { randomWeights, tinyBaseline, tinyLite, tinyPose } from "../helpers/tiny-models.ts";

const BATCH = 2;
const [HEIGHT, WIDTH] = [64, 64] as const;
const STEPS = 4;

const NETWORKS: readonly (readonly [string, NetworkConfig])[] = [
  ["HRNet", tinyPose(3)],
  ["Lite-HRNet", tinyLite({ channels: 3 })],
  ["SimpleBaseline", tinyBaseline(3)],
];

/** Losses of the first steps of a network on noise with fixed targets. */
async function losses(config: NetworkConfig, device: Device, precision: "fp32" | "fp16"): Promise<number[]> {
  const network = buildNetwork(config, [HEIGHT, WIDTH], BATCH);
  const { shape } = network.graph.outputs["heatmaps"]!;
  const [, keypoints, height, width] = shape as [number, number, number, number];
  const uniform = uniformRandom(7);
  const weights = randomWeights(config);
  const noise = Uint8Array.from({ length: BATCH * 3 * HEIGHT * WIDTH }, () => 256 * uniform());
  const truth = Float32Array.from({ length: BATCH * keypoints * height * width }, (_, i) =>
    i % 37 === 0 ? 1 : 0,
  );
  await using session = await TrainingSession.open({
    network,
    weights,
    normalization: { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
    feeds: {
      target: input("target", "float32", shape),
      weight: input("weight", "float32", [BATCH, keypoints]),
    },
    loss: ({ heatmaps }, { target, weight }) => ({
      loss: jointsMse({ heatmaps: heatmaps!, targets: target!, weights: weight! }),
    }),
    optimizer: { type: "adam", betas: [0.9, 0.999], epsilon: 1e-8 },
    groups: [
      {
        names: [...network.parameters].filter(([, info]) => info.trainable).map(([name]) => name),
        learningRateFactor: 1,
        weightDecay: 0,
      },
    ],
    batchNormMomentum: 0.1,
    precision,
    device,
  });
  const result: number[] = [];
  for (let step = 0; step < STEPS; step++) {
    const { loss, finite } = await session.run(
      {
        image: tensor("uint8", [BATCH, 3, HEIGHT, WIDTH], noise.slice()),
        target: tensor("float32", shape as number[], truth.slice()),
        weight: tensor("float32", [BATCH, keypoints], new Float32Array(BATCH * keypoints).fill(1)),
      },
      1e-3,
    );
    expect(finite).toBe(true);
    result.push(loss);
  }
  return result;
}

const { usable, detail } = (await describeDevices()).find(({ device }) => device === "webgpu")!;
if (!usable) console.log(`skipping webgpu: ${detail}`);

describe.each(NETWORKS)("%s", (_, config) => {
  test("half precision", async () => {
    const single = await losses(config, "cpu", "fp32");
    const half = await losses(config, "cpu", "fp16");
    expect(single.at(-1)!).toBeLessThan(single[0]!);
    half.forEach((loss, step) => {
      expect(Math.abs(loss / single[step]! - 1), `step ${step}`).toBeLessThan(1e-2);
    });
  });

  test.skipIf(!usable)("webgpu", { timeout: 300_000 }, async () => {
    const cpu = await losses(config, "cpu", "fp32");
    const gpu = await losses(config, "webgpu", "fp32");
    gpu.forEach((loss, step) => {
      expect(Math.abs(loss / cpu[step]! - 1), `step ${step}`).toBeLessThan(step === 0 ? 1e-5 : 1e-3);
    });
  });
});
