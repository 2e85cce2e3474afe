// Heatmap losses and their gradients against the official code's in double precision.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { differentiate } from "../../src/graph/differentiate.ts";
import { createGraph } from "../../src/graph/graph.ts";
import { lower } from "../../src/graph/lowering/lower.ts";
import { graphToModel } from "../../src/graph/onnx.ts";
import { encodeModel } from "../../src/graph/onnx-proto.ts";
import { input, type Value } from "../../src/graph/value.ts";
import {
  combinedTargetMse,
  type HeatmapBatch,
  hardestJointsMse,
  jointsMse,
  peaksOf,
} from "../../src/losses/heatmap-losses.ts";
import { heatmapAccuracy } from "../../src/metrics/heatmap-accuracy.ts";
import { openSession } from "../../src/runtime/node.ts";
import { type Tensor, tensor } from "../../src/tensor/tensor.ts";
import { maxDifference, relativeError } from "../helpers/near.ts";
import { readFixtureTensors } from "../helpers/safetensors.ts";
import { fixture } from "../helpers/shared.ts";
import { PLAIN_CPU } from "../helpers/targets.ts";

const arrays = readFixtureTensors(fixture("prepost", "preds.safetensors"));
const meta = JSON.parse(readFileSync(fixture("prepost", "preds.json"), "utf8"));
const [N, K, H, W] = arrays["heatmaps"]!.shape as [number, number, number, number];
const floats = (shape: readonly number[], values: ArrayLike<number>): Tensor =>
  tensor("float32", shape, Float32Array.from(values));
const heatmaps = () => floats([N, K, H, W], arrays["heatmaps"]!.values);
const targets = () => floats([N, K, H, W], arrays["acc_target"]!.values);

/** Value of a graph's outputs for feeds by name. */
async function evaluate(
  inputs: readonly Value[],
  outputs: Readonly<Record<string, Value>>,
  feeds: Readonly<Record<string, Tensor>>,
): Promise<Record<string, Tensor>> {
  const graph = lower(createGraph(inputs, outputs), PLAIN_CPU);
  const model = encodeModel(graphToModel(graph, { name: "loss" }));
  await using session = await openSession(model, { device: "cpu", threads: 1 });
  return await session.run(feeds); // before the session is disposed of
}

/** A loss and its gradient with respect to the heatmaps. */
async function lossAndGradient(
  loss: (batch: HeatmapBatch) => Value,
  shapes: Readonly<Record<keyof HeatmapBatch, readonly number[]>>,
  feeds: Readonly<Record<keyof HeatmapBatch, Tensor>>,
) {
  const batch = {
    heatmaps: input("heatmaps", "float32", shapes.heatmaps),
    targets: input("targets", "float32", shapes.targets),
    weights: input("weights", "float32", shapes.weights),
  };
  const value = loss(batch);
  const gradient = differentiate(value, [batch.heatmaps]).get(batch.heatmaps)!;
  const result = await evaluate(Object.values(batch), { value, gradient }, feeds);
  return {
    value: (result["value"]!.data as Float32Array)[0]!,
    gradient: result["gradient"]!.data as Float32Array,
  };
}

describe("against the official code", () => {
  const shapes = { heatmaps: [N, K, H, W], targets: [N, K, H, W], weights: [N, K] };
  const given = (meta.losses.target_weight as number[][]).flat();
  const ones = given.map(() => 1);
  const ohkm = (batch: HeatmapBatch) => hardestJointsMse(batch, 8);
  test.each([
    ["pose_JointsMSE_weighted", jointsMse, given],
    ["pose_JointsMSE_unweighted", jointsMse, ones],
    ["pose_OHKM_top8_weighted", ohkm, given],
    ["pose_OHKM_top8_unweighted", ohkm, ones],
  ] as const)("%s: value and gradient", async (name, loss, weights) => {
    const reference = meta.losses[name];
    const { value, gradient } = await lossAndGradient(loss, shapes, {
      heatmaps: heatmaps(),
      targets: targets(),
      weights: floats([N, K], weights),
    });
    expect(value / reference.loss).toBeCloseTo(1, 5);
    expect(Math.hypot(...gradient) / reference.grad_norm).toBeCloseTo(1, 5);
    const sample = (reference.grad_sample as number[]).map((_, i) => gradient[400 * i]!);
    expect(relativeError(sample, reference.grad_sample)).toBeLessThan(1e-5);
  });

  test("accuracy() from the graph's peaks", async () => {
    const maps = input("maps", "float32", [N, K, H, W]);
    const peaks = async (map: Tensor) => {
      const { index, height } = await evaluate([maps], peaksOf(maps, 1), { maps: map });
      return Array.from(height!.data as Float32Array).flatMap((value, i) => {
        const cell = Number(index!.data[i]);
        return value > 0 ? [cell % W, Math.floor(cell / W)] : [0, 0];
      });
    };
    const predicted = await peaks(heatmaps());
    expect(maxDifference(predicted, arrays["max_preds"]!.values)).toBe(0);
    const ours = heatmapAccuracy(predicted, await peaks(targets()), K, [W, H]);
    expect(ours.mean).toBeCloseTo(meta.accuracy.avg, 12);
    expect(ours.validJoints).toBe(meta.accuracy.cnt);
  });
});

test("combined targets of UDP: ½(L(disk) + L(disk·x) + L(disk·y)) in plain arithmetic", async () => {
  const [n, k, cells] = [2, 3, 20];
  const numbers = (salt: number) =>
    Array.from({ length: n * 3 * k * cells }, (_, i) => Math.sin(12.9898 * i + salt));
  const [maps, wanted] = [numbers(1), numbers(2)];
  // True disks are 0 or 1.
  const truth = wanted.map((value, i) => (Math.floor(i / cells) % 3 === 0 ? Number(value > 0) : value));
  const weights = [1, 0, 0.5, 2, 1, 0];
  let expected = 0;
  for (let person = 0; person < n; person++) {
    for (let point = 0; point < k; point++) {
      const w2 = weights[person * k + point]! ** 2;
      for (let cell = 0; cell < cells; cell++) {
        const at = (channel: number) => ((person * k + point) * 3 + channel) * cells + cell;
        const disk = truth[at(0)]!;
        const square = (channel: number) => (maps[at(channel)]! - truth[at(channel)]!) ** 2;
        expected += (w2 * (square(0) + disk ** 2 * (square(1) + square(2)))) / (4 * n * k * cells);
      }
    }
  }
  const shape = [n, 3 * k, 4, 5];
  const { value } = await lossAndGradient(
    combinedTargetMse,
    { heatmaps: shape, targets: shape, weights: [n, k] },
    { heatmaps: floats(shape, maps), targets: floats(shape, truth), weights: floats([n, k], weights) },
  );
  expect(value / expected).toBeCloseTo(1, 5);
});

test("what does not fit is refused", () => {
  const batch = {
    heatmaps: input("h", "float32", [2, 3, 4, 5]),
    targets: input("t", "float32", [2, 3, 4, 5]),
    weights: input("w", "float32", [2, 3]),
  };
  expect(() => jointsMse({ ...batch, weights: input("w", "float32", [2, 4]) })).toThrow(/weights N×K/);
  expect(() => hardestJointsMse(batch, 4)).toThrow(/given as 4; there are 3/);
});
