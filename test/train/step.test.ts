// Whole training steps against the official code's in double precision: losses, running statistics, parameters.
import { describe, expect, test } from "vitest";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { TrainingSession } from "../../src/train/training-session.ts";
import { hasShared } from "../helpers/shared.ts";
import { relativeNorm, sampled, TRAINING_CASES, trainingFixture } from "../helpers/training-fixtures.ts";

const floats = ({ data }: Tensor): Float32Array => data as Float32Array;

describe.each(TRAINING_CASES)("$name", (training) => {
  test.skipIf(!hasShared("fixtures", training.folder))("three steps", async () => {
    const { network, weights, meta, feeds, batch, loss: lossOf, tensors } = await trainingFixture(training);
    await using session = await TrainingSession.open({
      network,
      weights,
      feeds,
      loss: (outputs, targets) => ({ loss: lossOf(outputs, targets) }),
      optimizer: training.optimizer,
      groups: [
        {
          names: [...network.parameters].filter(([, info]) => info.trainable).map(([key]) => key),
          learningRateFactor: 1,
          weightDecay: training.weightDecay,
        },
      ],
      batchNormMomentum: 0.1,
    });
    for (const step of [1, 2, 3]) {
      const { loss, finite } = await session.run(batch(), training.learningRate);
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
      const reference = await tensors(`${training.parameters}_after_step${step}.safetensors`);
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
