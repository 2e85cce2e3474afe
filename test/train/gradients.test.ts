// Gradients of whole networks against the official code's in double precision.
import { describe, expect, test } from "vitest";
import { differentiate } from "../../src/graph/differentiate.ts";
import { bindParameters, createGraph } from "../../src/graph/graph.ts";
import { lower } from "../../src/graph/lowering/lower.ts";
import { graphToModel } from "../../src/graph/onnx.ts";
import { encodeModel } from "../../src/graph/onnx-proto.ts";
import { interleaveChannels } from "../../src/graph/passes/interleave-channels.ts";
import { openSession } from "../../src/runtime/node.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { trainingForm } from "../../src/train/training-form.ts";
import { hasShared } from "../helpers/shared.ts";
import { TARGETS } from "../helpers/targets.ts";
import { relativeNorm, sampled, TRAINING_CASES, trainingFixture } from "../helpers/training-fixtures.ts";

describe.each(TRAINING_CASES)("$name", (training) => {
  describe.skipIf(!hasShared("fixtures", training.folder))("against PyTorch", () => {
    test.each(TARGETS)("gradients, lowered for %s", async (_, target) => {
      const { network, weights, meta, feeds, batch, outputs, loss, tensors } =
        await trainingFixture(training);
      const { graph } = trainingForm(interleaveChannels(network.graph));
      const value = loss(graph.outputs, feeds);
      const parameters = [...network.parameters.values()].filter((info) => info.trainable);
      const gradients = differentiate(
        value,
        parameters.map((parameter) => parameter.value),
      );
      const wanted = Object.fromEntries(
        parameters.map((parameter) => [`d.${parameter.value.name}`, gradients.get(parameter.value)!]),
      );
      const inputs = [...graph.inputs, ...Object.values(feeds)];
      const step = lower(
        bindParameters(createGraph(inputs, { loss: value, ...graph.outputs, ...wanted }), weights),
        target,
      );
      const model = encodeModel(graphToModel(step, { name: "gradients" }));
      await using session = await openSession(model, { device: "cpu", graphOptimization: "basic" });
      const { image, ...targets } = batch();
      const result = await session.run({ input: image!, ...targets });
      expect((result["loss"]!.data as Float32Array)[0]! / meta.losses_float64[0]!).toBeCloseTo(1, 5);
      for (const [name, { data }] of Object.entries(outputs))
        expect(relativeNorm([[result[name]!.data as Float32Array, data as Float32Array]])).toBeLessThan(1e-4);

      const ours = new Map<string, Tensor>(
        parameters.map((parameter) => [parameter.value.name!, result[`d.${parameter.value.name}`]!]),
      );
      const reference = await tensors(`${training.gradients}.safetensors`);
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
