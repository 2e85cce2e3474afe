// Graphs as ONNX and back: ONNX Runtime computes the same numbers, and what is not ours is refused by name.
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import { HRNetError } from "../../src/errors.ts";
import { createGraph, type Graph } from "../../src/graph/graph.ts";
import { graphFromModel, graphToModel } from "../../src/graph/onnx.ts";
import { AttributeType, DataType, type ModelProto, type NodeProto } from "../../src/graph/onnx-messages.ts";
import { decodeModel, encodeModel } from "../../src/graph/onnx-proto.ts";
import { conv } from "../../src/graph/ops/conv.ts";
import { add, mul, relu, sigmoid } from "../../src/graph/ops/elementwise.ts";
import { resizeBilinear, upsampleNearest } from "../../src/graph/ops/resize.ts";
import { concat, gather, reshape, slice, split, transpose } from "../../src/graph/ops/shape.ts";
import { toFloat16 } from "../../src/graph/passes/to-float16.ts";
import { constant, input, parameter, type Value } from "../../src/graph/value.ts";
import { adaptiveAveragePool, channelShuffle } from "../../src/nn/blocks.ts";
import { tensor } from "../../src/tensor/tensor.ts";
import { expectNear } from "../helpers/near.ts";

const image = (): Value => input("x", "float32", ["N", 4, 4, 6]);
const ramp = (...shape: number[]): Value => {
  const result = tensor("float32", shape);
  for (let i = 0; i < result.data.length; i++) result.data[i] = Math.sin(i);
  return constant(result);
};

/** Runs a graph in plain ONNX Runtime on x = 0, 1, 2, … */
async function run(graph: Graph, batch = 1): Promise<Record<string, OrtTensor>> {
  const session = await InferenceSession.create(encodeModel(graphToModel(graph, { name: "test" })));
  const { shape } = graph.inputs[0]!;
  const size = [batch, ...(shape.slice(1) as number[])];
  const count = size.reduce((a, b) => a * b, 1);
  const x = new OrtTensor(
    "float32",
    Float32Array.from({ length: count }, (_, i) => i),
    size,
  );
  return session.run({ x });
}

const numbers = (value: OrtTensor): number[] => Array.from(value.data as Float32Array);

