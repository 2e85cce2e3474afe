// Whole training steps against the official code's in double precision: losses, running statistics, parameters.
import { describe, expect, test } from "vitest";
import { input } from "../../src/graph/value.ts";
import { jointsMse } from "../../src/losses/heatmap-losses.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { TrainingSession } from "../../src/train/training-session.ts";
import { hasShared } from "../helpers/shared.ts";
import { relativeNorm, sampled, trainingFixture } from "../helpers/training-fixtures.ts";

const FIXTURES = [
  ["train_pose_v1_c3", "checkpoint.pth"],
  ["train_litehrnet_lite", "init.pth"],
] as const;

const floats = ({ data }: Tensor): Float32Array => data as Float32Array;

describe.each(FIXTURES)("%s", (name, checkpoint) => {
  test.skipIf(!hasShared("fixtures", name))("three steps of Adam", async () => {
    const { network, weights, meta, array, tensors } = await trainingFixture(name, checkpoint);
    const target = array("target.npy");
    const weight = array("target_weight.npy");
    await using session = await TrainingSession.open({
      network,
      weights,
      feeds: {
        target: input("target", "float32", target.shape),
        weight: input("weight", "float32", weight.shape.slice(0, 2)),
      },
      loss: ({ heatmaps }, { target: targets, weight: factors }) => ({
        loss: jointsMse({ heatmaps: heatmaps!, targets: targets!, weights: factors! }),
      }),
      optimizer: { type: "adam", betas: [0.9, 0.999], epsilon: 1e-8 },
      groups: [
        {
          names: [...network.parameters].filter(([, info]) => info.trainable).map(([key]) => key),
          learningRateFactor: 1,
          weightDecay: 0,
        },
      ],
      batchNormMomentum: 0.1,
    });
    for (const step of [1, 2, 3]) {
      const { loss, finite } = await session.run(
        {
          image: array("input.npy"),
          target: array("target.npy"),
          weight: { ...array("target_weight.npy"), shape: weight.shape.slice(0, 2) },
        },
        1e-3,
      );
      expect(finite).toBe(true);
      expect(loss / meta.losses_float64[step - 1]!, `loss of step ${step}`).toBeCloseTo(
        1,
        step === 1 ? 5 : 3,
      );
      const ours = await session.weights();
      if (step === 1) {
        const buffers = await tensors("bn_after_step1_forward.safetensors");
        for (const [key, buffer] of buffers) {
          if (buffer.dtype === "int64") expect(ours.get(key)!.data[0], key).toBe(buffer.data[0]);
          else expect(relativeNorm([[floats(ours.get(key)!), floats(buffer)]]), key).toBeLessThan(1e-4);
        }
      }
      const reference = await tensors(`params_after_step${step}.safetensors`);
      const pairs = [...reference]
        .filter(([key]) => !meta.near_zero_grad_tensors.includes(key.split("::")[0]!))
        .map(([key, value]) => {
          const start = sampled(key, weights)!;
          const change = (array: Float32Array): Float32Array => array.map((v, i) => v - start[i]!);
          return [change(sampled(key, ours)!), change(floats(value))] as const;
        });
      expect(pairs.length).toBeGreaterThan(100);
      expect(relativeNorm(pairs), `changes after step ${step}`).toBeLessThan(2e-2);
    }
  });
});
