import * as ort from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import { bindParameters, createGraph, type Graph } from "../../src/graph/graph.ts";
import { inferenceGraph } from "../../src/graph/inference.ts";
import { graphToModel } from "../../src/graph/onnx.ts";
import { encodeModel } from "../../src/graph/onnx-proto.ts";
import { conv } from "../../src/graph/ops/conv.ts";
import { add, mul, relu, scale, sigmoid } from "../../src/graph/ops/elementwise.ts";
import { averagePool, globalAveragePool } from "../../src/graph/ops/pool.ts";
import {
  nearestFactors,
  Resize,
  resizeBilinear,
  upsampleBilinear,
  upsampleNearest,
} from "../../src/graph/ops/resize.ts";
import { concat, reshape, split } from "../../src/graph/ops/shape.ts";
import { layOutChannels } from "../../src/graph/passes/channel-layout.ts";
import { enlargeLast } from "../../src/graph/passes/enlarge-last.ts";
import { foldScales } from "../../src/graph/passes/fold-scale.ts";
import { moveGates, shareMeans, spreadGates } from "../../src/graph/passes/move-gates.ts";
import { regroupSums } from "../../src/graph/passes/regroup-sums.ts";
import { shareResults } from "../../src/graph/passes/share-results.ts";
import { constant, input, type Value } from "../../src/graph/value.ts";
import { buildNetwork, parseNetworkConfig } from "../../src/models/network.ts";
import { channelShuffle } from "../../src/nn/blocks.ts";
import { proceduralInput, proceduralWeight } from "../helpers/procedural.ts";

const BATCH = 3;

/** Outputs of a graph for procedural inputs, computed by ONNX Runtime. */
async function run(graph: Graph): Promise<Record<string, Float32Array>> {
  const session = await ort.InferenceSession.create(encodeModel(graphToModel(graph, { name: "test" })), {
    intraOpNumThreads: 1,
  });
  const feeds = graph.inputs.map(({ name, shape }) => {
    const sizes = shape.map((size) => (typeof size === "number" ? size : BATCH));
    return [
      name!,
      new ort.Tensor("float32", proceduralInput(name!, sizes).data as Float32Array, sizes),
    ] as const;
  });
  const results = await session.run(Object.fromEntries(feeds));
  await session.release();
  return Object.fromEntries(
    Object.entries(results).map(([name, value]) => [name, value.data as Float32Array]),
  );
}

/** Largest difference of all outputs, relative to the largest number among them. */
async function difference(before: Graph, after: Graph): Promise<number> {
  const [left, right] = [await run(before), await run(after)];
  let size = 0;
  let worst = 0;
  for (const [name, values] of Object.entries(left)) {
    expect(right[name]!.length).toBe(values.length);
    values.forEach((value, i) => {
      size = Math.max(size, Math.abs(value));
      worst = Math.max(worst, Math.abs(value - right[name]![i]!));
    });
  }
  expect(size).toBeGreaterThan(0.01);
  return worst / size;
}

/** Rounding only. */
const EXACT = 5e-6;

function types(graph: Graph): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { operator } of graph.nodes) counts[operator.type] = (counts[operator.type] ?? 0) + 1;
  return counts;
}

const weight = (name: string, shape: readonly number[]): Value => constant(proceduralWeight(name, shape));
const picture = (channels: number, size = 8): Value => input("x", "float32", ["N", channels, size, size]);

/** A convolution with procedural weight and bias; depthwise where `depthwise`. */
function layer(
  name: string,
  x: Value,
  out: number,
  { depthwise = false, kernel = 1, stride = 1 } = {},
): Value {
  const channels = x.shape[1] as number;
  const pad = (kernel - 1) / 2;
  const w = weight(`${name}.weight`, [out, depthwise ? 1 : channels, kernel, kernel]);
  const options = {
    strides: [stride, stride],
    pads: [pad, pad, pad, pad],
    group: depthwise ? channels : 1,
  } as const;
  return conv(x, w, weight(`${name}.bias`, [out]), options, name);
}

/** A gate per channel: squeeze, excite, sigmoid. */
function gateOf(name: string, x: Value): Value {
  const squeezed = relu(layer(`${name}.1`, globalAveragePool(x), 3));
  return sigmoid(layer(`${name}.2`, squeezed, x.shape[1] as number));
}

