// RoIAlign and its gradient against torchvision's.
import { describe, expect, test } from "vitest";
import { differentiate } from "../../src/graph/differentiate.ts";
import { createGraph } from "../../src/graph/graph.ts";
import { lower } from "../../src/graph/lowering/lower.ts";
import { graphToModel } from "../../src/graph/onnx.ts";
import { encodeModel } from "../../src/graph/onnx-proto.ts";
import { reduceSum } from "../../src/graph/ops/broadcast.ts";
import { mul } from "../../src/graph/ops/elementwise.ts";
import { roiAlign } from "../../src/graph/ops/roi-align.ts";
import { input, type Value } from "../../src/graph/value.ts";
import { openSession } from "../../src/runtime/node.ts";
import { type Tensor, tensor } from "../../src/tensor/tensor.ts";
import { relativeError } from "../helpers/near.ts";
import { readFixtureTensors } from "../helpers/safetensors.ts";
import { fixture } from "../helpers/shared.ts";
import { TARGETS } from "../helpers/targets.ts";

const arrays = readFixtureTensors(fixture("torchvision_ops", "torchvision_ops.safetensors"));
const features = arrays["roi.input"]!;
const { shape, values } = arrays["roi.rois"]!;
const count = shape[0]!;
const feeds: Record<string, Tensor> = {
  x: tensor("float32", features.shape, Float32Array.from(features.values)),
  rois: tensor(
    "float32",
    [count, 4],
    Float32Array.from({ length: 4 * count }, (_, i) => values[5 * Math.floor(i / 4) + 1 + (i % 4)]!),
  ),
  pictures: tensor(
    "int64",
    [count],
    BigInt64Array.from({ length: count }, (_, i) => BigInt(values[5 * i]!)),
  ),
};
const inputs = {
  x: input("x", "float32", features.shape),
  rois: input("rois", "float32", [count, 4]),
  pictures: input("pictures", "int64", [count]),
};

async function run(
  outputs: Readonly<Record<string, Value>>,
  target = TARGETS[0]![1],
): Promise<Record<string, Tensor>> {
  const graph = lower(createGraph(Object.values(inputs), outputs), target);
  await using session = await openSession(encodeModel(graphToModel(graph, { name: "roi" })), {
    device: "cpu",
    threads: 1,
  });
  return await session.run(feeds);
}

const aligned = (on: number, samples: number, output: readonly [number, number]) =>
  roiAlign(inputs.x, inputs.rois, inputs.pictures, {
    output,
    spatialScale: 0.25,
    samples,
    aligned: on === 1,
  });

describe("features", () => {
  test.each(
    [0, 1].flatMap((on) =>
      [0, 2].flatMap((samples) =>
        [
          [7, 7],
          [3, 5],
        ].map((size) => [on, samples, size] as const),
      ),
    ),
  )("aligned %i, %i samples, %j", async (on, samples, size) => {
    const { y } = await run({ y: aligned(on, samples, size as [number, number]) });
    const expected = arrays[`roi.out_aligned${on}_sr${samples}_${size.join("x")}`]!;
    expect(y!.shape).toEqual(expected.shape);
    expect(relativeError(y!.data as Float32Array, expected.values)).toBeLessThan(1e-5);
  });
});

describe.each(TARGETS)("gradient, lowered for %s", (_, target) => {
  test.each([0, 1])("aligned %i", async (on) => {
    const y = aligned(on, 2, [3, 5]);
    const loss = reduceSum(mul(y, y), [0, 1, 2, 3], false);
    const { dx } = await run({ dx: differentiate(loss, [inputs.x]).get(inputs.x)! }, target);
    expect(
      relativeError(dx!.data as Float32Array, arrays[`roi.gradsq_aligned${on}_sr2_3x5`]!.values),
    ).toBeLessThan(1e-5);
  });
});

test("a number of samples that depends on the rectangle has no gradient", () => {
  const loss = reduceSum(aligned(1, 0, [3, 5]), [0, 1, 2, 3], false);
  expect(() => differentiate(loss, [inputs.x])).toThrow(/fixed number of samples/);
});