describe("what ONNX Runtime computes", () => {
  test("a graph of every kind of move, for batches of one and three", async () => {
    const x = image();
    const [a, b] = split(x, 1, [1, 3]);
    const parts = concat([b!, a!], 1);
    const picked = gather(slice(parts, 3, 1, 6, 2), [3, 0], 1); // N×2×4×3: channels 0, 1; columns 1, 3, 5
    const y = transpose(reshape(picked, [0, 2, 12]), [0, 2, 1]); // N×12×2
    for (const batch of [1, 3]) {
      const outputs = await run(createGraph([x], { y }), batch);
      expect(outputs["y"]!.dims).toEqual([batch, 12, 2]);
      const expected: number[] = [];
      for (let n = 0; n < batch; n++)
        for (let row = 0; row < 4; row++)
          for (const column of [1, 3, 5])
            for (const channel of [0, 1]) expected.push(((n * 4 + channel) * 4 + row) * 6 + column);
      expect(numbers(outputs["y"]!)).toEqual(expected);
    }
  });

  test("channel shuffle of two groups: 0 2 1 3", async () => {
    const x = image();
    const outputs = await run(createGraph([x], { y: channelShuffle(x, 2) }));
    const first = [0, 1, 2, 3].map((channel) => numbers(outputs["y"]!)[channel * 24]! / 24);
    expect(first).toEqual([0, 2, 1, 3]);
  });

  test("adaptive average pooling where sizes divide and where they do not", async () => {
    const x = image(); // torch: cell o covers ⌊o·n/m⌋ … ⌈(o+1)·n/m⌉ − 1
    const outputs = await run(
      createGraph([x], { even: adaptiveAveragePool(x, [2, 3]), odd: adaptiveAveragePool(x, [3, 4]) }),
    );
    const reference = (height: number, width: number): number[] => {
      const values: number[] = [];
      for (let c = 0; c < 4; c++)
        for (let oy = 0; oy < height; oy++)
          for (let ox = 0; ox < width; ox++) {
            let [sum, count] = [0, 0];
            for (let y = Math.floor((oy * 4) / height); y < Math.ceil(((oy + 1) * 4) / height); y++)
              for (
                let xx = Math.floor((ox * 6) / width);
                xx < Math.ceil(((ox + 1) * 6) / width);
                xx++, count++
              )
                sum += (c * 4 + y) * 6 + xx;
            values.push(sum / count);
          }
      return values;
    };
    expectNear(numbers(outputs["even"]!), reference(2, 3), 1e-4);
    expectNear(numbers(outputs["odd"]!), reference(3, 4), 1e-4);
  });

  test("enlargement: nearest copies, bilinear with and without aligned corners", async () => {
    const x = input("x", "float32", ["N", 1, 1, 3]);
    const outputs = await run(
      createGraph([x], {
        nearest: upsampleNearest(x, [1, 2]),
        aligned: resizeBilinear(x, [1, 5], true),
        areas: resizeBilinear(x, [1, 6], false),
      }),
    );
    expect(numbers(outputs["nearest"]!)).toEqual([0, 0, 1, 1, 2, 2]);
    // torch.nn.functional.interpolate(torch.tensor([[[[0., 1, 2]]]]), …, mode="bilinear")
    expectNear(numbers(outputs["aligned"]!), [0, 0.5, 1, 1.5, 2], 1e-6);
    expectNear(numbers(outputs["areas"]!), [0, 0.25, 0.75, 1.25, 1.75, 2], 1e-6);
  });

  test("outputs that are an input, a constant, or one value under two names", async () => {
    const x = image();
    const y = relu(x);
    const outputs = await run(createGraph([x], { x2: x, seven: ramp(2), y, again: y }));
    expect(numbers(outputs["x2"]!)).toEqual(Array.from({ length: 96 }, (_, i) => i));
    expectNear(numbers(outputs["seven"]!), [0, Math.sin(1)], 1e-7);
    expect(numbers(outputs["again"]!)).toEqual(numbers(outputs["y"]!));
  });

  test("half precision: float32 at both ends, the same numbers within its 11 bits", async () => {
    const x = image();
    const small = mul(x, constant(tensor("float32", [], Float32Array.of(0.01)))); // 0 … 0.95
    const z = add(conv(small, ramp(2, 4, 3, 3), ramp(2)), ramp(4)); // N×2×2×4
    const y = sigmoid(upsampleNearest(z, 2));
    const graph = createGraph([x], { y, z });
    const [full, half] = [await run(graph), await run(toFloat16(graph))];
    for (const name of ["y", "z"]) {
      expect(half[name]!.type).toBe("float32");
      expectNear(numbers(half[name]!), numbers(full[name]!), 1e-2);
    }
    expect(numbers(half["z"]!)).not.toEqual(numbers(full["z"]!));
  });
});

describe("constants", () => {
  const written = (graph: Graph): readonly (readonly number[])[] =>
    graphToModel(graph, { name: "g" }).graph.initializer.map(({ dims }) => dims);
  const seven = (shape: number[]): Value =>
    constant(
      tensor(
        "float32",
        shape,
        Float32Array.from({ length: 1 }, () => 7),
      ),
    );

  test("equal numbers and lists of integers are written once", () => {
    const x = image();
    const moved = reshape(reshape(add(mul(x, seven([])), seven([])), [0, 24, 4]), [0, 4, 24]);
    const y = reshape(reshape(moved, [0, 24, 4]), [0, 4, 24]);
    expect(written(createGraph([x], { y }))).toEqual([[], [3], [3]]);
  });

  test("floats in lists stay apart, as a runtime may write its results over them", () => {
    const x = image();
    const y = add(mul(x, seven([1])), seven([1]));
    expect(written(createGraph([x], { y }))).toEqual([[1], [1]]);
  });

  test("one constant with two uses is written once; numbers of several types or signs are not alike", () => {
    const x = image();
    const two = seven([1]);
    const zero = (sign: number): Value => constant(tensor("float32", [], Float32Array.of(sign * 0)));
    expect(written(createGraph([x], { y: add(mul(x, two), two) }))).toEqual([[1]]);
    expect(written(createGraph([x], { y: add(mul(x, zero(1)), zero(-1)) }))).toEqual([[], []]);
  });

  test("tens of thousands of nodes of one name are named in no time, each by a name of its own", () => {
    let y = image();
    for (let i = 0; i < 30_000; i++) y = i % 1000 === 0 ? relu(y, "Relu_5") : relu(y);
    const start = performance.now();
    const { node } = graphToModel(createGraph([], { y }), { name: "g" }).graph;
    expect(performance.now() - start).toBeLessThan(3000); // quadratic: 20 s and more
    expect(new Set(node.map(({ name }) => name)).size).toBe(30_000);
    expect(new Set(node.flatMap(({ output }) => output)).size).toBe(30_000);
  });
});