/** Half of the channels through a depthwise convolution and a gate, then joined and shuffled. */
function shuffledBlock(name: string, x: Value, groups: number): Value {
  const half = (x.shape[1] as number) / 2;
  const [kept, changed] = split(x, 1, [half, half]) as [Value, Value];
  const y = layer(`${name}.dw`, changed, half, { depthwise: true, kernel: 3 });
  return channelShuffle(concat([kept, mul(y, gateOf(`${name}.gate`, y))], 1), groups);
}

const lite = (block: Record<string, unknown>, fuse = "released") => ({
  family: "lite-hrnet",
  stages: [
    { modules: 1, channels: [12, 20] },
    { modules: 2, channels: [12, 20, 32] },
  ],
  block,
  fuse,
  head: { channels: 5 },
});

const NETWORKS: readonly (readonly [string, unknown])[] = [
  ["Lite-HRNet", lite({ type: "weighting" })],
  ["Lite-HRNet with clean sums", lite({ type: "weighting" }, "clean")],
  ["Lite-HRNet without spatial weighting", lite({ type: "weighting", spatial: false })],
  ["naive Lite-HRNet", lite({ type: "shuffle" })],
  ["naive Lite-HRNet without 1×1 convolutions", lite({ type: "shuffle", pointwise: 0 })],
  [
    "HRNet",
    {
      family: "hrnet",
      stage1: { planes: 8, blocks: 1 },
      stages: [
        { modules: 1, blocks: [1, 1], channels: [6, 12] },
        { modules: 2, blocks: [1, 1, 1], channels: [6, 12, 24] },
      ],
      head: { type: "heatmap", channels: 5 },
    },
  ],
];

describe("whole networks", () => {
  test.each(NETWORKS)("%s computes the same in fewer nodes", async (_, config) => {
    const network = buildNetwork(parseNetworkConfig(config), [64, 96]);
    const weights = new Map(
      [...network.parameters].map(([key, { value }]) => [
        key,
        proceduralWeight(key, value.shape as number[]),
      ]),
    );
    const before = bindParameters(network.graph, weights);
    const after = inferenceGraph(network.graph, weights);
    expect(await difference(before, after)).toBeLessThan(EXACT);
    expect(after.nodes.length).toBeLessThan(before.nodes.length);
    const { Transpose, Reshape, Split, BatchNormalization } = types(after);
    expect([Transpose, Reshape, Split, BatchNormalization]).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });

  test("conditional channel weighting moves no channel at all", () => {
    const network = buildNetwork(parseNetworkConfig(lite({ type: "weighting" })), [64, 64]);
    const weights = new Map(
      [...network.parameters].map(([key, { value }]) => [
        key,
        proceduralWeight(key, value.shape as number[]),
      ]),
    );
    const { Gather, Slice, Concat, AveragePool } = types(inferenceGraph(network.graph, weights));
    expect([Gather, Slice]).toEqual([undefined, undefined]);
    // What is left puts the pooled maps of the six weighting blocks and the two paths of the stem together.
    expect(Concat).toBe(7);
    expect(AveragePool).toBe(2 + 4 * 2);
  });
});

