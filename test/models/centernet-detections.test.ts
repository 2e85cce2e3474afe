// Perfect maps of CenterNet decode to their objects; pairs without a centre, of two classes, or with different tags do not.
import { expect, test } from "vitest";
import { createGraph } from "../../src/graph/graph.ts";
import { graphToModel } from "../../src/graph/onnx.ts";
import { encodeModel } from "../../src/graph/onnx-proto.ts";
import { input } from "../../src/graph/value.ts";
import { centernetDetections } from "../../src/models/centernet-detections.ts";
import { openSession } from "../../src/runtime/node.ts";
import { type Tensor, tensor } from "../../src/tensor/tensor.ts";

const [HEIGHT, WIDTH, CLASSES] = [160, 256, 3];
const [ROWS, COLUMNS] = [HEIGHT / 4, WIDTH / 4];
const AREA = ROWS * COLUMNS;
const KINDS = ["topLeft", "bottomRight", "center"] as const;

/** `[x1, y1, x2, y2]`, class, tag. */
const OBJECTS = [
  [[10.5, 12, 70, 60.25], 0, 3],
  [[90, 20, 240, 150], 2, -2],
  [[30, 80, 61, 140], 1, 0.5],
] as const;

function maps(): Record<string, Float32Array> {
  const arrays: Record<string, Float32Array> = {};
  for (const kind of KINDS) {
    arrays[`heatmaps_${kind}`] = new Float32Array(CLASSES * AREA).fill(-12);
    arrays[`offsets_${kind}`] = new Float32Array(2 * AREA);
    if (kind !== "center") arrays[`tags_${kind}`] = new Float32Array(AREA).fill(9);
  }
  return arrays;
}

function put(
  arrays: Record<string, Float32Array>,
  kind: (typeof KINDS)[number],
  x: number,
  y: number,
  label: number,
  tag: number,
  logit = 3,
): void {
  const [column, row] = [Math.floor(x / 4), Math.floor(y / 4)];
  const at = row * COLUMNS + column;
  arrays[`heatmaps_${kind}`]![label * AREA + at] = logit;
  arrays[`offsets_${kind}`]![at] = x / 4 - column;
  arrays[`offsets_${kind}`]![AREA + at] = y / 4 - row;
  const tags = arrays[`tags_${kind}`];
  if (tags) tags[at] = tag;
}

const CHANNELS: Readonly<Record<string, number>> = { heatmaps: CLASSES, offsets: 2, tags: 1 };

async function detect(arrays: Record<string, Float32Array>): Promise<Record<string, Tensor>> {
  const feeds: Record<string, Tensor> = { x: tensor("float32", [1, 3, HEIGHT, WIDTH]) };
  for (const [name, data] of Object.entries(arrays))
    feeds[name] = tensor("float32", [1, CHANNELS[name.split("_")[0]!]!, ROWS, COLUMNS], data);
  const values = Object.fromEntries(
    Object.entries(feeds).map(([name, { shape }]) => [name, input(name, "float32", shape)]),
  );
  const { x, ...outputs } = values;
  const graph = createGraph(Object.values(values), {
    ...centernetDetections(x!, outputs, CLASSES, { minScore: 0.05, nms: 0.5, most: 20 }),
  });
  await using session = await openSession(encodeModel(graphToModel(graph, { name: "centernet" })), {
    device: "cpu",
    threads: 1,
  });
  return await session.run(feeds);
}

test("objects from their triplets, and nothing from anything else", async () => {
  const arrays = maps();
  for (const [[x1, y1, x2, y2], label, tag] of OBJECTS) {
    put(arrays, "topLeft", x1, y1, label, tag);
    put(arrays, "bottomRight", x2, y2, label, tag + 0.2);
    put(arrays, "center", (x1 + x2) / 2, (y1 + y2) / 2, label, 0);
  }
  // Corners of one object without a centre; a centre of another class does not help.
  put(arrays, "topLeft", 100, 100, 0, 7);
  put(arrays, "bottomRight", 130, 130, 0, 7);
  put(arrays, "center", 115, 115, 1, 0);
  // Corners with different tags around a centre.
  put(arrays, "topLeft", 180, 4, 1, 0);
  put(arrays, "bottomRight", 200, 16, 1, 5);
  put(arrays, "center", 190, 10, 1, 0);
  const found = await detect(arrays);
  const scores = Array.from(found["scores"]!.data as Float32Array).filter((score) => score > 0);
  expect(scores).toHaveLength(OBJECTS.length);
  for (const score of scores) expect(score).toBeCloseTo(1 / (1 + Math.exp(-3)), 4);
  const boxes = scores.map((_, i) => ({
    label: Number(found["classes"]!.data[i]),
    sides: Array.from((found["boxes"]!.data as Float32Array).slice(4 * i, 4 * i + 4)),
  }));
  for (const [sides, label] of OBJECTS) {
    const match = boxes.find((box) => box.label === label)!;
    sides.forEach((side, i) => {
      expect(match.sides[i]).toBeCloseTo(side, 3);
    });
  }
});

test("the middle is a third of a box, a fifth of one from 150 pixels on", async () => {
  for (const [side, share, seen] of [
    [60, 1 / 3, true],
    [152, 1 / 3, false],
    [152, 1 / 5, true],
  ] as const) {
    const arrays = maps();
    const [x1, y1] = [8, 4];
    put(arrays, "topLeft", x1, y1, 0, 1);
    put(arrays, "bottomRight", x1 + side, y1 + side, 0, 1);
    // Just within the middle, seen along x.
    put(arrays, "center", x1 + side / 2 + (0.9 * (side * share)) / 2, y1 + side / 2, 0, 0);
    const { scores } = await detect(arrays);
    expect((scores!.data as Float32Array)[0]! > 0, `${side} ${share}`).toBe(seen);
  }
});
