// CenterNet's losses against their formulas in double precision.
import { expect, test } from "vitest";
import { differentiate } from "../../src/graph/differentiate.ts";
import { createGraph } from "../../src/graph/graph.ts";
import { lower } from "../../src/graph/lowering/lower.ts";
import { graphToModel } from "../../src/graph/onnx.ts";
import { encodeModel } from "../../src/graph/onnx-proto.ts";
import { input } from "../../src/graph/value.ts";
import { centernetLoss } from "../../src/losses/centernet-loss.ts";
import { uniformRandom } from "../../src/random/random.ts";
import { openSession } from "../../src/runtime/node.ts";
import { type Tensor, tensor } from "../../src/tensor/tensor.ts";
import { TARGETS } from "../helpers/targets.ts";

const [B, K, H, W, G] = [2, 2, 4, 5, 3];
const AREA = H * W;
const random = uniformRandom(9);
const draw = (shape: readonly number[], make: (i: number) => number): Tensor<"float32"> =>
  tensor(
    "float32",
    shape,
    Float32Array.from({ length: shape.reduce((product, size) => product * size, 1) }, (_, i) => make(i)),
  );
const KINDS = ["a", "b", "c"] as const;
const feeds: Record<string, Tensor<"float32">> = {
  heatmaps: draw([B, 3, K, H, W], (i) => (i % 17 === 0 ? 1 : 0.8 * random())),
  offsets: draw([B, 3, 2, H, W], random),
  marks: draw([B, 3, H, W], (i) => (i % 7 === 0 ? 1 : 0)),
  asked: draw([B, H, W], (i) => (i % 5 === 0 ? 0 : 1)),
  corners: draw([B, G, 2], (i) => [3, 11, 7, 18, -1, -1, 0, 19, 5, 6, 2, 12][i]!),
};
for (const kind of KINDS)
  Object.assign(feeds, {
    [`heatmaps_${kind}`]: draw([B, K, H, W], () => 4 * random() - 2),
    [`offsets_${kind}`]: draw([B, 2, H, W], () => 3 * random() - 1),
    [`tags_${kind}`]: draw([B, 1, H, W], () => 2 * random() - 1),
  });
const values = Object.fromEntries(
  Object.entries(feeds).map(([name, { shape }]) => [name, input(name, "float32", shape)]),
);
const at = (name: string): Float32Array => feeds[name]!.data;

test("parts by formula, and the total's gradient of the tags by central differences", async () => {
  const truth = {
    heatmaps: values["heatmaps"]!,
    offsets: values["offsets"]!,
    marks: values["marks"]!,
    asked: values["asked"]!,
    corners: values["corners"]!,
  };
  const { parts, total } = centernetLoss(values, KINDS, truth);
  const gradient = differentiate(total, [values["tags_a"]!]).get(values["tags_a"]!)!;
  const outputs = {
    ...Object.fromEntries(Object.entries(parts).map(([name, value]) => [`part.${name}`, value])),
    total,
    gradient,
  };
  const graph = lower(
    createGraph(
      Object.values(values).filter(({ name }) => name !== "tags_c"),
      outputs,
    ),
    TARGETS[0]![1],
  );
  await using session = await openSession(encodeModel(graphToModel(graph, { name: "loss" })), {
    device: "cpu",
    threads: 1,
  });
  const { tags_c: _, ...fed } = feeds;
  const found = await session.run(fed);
  const wanted: Record<string, number> = {};
  KINDS.forEach((kind, k) => {
    let [sum, peaks] = [0, 0];
    for (let n = 0; n < B; n++)
      for (let c = 0; c < K; c++)
        for (let i = 0; i < AREA; i++) {
          const y = at("heatmaps")[((n * 3 + k) * K + c) * AREA + i]!;
          const p = 1 / (1 + Math.exp(-at(`heatmaps_${kind}`)[(n * K + c) * AREA + i]!));
          if (y === 1) {
            peaks++;
            sum -= (1 - p) ** 2 * Math.log(p);
          } else sum -= at("asked")[n * AREA + i]! * (1 - y) ** 4 * p ** 2 * Math.log(1 - p);
        }
    wanted[`heatmaps.${kind}`] = sum / peaks;
    let [off, marks] = [0, 0];
    for (let n = 0; n < B; n++)
      for (let i = 0; i < AREA; i++) {
        if (at("marks")[(n * 3 + k) * AREA + i] !== 1) continue;
        marks++;
        for (const axis of [0, 1]) {
          const d =
            at(`offsets_${kind}`)[(n * 2 + axis) * AREA + i]! -
            at("offsets")[((n * 3 + k) * 2 + axis) * AREA + i]!;
          off += Math.abs(d) < 1 ? 0.5 * d * d : Math.abs(d) - 0.5;
        }
      }
    wanted[`offsets.${kind}`] = off / marks;
  });
  let [pull, push] = [0, 0];
  for (let n = 0; n < B; n++) {
    const means: number[] = [];
    let own = 0;
    for (let g = 0; g < G; g++) {
      const [a, b] = [at("corners")[(n * G + g) * 2]!, at("corners")[(n * G + g) * 2 + 1]!];
      if (a < 0) continue;
      const [ta, tb] = [at("tags_a")[n * AREA + a]!, at("tags_b")[n * AREA + b]!];
      const mean = (ta + tb) / 2;
      means.push(mean);
      own += (ta - mean) ** 2 + (tb - mean) ** 2;
    }
    pull += own / means.length;
    let apart = 0;
    means.forEach((a, i) => {
      means.forEach((b, j) => {
        if (i !== j) apart += Math.max(0, 1 - Math.abs(a - b));
      });
    });
    push += apart / (means.length * (means.length - 1));
  }
  wanted["pull"] = (0.1 * pull) / B;
  wanted["push"] = (0.1 * push) / B;
  for (const [name, value] of Object.entries(wanted))
    expect(Number(found[`part.${name}`]!.data[0]), name).toBeCloseTo(value, 4);

  const direction = Float32Array.from({ length: B * AREA }, () => random() - 0.5);
  const slope = (found["gradient"]!.data as Float32Array).reduce(
    (sum, value, i) => sum + value * direction[i]!,
    0,
  );
  const lossAt = async (step: number): Promise<number> => {
    const moved = at("tags_a").map((value, i) => value + step * direction[i]!);
    const { total: loss } = await session.run({ ...fed, tags_a: tensor("float32", [B, 1, H, W], moved) });
    return Number(loss!.data[0]);
  };
  const numeric = ((await lossAt(5e-3)) - (await lossAt(-5e-3))) / 1e-2;
  expect(slope).toBeCloseTo(numeric, 3);
  expect(Math.abs(numeric)).toBeGreaterThan(1e-3);
});