describe("channel layout", () => {
  const network = (groups: number): Graph => {
    const x = picture(8);
    const y = shuffledBlock("b", shuffledBlock("a", relu(layer("first", x, 8)), groups), groups);
    return createGraph([x], {
      y: layer("last", y, 4, { kernel: 3 }),
      z: layer("down", y, 8, { depthwise: true, kernel: 3, stride: 2 }),
    });
  };

  test("takes shuffles, splits and concatenations out", async () => {
    const after = layOutChannels(network(2));
    expect(await difference(network(2), after)).toBeLessThan(EXACT);
    // One Gather: the depthwise output leaves the graph and must have its channels in order.
    expect(types(after)).toEqual({ Conv: 9, Relu: 3, Sigmoid: 2, GlobalAveragePool: 2, Mul: 2, Gather: 1 });
  });

  test("would be caught with the wrong permutation", async () => {
    expect(await difference(network(2), layOutChannels(network(4)))).toBeGreaterThan(0.05);
  });

  test("keeps what convolutions cannot make up for", async () => {
    const x = picture(6);
    const [a, b] = split(x, 1, [2, 4]) as [Value, Value];
    const before = createGraph([x], { y: concat([relu(b), a], 1), half: b });
    const after = layOutChannels(before);
    expect(await difference(before, after)).toBeLessThan(EXACT);
  });

  test("lets every term of a sum follow the one that cannot be moved", async () => {
    const x = picture(8);
    const shuffled = channelShuffle(x, 2);
    const low = layer("low", averagePool(x, { kernel: [2, 2], strides: [2, 2] }), 8);
    const sum = add(add(layer("c", x, 8), upsampleNearest(low, 2)), shuffled);
    const before = createGraph([x], { y: layer("last", sum, 3) });
    const after = layOutChannels(before);
    expect(await difference(before, after)).toBeLessThan(EXACT);
    expect(types(after)).toEqual({ Conv: 3, AveragePool: 1, Resize: 1, Add: 2 });
  });

  test("copes with channels that appear twice, and with one channel for all", async () => {
    const x = picture(4);
    const y = relu(layer("c", x, 4));
    const twice = layer("twice", concat([y, channelShuffle(y, 2)], 1), 8, { depthwise: true, kernel: 3 });
    const before = createGraph([x], { y: add(twice, layer("one", x, 1)), z: layer("d", twice, 2) });
    const after = layOutChannels(before);
    expect(await difference(before, after)).toBeLessThan(EXACT);
  });

  test("copies no channel with a kernel that has no middle", async () => {
    const x = picture(4);
    const [a, b] = split(relu(layer("c", x, 4)), 1, [2, 2]) as [Value, Value];
    const even = conv(b, weight("even.weight", [2, 1, 2, 2]), undefined, { pads: [0, 0, 1, 1], group: 2 });
    const before = createGraph([x], { y: layer("last", concat([a, even], 1), 3) });
    const after = layOutChannels(before);
    expect(await difference(before, after)).toBeLessThan(EXACT);
  });

  test("computes a shared convolution once", async () => {
    const x = picture(8);
    const shared = layer("shared", x, 8);
    const before = createGraph([x], { y: layer("last", add(shared, channelShuffle(x, 4)), 3), shared });
    const after = layOutChannels(before);
    expect(await difference(before, after)).toBeLessThan(EXACT);
    expect(types(after)["Conv"]).toBe(2);
  });
});

describe("gates", () => {
  const blocks = (): Graph => {
    const x = picture(4);
    const map = layer("map", x, 4);
    const product = mul(map, gateOf("gate", map));
    const pooled = averagePool(product, { kernel: [4, 4], strides: [4, 4] });
    const weights = sigmoid(layer("w", pooled, 4));
    return createGraph([x], { y: mul(product, upsampleNearest(weights, 4)) });
  };
  const pixels = (value: Value): number => (value.shape[2] as number) * (value.shape[3] as number);

  test("move to small maps", async () => {
    const after = moveGates(blocks());
    expect(await difference(blocks(), after)).toBeLessThan(EXACT);
    const large = (graph: Graph) =>
      graph.nodes.filter(({ operator, outputs }) => operator.type === "Mul" && pixels(outputs[0]!) === 64)
        .length;
    expect([large(blocks()), large(after)]).toEqual([2, 1]);
  });

  test("stay where the product is needed anyway", () => {
    const x = picture(4);
    const product = mul(x, gateOf("gate", x));
    const graph = createGraph([x], { product, means: globalAveragePool(product) });
    expect(types(moveGates(graph))).toEqual(types(graph));
  });

  test("take a factor of 2", async () => {
    const x = picture(4);
    const graph = createGraph([x], { y: scale(mul(x, gateOf("gate", x)), 2) });
    const after = moveGates(graph);
    expect(await difference(graph, after)).toBeLessThan(EXACT);
    expect(types(after)["Mul"]).toBe(1);
  });

  test("share the means of windows", async () => {
    const graph = moveGates(blocks());
    const after = shareMeans(graph);
    expect(await difference(graph, after)).toBeLessThan(EXACT);
    const read = after.nodes.find(({ operator }) => operator.type === "GlobalAveragePool")!.inputs[0]!;
    expect(read.shape).toEqual(["N", 4, 2, 2]);
    expect(after.nodes.length).toBe(graph.nodes.length);
  });

  test("grow to the size of their maps, once for each size", async () => {
    const x = picture(4);
    const gate = gateOf("gate", x);
    const graph = createGraph([x], { y: mul(x, gate), z: mul(relu(x), gate) });
    const after = spreadGates(graph);
    expect(await difference(graph, after)).toBeLessThan(EXACT);
    expect(types(after)["Resize"]).toBe(1);
  });
});

