// Segmentation losses and their gradients against the official code's in double precision.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { differentiate } from "../../src/graph/differentiate.ts";
import { createGraph } from "../../src/graph/graph.ts";
import { lower } from "../../src/graph/lowering/lower.ts";
import { graphToModel } from "../../src/graph/onnx.ts";
import { encodeModel } from "../../src/graph/onnx-proto.ts";
import { add, scale } from "../../src/graph/ops/elementwise.ts";
import { input, type Value } from "../../src/graph/value.ts";
import {
  crossEntropy,
  crossEntropyOverAll,
  hardPixelCrossEntropy,
  type SegmentationBatch,
} from "../../src/losses/segmentation-losses.ts";
import { openSession } from "../../src/runtime/node.ts";
import { type Tensor, tensor } from "../../src/tensor/tensor.ts";
import { relativeError } from "../helpers/near.ts";
import { readFixtureTensors } from "../helpers/safetensors.ts";
import { fixture } from "../helpers/shared.ts";
import { TARGETS } from "../helpers/targets.ts";

interface Case {
  readonly case: number;
  readonly align_corners: boolean;
  readonly class_weights: boolean;
  readonly num_outputs: number;
  readonly ohem: boolean;
  readonly thres: number;
  readonly min_kept: number;
  readonly loss_mean: number;
}

const arrays = readFixtureTensors(fixture("seg_ops", "seg_losses.safetensors"));
const { cases } = JSON.parse(readFileSync(fixture("seg_ops", "seg_losses.json"), "utf8")) as {
  cases: Case[];
};
const floats = ({ shape, values }: { shape: readonly number[]; values: ArrayLike<number> }): Tensor =>
  tensor("float32", shape, Float32Array.from(values));
const [main, aux, labels] = ["logits_main", "logits_aux", "labels"].map((name) => floats(arrays[name]!)) as [
  Tensor,
  Tensor,
  Tensor,
];

/** The loss of a case: of the main output, and 0.4 times that of the auxiliary one where there are two. */
function lossOf(setting: Case, batch: SegmentationBatch, auxiliary: Value): Value {
  const options = {
    alignCorners: setting.align_corners,
    classWeights: setting.class_weights ? Array.from(arrays["class_weights"]!.values) : undefined,
  };
  const own = setting.ohem
    ? hardPixelCrossEntropy(batch, options, { threshold: setting.thres, kept: setting.min_kept })
    : crossEntropy(batch, options);
  if (setting.num_outputs === 1) return own;
  const further = { ...batch, logits: auxiliary };
  return add(own, scale((setting.ohem ? crossEntropyOverAll : crossEntropy)(further, options), 0.4));
}

describe.each(TARGETS)("lowered for %s", (_, target) => {
  test.each(cases)("case $case", async (setting) => {
    const inputs = {
      main: input("main", "float32", main.shape),
      aux: input("aux", "float32", aux.shape),
      labels: input("labels", "float32", labels.shape),
    };
    const loss = lossOf(setting, { logits: inputs.main, labels: inputs.labels }, inputs.aux);
    const wanted = setting.num_outputs === 1 ? [inputs.main] : [inputs.main, inputs.aux];
    const gradients = differentiate(loss, wanted);
    const outputs = Object.fromEntries(wanted.map((value) => [value.name!, gradients.get(value)!]));
    const used = [...wanted, inputs.labels];
    const renamed = Object.fromEntries(Object.entries(outputs).map(([name, value]) => [`d.${name}`, value]));
    const graph = lower(createGraph(used, { loss, ...renamed }), target);
    const model = encodeModel(graphToModel(graph, { name: "loss" }));
    await using session = await openSession(model, { device: "cpu", threads: 1 });
    const feeds = { main, labels, ...(setting.num_outputs === 2 && { aux }) };
    const result = await session.run(feeds);
    expect((result["loss"]!.data as Float32Array)[0]! / setting.loss_mean).toBeCloseTo(1, 5);
    for (const { name } of wanted) {
      const expected = arrays[`grad_${name}_${setting.case}`]!.values;
      expect(relativeError(result[`d.${name}`]!.data as Float32Array, expected), name!).toBeLessThan(1e-4);
    }
  });
});

test("a batch of ignored pixels has the loss 0, and no gradient", async () => {
  const logits = input("logits", "float32", [1, 3, 2, 2]);
  const truth = input("labels", "float32", [1, 4, 4]);
  const batch = { logits, labels: truth };
  const losses = {
    plain: crossEntropy(batch, { alignCorners: false }),
    hard: hardPixelCrossEntropy(batch, { alignCorners: false }, { threshold: 0.9, kept: 4 }),
  };
  const gradient = differentiate(add(losses.plain, losses.hard), [logits]).get(logits)!;
  const graph = lower(createGraph([logits, truth], { ...losses, gradient }), TARGETS[0]![1]);
  await using session = await openSession(encodeModel(graphToModel(graph, { name: "loss" })), {
    device: "cpu",
  });
  const result = await session.run({
    logits: tensor(
      "float32",
      [1, 3, 2, 2],
      Float32Array.from({ length: 12 }, (_, i) => i - 6),
    ),
    labels: tensor("float32", [1, 4, 4], new Float32Array(16).fill(255)),
  });
  for (const { data } of Object.values(result))
    expect(Math.max(...Array.from(data, Number).map(Math.abs))).toBe(0);
});
