// The loss of features against its definition, and its gradient against finite differences of that.
import { expect, test } from "vitest";
import { differentiate } from "../../src/graph/differentiate.ts";
import { createGraph } from "../../src/graph/graph.ts";
import { lower } from "../../src/graph/lowering/lower.ts";
import { graphToModel } from "../../src/graph/onnx.ts";
import { encodeModel } from "../../src/graph/onnx-proto.ts";
import { input } from "../../src/graph/value.ts";
import { featureLoss } from "../../src/losses/feature-loss.ts";
import { openSession } from "../../src/runtime/node.ts";
import { tensor } from "../../src/tensor/tensor.ts";
import { expectNear } from "../helpers/near.ts";
import { PLAIN_CPU } from "../helpers/targets.ts";

const SHAPES = [
  [2, 3, 2, 2],
  [2, 2, 4, 1],
] as const;
const numbers = (count: number, salt: number) =>
  Array.from({ length: count }, (_, i) => Math.sin(12.9898 * i + salt) + salt);

/** 1 − r, a mean over channels, with plain loops. */
function unlikeness([samples, channels, height, width]: readonly number[], x: number[], t: number[]): number {
  const cells = height! * width!;
  const correlations = Array.from({ length: channels! }, (_, c) => {
    const own = (values: number[]) => values.filter((_, i) => Math.floor(i / cells) % channels! === c);
    const [a, b] = [own(x), own(t)];
    const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / (samples! * cells);
    const product = (p: number[], q: number[]) =>
      mean(p.map((value, i) => (value - mean(p)) * (q[i]! - mean(q))));
    return product(a, b) / Math.sqrt((product(a, a) + 1e-5) * (product(b, b) + 1e-5));
  });
  return 1 - correlations.reduce((sum, r) => sum + r, 0) / channels!;
}

test("mean over pairs of one minus the channels' correlations, and its gradient", async () => {
  const own = SHAPES.map((shape, i) => input(`own${i}`, "float32", shape));
  const wanted = SHAPES.map((shape, i) => input(`wanted${i}`, "float32", shape));
  const loss = featureLoss(own.map((value, i) => ({ own: value, wanted: wanted[i]! })));
  const gradients = differentiate(loss, own);
  const graph = createGraph([...own, ...wanted], { loss, dx: gradients.get(own[0]!)! });
  const model = encodeModel(graphToModel(lower(graph, PLAIN_CPU), { name: "loss" }));
  await using session = await openSession(model, { device: "cpu", threads: 1 });
  const sizes = SHAPES.map((shape) => shape.reduce<number>((product, size) => product * size, 1));
  const [x, t] = [0.5, 2].map((salt) => sizes.map((size, i) => numbers(size, salt + i)));
  const feeds = Object.fromEntries(
    SHAPES.flatMap((shape, i) => [
      [`own${i}`, tensor("float32", shape, Float32Array.from(x![i]!))],
      [`wanted${i}`, tensor("float32", shape, Float32Array.from(t![i]!))],
    ]),
  );
  const result = await session.run(feeds);
  const of = (first: number[]): number =>
    (unlikeness(SHAPES[0], first, t![0]!) + unlikeness(SHAPES[1], x![1]!, t![1]!)) / 2;
  expect((result["loss"]!.data as Float32Array)[0]! / of(x![0]!)).toBeCloseTo(1, 5);
  const step = 1e-4;
  const differences = x![0]!.map((_, k) => {
    const moved = (by: number) => x![0]!.map((value, i) => (i === k ? value + by : value));
    return (of(moved(step)) - of(moved(-step))) / (2 * step);
  });
  expectNear(result["dx"]!.data as Float32Array, differences, 1e-5);
});
