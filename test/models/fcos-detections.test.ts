// FCOS's detections made in the graph against plain code, at several sizes of one graph.
import { expect, test } from "vitest";
import { fcosLevels } from "../../src/detection/fcos-places.ts";
import { createGraph } from "../../src/graph/graph.ts";
import { graphToModel } from "../../src/graph/onnx.ts";
import { encodeModel } from "../../src/graph/onnx-proto.ts";
import { input } from "../../src/graph/value.ts";
import { fcosDetections } from "../../src/models/fcos-detections.ts";
import { normalRandom, uniformRandom } from "../../src/random/random.ts";
import { openSession } from "../../src/runtime/node.ts";
import { type Tensor, tensor } from "../../src/tensor/tensor.ts";
import { decodeFcos, FCOS_DECODING } from "../helpers/decode-fcos.ts";

const CLASSES = 3;
const CHANNELS = { classes: CLASSES, distances: 4, centerness: 1 } as const;
type Kind = keyof typeof CHANNELS;

/** Random answers of a network for a picture of that size: few places say something, boxes of a few strides. */
function answers([height, width]: readonly [number, number], seed: number): Record<string, Tensor> {
  const normal = normalRandom(uniformRandom(seed));
  const value: Record<Kind, (stride: number) => number> = {
    classes: () => 1.5 * normal() - 2.5,
    distances: (stride) => stride * Math.exp(1 + 0.4 * normal()),
    centerness: () => normal(),
  };
  const feeds: Record<string, Tensor> = { x: tensor("float32", [1, 3, height, width]) };
  fcosLevels(height, width).forEach((level, l) => {
    for (const kind of Object.keys(CHANNELS) as Kind[]) {
      const shape = [1, CHANNELS[kind], level.height, level.width];
      const count = shape.reduce((product, size) => product * size, 1);
      feeds[`${kind}${l}`] = tensor(
        "float32",
        shape,
        Float32Array.from({ length: count }, () => value[kind](level.stride)),
      );
    }
  });
  return feeds;
}

test("the graph, built for one size, finds at any size what plain code finds", async () => {
  const built = answers([128, 160], 1);
  const values = Object.fromEntries(
    Object.entries(built).map(([name, { shape }]) => [name, input(name, "float32", shape)]),
  );
  const { x, ...outputs } = values;
  const options = { ...FCOS_DECODING, nms: 0.5, most: 60 };
  const graph = createGraph(Object.values(values), { ...fcosDetections(x!, outputs, options) });
  const openInputs = Object.fromEntries(
    Object.entries(built).map(([name, { shape }]) => [name, [1, shape[1]!, `${name}_h`, `${name}_w`]]),
  );
  await using session = await openSession(encodeModel(graphToModel(graph, { name: "fcos", openInputs })), {
    device: "cpu",
    threads: 1,
  });
  for (const [seed, size] of [
    [1, [128, 160]],
    [2, [320, 224]],
    [3, [64, 64]],
    [4, [480, 640]],
  ] as const) {
    const feeds = answers(size, seed);
    const found = await session.run(feeds);
    const of = (kind: Kind): Float32Array[] =>
      fcosLevels(size[0], size[1]).map((_, l) => feeds[`${kind}${l}`]!.data as Float32Array);
    const wanted = decodeFcos(
      { classes: of("classes"), distances: of("distances"), centerness: of("centerness") },
      fcosLevels(size[0], size[1]),
      size,
      options,
    );
    const scores = found["scores"]!.data as Float32Array;
    expect(scores.filter((score) => score > 0)).toHaveLength(wanted.length);
    expect(wanted.length).toBeGreaterThan(20);
    wanted.forEach(({ score, box, class: label }, i) => {
      expect(scores[i]).toBeCloseTo(score, 5);
      expect(found["classes"]!.data[i]).toBe(label);
      box.forEach((side, k) => {
        expect(found["boxes"]!.data[4 * i + k]).toBeCloseTo(side, 3);
      });
    });
  }
});
