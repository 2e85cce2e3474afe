// Bilinear planes: against ONNX Runtime's Resize, whose result the networks use.
import { expect, test } from "vitest";
import { createGraph } from "../../src/graph/graph.ts";
import { graphToModel } from "../../src/graph/onnx.ts";
import { encodeModel } from "../../src/graph/onnx-proto.ts";
import { resizeBilinear } from "../../src/graph/ops/resize.ts";
import { input } from "../../src/graph/value.ts";
import { uniformRandom } from "../../src/random/random.ts";
import { openSession } from "../../src/runtime/node.ts";
import { addResized, planesOf, resizedPlanes } from "../../src/tensor/resize-planes.ts";
import { tensor } from "../../src/tensor/tensor.ts";

const CASES = [
  [
    [7, 5],
    [20, 13],
  ],
  [
    [20, 13],
    [7, 5],
  ],
  [
    [8, 6],
    [16, 12],
  ],
  [
    [16, 12],
    [8, 6],
  ],
  [
    [1, 9],
    [4, 3],
  ],
  [
    [9, 4],
    [1, 1],
  ],
] as const;

test.each(CASES.flatMap(([from, to]) => [false, true].map((aligned) => [from, to, aligned] as const)))(
  "%j to %j, corners aligned: %s",
  async ([h, w], [height, width], aligned) => {
    const random = uniformRandom(3);
    const from = planesOf(3, h, w);
    from.data.forEach((_, i) => {
      from.data[i] = random() - 0.5;
    });
    const x = input("x", "float32", [1, 3, h, w]);
    const graph = createGraph([x], { y: resizeBilinear(x, [height, width], aligned) });
    await using session = await openSession(encodeModel(graphToModel(graph, { name: "resize" })), {
      device: "cpu",
      threads: 1,
    });
    const { y } = await session.run({ x: tensor("float32", [1, 3, h, w], from.data.slice()) });
    const expected = y!.data as Float32Array;
    const resized = resizedPlanes(from, height, width, aligned);
    expected.forEach((value, i) => {
      expect(resized.data[i], `element ${i}`).toBeCloseTo(value, 5);
    });
    addResized(from, resized, aligned);
    expect(resized.data[0]).toBeCloseTo(2 * expected[0]!, 5);
  },
);