describe("reading a model back", () => {
  const roundTrip = (graph: Graph): Graph =>
    graphFromModel(decodeModel(encodeModel(graphToModel(graph, { name: "g" }))));

  test("keeps operators, attributes, shapes, names, constants, and optional inputs that are left out", () => {
    const x = image();
    const graph = createGraph([x], {
      y: upsampleNearest(conv(x, ramp(3, 4, 3, 3), undefined, {}, "stem"), 2),
    });
    const back = roundTrip(graph);
    expect(back.nodes.map((node) => [node.operator.type, node.attributes, node.outputs[0]!.shape])).toEqual(
      graph.nodes.map((node) => [node.operator.type, node.attributes, node.outputs[0]!.shape]),
    );
    expect(back.nodes[0]!.name).toBe("stem");
    expect(back.nodes[0]!.inputs[1]!.data).toEqual(graph.nodes[0]!.inputs[1]!.data);
    expect(back.nodes[1]!.inputs[1]).toBeUndefined();
    expect(back.inputs[0]).toMatchObject({ name: "x", dtype: "float32", shape: ["N", 4, 4, 6] });
  });

  /** A model of one node on x. */
  function model(node: Partial<NodeProto>, extra: Partial<ModelProto["graph"]> = {}): ModelProto {
    const type = {
      tensorType: { elemType: DataType.FLOAT, shape: { dim: [{ dimParam: "N" }, { dimValue: 4 }] } },
    };
    return {
      irVersion: 8,
      opsetImport: [{ domain: "", version: 18 }],
      graph: {
        name: "g",
        node: [{ opType: "Relu", name: "n1", input: ["x"], output: ["y"], ...node }],
        input: [{ name: "x", type }],
        output: [{ name: "y", type }],
        initializer: [],
        ...extra,
      },
    };
  }

  test.each<[string, ModelProto, RegExp]>([
    ["an unknown operator", model({ opType: "LSTM" }), /operator LSTM, which is not supported.*openSession/],
    ["another domain", model({ opType: "Relu", domain: "com.microsoft" }), /com\.microsoft\.Relu/],
    [
      "an unknown attribute",
      model({ opType: "Softmax", attribute: [{ name: "temperature", type: AttributeType.FLOAT, f: 1 }] }),
      /Softmax with the attribute temperature/,
    ],
    ["an input nobody defines", model({ input: ["z"] }), /node n1 reads z/],
    ["an output nobody defines", model({ output: ["other"] }), /output list reads y/],
    ["a missing input", model({ input: [""] }), /Relu.*needs 1 input/],
    ["an input without a shape", model({}, { input: [{ name: "x" }] }), /input x has no tensor type/],
    [
      "shapes that disagree",
      model({
        opType: "Transpose",
        attribute: [{ name: "perm", type: AttributeType.INTS, ints: [0, 1, 2] }],
      }),
      /Transpose\(float32\[N×4\]\)/,
    ],
  ])("refuses %s", (_, proto, message) => {
    let caught: unknown;
    try {
      graphFromModel(proto);
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(HRNetError);
    expect((caught as HRNetError).message).toMatch(message);
  });

  test("a parameter without weights cannot be written", () => {
    const x = image();
    const weight = parameter("w", "float32", [1, 4, 1, 1]);
    expect(() => graphToModel(createGraph([x], { y: conv(x, weight, undefined) }), { name: "g" })).toThrow(
      /parameter w has no weights/,
    );
  });
});