test("sums enlarge step by step and end with convolutions", async () => {
  const x = picture(4);
  const pooled = (factor: number): Value =>
    averagePool(x, { kernel: [factor, factor], strides: [factor, factor] });
  const up = (factor: number): Value => upsampleNearest(layer(`c${factor}`, pooled(factor), 4), factor);
  const graph = createGraph([x], { y: relu(add(add(add(layer("c", x, 4), up(2)), up(8)), add(x, up(4)))) });
  const after = regroupSums(graph);
  expect(await difference(graph, after)).toBeLessThan(EXACT);
  const factors = after.nodes.map(({ outputs }) => nearestFactors(outputs[0]!.producer)).filter(Boolean);
  expect(factors).toEqual([
    [2, 2],
    [2, 2],
    [2, 2],
  ]);
  const last = after.nodes.at(-2)!;
  expect(last.inputs[1]!.producer!.name).toBe("c");
});

test("scales fold into the convolution before them", async () => {
  const x = picture(4);
  const graph = createGraph([x], { y: scale(layer("c", x, 5, { kernel: 3 }), 3) });
  const after = foldScales(graph);
  expect(await difference(graph, after)).toBeLessThan(EXACT);
  expect(types(after)).toEqual({ Conv: 1 });
});

describe("equal results", () => {
  const x = input("x", "float32", [2, 6, 4, 4]);
  /** x times a factor, every node of it written anew. */
  const scaled = (factor = 0.5): Value => scale(reshape(x, [12, 16]), factor);

  test("are computed once", async () => {
    const before = createGraph([x], { sum: add(add(scaled(), scaled()), relu(reshape(x, [12, 16]))) });
    const after = shareResults(before);
    expect(after.nodes.map(({ operator }) => operator.type).sort()).toEqual([
      "Add",
      "Add",
      "Mul",
      "Relu",
      "Reshape",
    ]);
    expect(await difference(before, after)).toBe(0);
  });

  test("only where inputs, attributes and constants are equal", async () => {
    const before = createGraph([x], {
      sum: add(scaled(), scaled(0.25)),
      shares: concat(split(x, 1, [2, 4]), 1),
      others: concat(split(x, 1, [4, 2]), 1),
    });
    const after = shareResults(before);
    const count = (type: string): number =>
      after.nodes.filter(({ operator }) => operator.type === type).length;
    expect([count("Mul"), count("Split"), count("Concat"), count("Reshape")]).toEqual([2, 2, 2, 1]);
    expect(await difference(before, after)).toBe(0);
  });
});

describe("1×1 convolutions of enlarged maps", () => {
  const parameter = (name: string, shape: readonly number[]): Value =>
    constant(proceduralWeight(name, shape));
  const joined = (out: number): Graph => {
    const maps = [
      input("a", "float32", ["N", 3, 8, 8]),
      input("b", "float32", ["N", 6, 4, 4]),
      input("c", "float32", ["N", 8, 2, 2]),
    ] as const;
    const [a, b, c] = maps;
    const features = concat([a, upsampleBilinear(b, 2), resizeBilinear(c, [8, 8], true)], 1);
    const bias = parameter("bias", [out]);
    return createGraph(maps, { y: conv(features, parameter("weight", [out, 17, 1, 1]), bias) });
  };

  test("convolve first and enlarge fewer numbers, to the same outcome", async () => {
    const before = joined(4);
    const after = enlargeLast(before);
    const widths = after.nodes
      .filter(({ operator }) => operator === Resize)
      .map((node) => node.outputs[0]!.shape[1]);
    expect(widths).toEqual([4, 4]);
    expect(await difference(before, after)).toBeLessThan(EXACT);
  });

  test("stay where that would enlarge more", () => {
    const before = joined(7); // 2 · 7 channels against 6 + 8
    expect(enlargeLast(before).nodes.map(({ operator }) => operator)).toEqual(
      before.nodes.map(({ operator }) => operator),
    );
  });
});
