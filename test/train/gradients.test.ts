// Gradients of whole networks against the official code's in double precision.
import { describe, expect, test } from "vitest";
import { differentiate } from "../../src/graph/differentiate.ts";
import { bindParameters, createGraph } from "../../src/graph/graph.ts";
import { lower } from "../../src/graph/lowering/lower.ts";
import { graphToModel } from "../../src/graph/onnx.ts";
import { encodeModel } from "../../src/graph/onnx-proto.ts";
import { interleaveChannels } from "../../src/graph/passes/interleave-channels.ts";
import { input } from "../../src/graph/value.ts";
import { jointsMse } from "../../src/losses/heatmap-losses.ts";
import { openSession } from "../../src/runtime/node.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { trainingForm } from "../../src/train/training-form.ts";
import { hasShared } from "../helpers/shared.ts";
import { TARGETS } from "../helpers/targets.ts";
import { relativeNorm, sampled, trainingFixture } from "../helpers/training-fixtures.ts";

const FIXTURES = [
  ["train_pose_v1_c3", "checkpoint.pth"],
  ["train_litehrnet_lite", "init.pth"],
] as const;

describe.each(FIXTURES)("%s", (name, checkpoint) => {
  describe.skipIf(!hasShared("fixtures", name))("against PyTorch", () => {
    test.each(TARGETS)("gradients, lowered for %s", async (_, target) => {
      const { network, weights, meta, array, tensors } = await trainingFixture(name, checkpoint);
      const { graph } = trainingForm(interleaveChannels(network.graph));
      const heatmaps = graph.outputs["heatmaps"]!;
      const targets = input("target", "float32", heatmaps.shape);
      const factors = input("weight", "float32", heatmaps.shape.slice(0, 2));
      const loss = jointsMse({ heatmaps, targets, weights: factors });
      const parameters = [...network.parameters.values()].filter((info) => info.trainable);
      const gradients = differentiate(
        loss,
        parameters.map(({ value }) => value),
      );
      const outputs = Object.fromEntries(
        parameters.map(({ value }) => [`d.${value.name}`, gradients.get(value)!]),
      );
      const inputs = [...graph.inputs, targets, factors];
      const step = lower(
        bindParameters(createGraph(inputs, { loss, heatmaps, ...outputs }), weights),
        target,
      );
      const model = encodeModel(graphToModel(step, { name: "gradients" }));
      await using session = await openSession(model, { device: "cpu", graphOptimization: "basic" });
      const weight = array("target_weight.npy");
      const result = await session.run({
        input: array("input.npy"),
        target: array("target.npy"),
        weight: { ...weight, shape: weight.shape.slice(0, 2) },
      });
      expect((result["loss"]!.data as Float32Array)[0]! / meta.losses_float64[0]!).toBeCloseTo(1, 5);
      const output = array("output_train_step0.npy").data as Float32Array;
      expect(relativeNorm([[result["heatmaps"]!.data as Float32Array, output]])).toBeLessThan(1e-4);

      const ours = new Map<string, Tensor>(
        parameters.map(({ value }) => [value.name!, result[`d.${value.name}`]!]),
      );
      const reference = await tensors("grads.safetensors");
      const pairs = [...reference].map(
        ([key, { data }]) => [key, sampled(key, ours)!, data as Float32Array] as const,
      );
      expect(relativeNorm(pairs.map(([, a, b]) => [a, b]))).toBeLessThan(1e-3);
      const wrong = pairs.filter(
        ([key, a, b]) =>
          !meta.near_zero_grad_tensors.includes(key.split("::")[0]!) && relativeNorm([[a, b]]) > 1e-2,
      );
      expect(wrong.map(([key]) => key)).toEqual([]);
    });
  });
});
