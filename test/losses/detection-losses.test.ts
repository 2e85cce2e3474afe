// Losses of detectors and their gradients: focal loss against torchvision's, the others against formulas and central differences.
import { describe, expect, test } from "vitest";
import { pairwiseIou } from "../../src/detection/boxes.ts";
import { differentiate } from "../../src/graph/differentiate.ts";
import { createGraph } from "../../src/graph/graph.ts";
import { lower } from "../../src/graph/lowering/lower.ts";
import { graphToModel } from "../../src/graph/onnx.ts";
import { encodeModel } from "../../src/graph/onnx-proto.ts";
import { reduceSum } from "../../src/graph/ops/broadcast.ts";
import { input, type Value } from "../../src/graph/value.ts";
import {
  binaryCrossEntropy,
  focalLoss,
  giouLoss,
  iouLoss,
  l1,
  smoothL1,
} from "../../src/losses/detection-losses.ts";
import { uniformRandom } from "../../src/random/random.ts";
import { openSession } from "../../src/runtime/node.ts";
import { tensor } from "../../src/tensor/tensor.ts";
import { readFixtureTensors } from "../helpers/safetensors.ts";
import { fixture } from "../helpers/shared.ts";
import { TARGETS } from "../helpers/targets.ts";

type Loss = (predictions: Value, targets: Value) => Value;

/** A loss of each element (or row) and the gradient of their sum, computed. */
async function compute(
  loss: Loss,
  shape: readonly number[],
  predictions: ArrayLike<number>,
  targets: ArrayLike<number>,
  target = TARGETS[0]![1],
) {
  const x = input("x", "float32", shape);
  const t = input("t", "float32", shape);
  const value = loss(x, t);
  const total = reduceSum(value, [0, 1], false);
  const gradient = differentiate(total, [x]).get(x)!;
  const graph = lower(createGraph([x, t], { value, gradient }), target);
  await using session = await openSession(encodeModel(graphToModel(graph, { name: "loss" })), {
    device: "cpu",
    threads: 1,
  });
  const feeds = {
    x: tensor("float32", shape, Float32Array.from(predictions)),
    t: tensor("float32", shape, Float32Array.from(targets)),
  };
  const result = await session.run(feeds);
  return { value: result["value"]!.data as Float32Array, gradient: result["gradient"]!.data as Float32Array };
}

function near(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  expect(actual.length).toBe(expected.length);
  Array.from(expected).forEach((value, i) => {
    expect(Math.abs(actual[i]! - value), `element ${i}`).toBeLessThanOrEqual(
      tolerance * Math.max(1, Math.abs(value)),
    );
  });
}

const arrays = readFixtureTensors(fixture("torchvision_ops", "torchvision_ops.safetensors"));

describe.each(TARGETS)("focal loss, lowered for %s", (_, target) => {
  test.each([
    ["a0.25_g2", { alpha: 0.25, gamma: 2 }],
    ["a-1_g2", { alpha: -1, gamma: 2 }],
    ["a0.5_g1.5", { alpha: 0.5, gamma: 1.5 }],
  ] as const)("%s", async (name, options) => {
    const { shape, values } = arrays["focal.logits"]!;
    const targets = arrays["focal.targets"]!.values;
    const { value, gradient } = await compute(
      (x, t) => focalLoss(x, t, options),
      shape,
      values,
      targets,
      target,
    );
    near(value, arrays[`focal.loss_${name}`]!.values, 2e-6);
    near(gradient, arrays[`focal.grad_${name}`]!.values, 1e-5);
  });
});

test("cross-entropy of logits that no float32 probability is left of", async () => {
  const logits = [-200, -30, 0, 30, 200];
  const expected = (t: number) =>
    logits.map((x) => Math.max(x, 0) - x * t + Math.log1p(Math.exp(-Math.abs(x))));
  for (const t of [0, 1]) {
    const { value, gradient } = await compute(binaryCrossEntropy, [1, 5], logits, Array(5).fill(t));
    near(value, expected(t), 1e-6);
    near(
      gradient,
      logits.map((x) => 1 / (1 + Math.exp(-x)) - t),
      1e-6,
    );
  }
});

test("smooth L1 and L1, below, at and beyond beta", async () => {
  const [predictions, targets] = [
    [0, 0.05, -0.4, 1.5, -3],
    [0, 0, 0, 1, -1],
  ];
  for (const beta of [1 / 9, 1]) {
    const { value, gradient } = await compute((x, t) => smoothL1(x, t, beta), [1, 5], predictions, targets);
    const differences = predictions.map((x, i) => x - targets[i]!);
    near(
      value,
      differences.map((d) => (Math.abs(d) < beta ? (0.5 * d * d) / beta : Math.abs(d) - 0.5 * beta)),
      1e-6,
    );
    near(
      gradient,
      differences.map((d) => (Math.abs(d) < beta ? d / beta : Math.sign(d))),
      1e-6,
    );
  }
  near((await compute(l1, [1, 5], predictions, targets)).value, [0, 0.05, 0.4, 0.5, 2], 1e-6);
});

describe("losses of boxes", () => {
  const random = uniformRandom(8);
  const COUNT = 12;
  const boxes = Array.from({ length: COUNT }, () => {
    const [x, y] = [20 * random(), 20 * random()];
    return [x, y, x + 4 + 10 * random(), y + 4 + 10 * random()];
  });
  const targets = boxes.map((box) => box.map((value, i) => value + (i < 2 ? 3 : 2) * (random() - 0.4)));
  const iouOf = (a: readonly number[], b: readonly number[], kind: "iou" | "giou"): number =>
    pairwiseIou(Float64Array.from(a), Float64Array.from(b), "continuous", kind)[0]!;
  const LOSSES: readonly (readonly [string, Loss, (a: readonly number[], b: readonly number[]) => number])[] =
    [
      ["−ln IoU", iouLoss, (a, b) => -Math.log(Math.max(1e-6, iouOf(a, b, "iou")))],
      ["1 − generalised IoU", giouLoss, (a, b) => 1 - iouOf(a, b, "giou")],
    ];

  test.each(LOSSES)("%s: value, and gradient against central differences", async (_, loss, formula) => {
    const { value, gradient } = await compute(loss, [COUNT, 4], boxes.flat(), targets.flat());
    near(
      value,
      boxes.map((box, i) => formula(box, targets[i]!)),
      1e-5,
    );
    const step = 1e-5;
    boxes.forEach((box, i) => {
      box.forEach((_value, k) => {
        const moved = (by: number) =>
          formula(
            box.map((v, at) => (at === k ? v + by : v)),
            targets[i]!,
          );
        const expected = (moved(step) - moved(-step)) / (2 * step);
        expect(Math.abs(gradient[4 * i + k]! - expected), `box ${i}, corner ${k}`).toBeLessThan(1e-4);
      });
    });
  });

  test.each(LOSSES)(
    "%s of boxes apart and without extent is finite, and so is its gradient",
    async (_, loss) => {
      const { value, gradient } = await compute(
        loss,
        [2, 4],
        [0, 0, 2, 2, 1, 1, 1, 1],
        [5, 5, 8, 8, 1, 1, 1, 1],
      );
      for (const number of [...value, ...gradient]) expect(Number.isFinite(number)).toBe(true);
    },
  );
});
