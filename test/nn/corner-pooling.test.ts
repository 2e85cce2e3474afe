// Running maxima against plain loops, in every direction and for every length.
import { expect, test } from "vitest";
import { createGraph } from "../../src/graph/graph.ts";
import { graphToModel } from "../../src/graph/onnx.ts";
import { encodeModel } from "../../src/graph/onnx-proto.ts";
import { constant } from "../../src/graph/value.ts";
import { runningMaximum, type Towards } from "../../src/nn/corner-pooling.ts";
import { uniformRandom } from "../../src/random/random.ts";
import { openSession } from "../../src/runtime/node.ts";
import { tensor } from "../../src/tensor/tensor.ts";

const STEP: Readonly<Record<Towards, readonly [row: number, column: number]>> = {
  right: [0, 1],
  left: [0, -1],
  below: [1, 0],
  above: [-1, 0],
};

test.each([
  [1, 1],
  [2, 3],
  [5, 8],
  [9, 4],
  [16, 17],
])("maps of %i×%i", async (height, width) => {
  const random = uniformRandom(height * width);
  // Below 0 too: nothing outside of the map may count as 0.
  const x = Float32Array.from({ length: 2 * height * width }, () => 4 * random() - 5);
  const map = constant(tensor("float32", [1, 2, height, width], x));
  const outputs = Object.fromEntries(Object.keys(STEP).map((to) => [to, runningMaximum(map, to as Towards)]));
  await using session = await openSession(
    encodeModel(graphToModel(createGraph([], outputs), { name: "max" })),
    {
      device: "cpu",
      threads: 1,
    },
  );
  const found = await session.run({});
  for (const [to, [down, across]] of Object.entries(STEP)) {
    const wanted = x.map((_, i) => {
      const [plane, cell] = [Math.floor(i / (height * width)), i % (height * width)];
      let [row, column] = [Math.floor(cell / width), cell % width];
      let most = Number.NEGATIVE_INFINITY;
      for (; row >= 0 && row < height && column >= 0 && column < width; row += down, column += across)
        most = Math.max(most, x[(plane * height + row) * width + column]!);
      return most;
    });
    expect(Array.from(found[to]!.data as Float32Array), to).toEqual(Array.from(wanted));
  }
});
