// Group normalisation against its formula, in double precision.
import { expect, test } from "vitest";
import { createGraph } from "../../src/graph/graph.ts";
import { inferenceGraph } from "../../src/graph/inference.ts";
import { graphToModel } from "../../src/graph/onnx.ts";
import { encodeModel } from "../../src/graph/onnx-proto.ts";
import { input } from "../../src/graph/value.ts";
import { groupNorm } from "../../src/nn/layers.ts";
import { Scope } from "../../src/nn/scope.ts";
import { uniformRandom } from "../../src/random/random.ts";
import { openSession } from "../../src/runtime/node.ts";
import { tensor } from "../../src/tensor/tensor.ts";

const [N, C, H, W, GROUPS] = [2, 6, 3, 4, 3];

test("the channels of a group, of each sample by itself; a scale and a shift for each channel", async () => {
  const random = uniformRandom(3);
  const draw = (count: number, shift = 0): Float32Array =>
    Float32Array.from({ length: count }, () => 4 * random() - 2 + shift);
  const data = draw(N * C * H * W, 30);
  const [weight, bias] = [draw(C), draw(C)];
  const scope = new Scope();
  const x = input("x", "float32", ["N", C, H, W]);
  const graph = createGraph([x], { y: groupNorm(scope.child("gn"), x, GROUPS) });
  expect([...scope.parameters.keys()]).toEqual(["gn.weight", "gn.bias"]);
  const weights = new Map([
    ["gn.weight", tensor("float32", [C], weight)],
    ["gn.bias", tensor("float32", [C], bias)],
  ]);
  const model = encodeModel(graphToModel(inferenceGraph(graph, weights), { name: "gn" }));
  await using session = await openSession(model, { device: "cpu", threads: 1 });
  const { y } = await session.run({ x: tensor("float32", [N, C, H, W], data.slice()) });
  const area = H * W;
  const count = (C / GROUPS) * area;
  data.forEach((value, i) => {
    const start = Math.floor(i / count) * count;
    const group = Array.from(data.subarray(start, start + count));
    const mean = group.reduce((sum, v) => sum + v, 0) / count;
    const variance = group.reduce((sum, v) => sum + (v - mean) ** 2, 0) / count;
    const channel = Math.floor(i / area) % C;
    const expected = ((value - mean) / Math.sqrt(variance + 1e-5)) * weight[channel]! + bias[channel]!;
    expect(y!.data[i]).toBeCloseTo(expected, 4);
  });
});
