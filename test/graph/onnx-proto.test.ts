import { readFileSync } from "node:fs";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { describe, expect, test } from "vitest";
import { HRNetError } from "../../src/errors.ts";
import { AttributeType, DataType, type ModelProto, type TensorProto } from "../../src/graph/onnx-messages.ts";
import {
  decodeModel,
  decodeModelMetadata,
  encodeModel,
  tensorFromProto,
  tensorToProto,
} from "../../src/graph/onnx-proto.ts";
import { type DType, tensor } from "../../src/tensor/tensor.ts";
import { fixture } from "../helpers/shared.ts";

/** Written with the Python package onnx 1.12 (`onnx.helper`): every field we read, tensors in typed fields. */
const REFERENCE = readFileSync(fixture("onnx", "reference.onnx"));

const text = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    return error instanceof HRNetError ? error.code : `not an HRNetError: ${error}`;
  }
  return "nothing thrown";
}

function model(initializer: readonly TensorProto[], extra: Partial<ModelProto> = {}): ModelProto {
  return {
    irVersion: 9,
    opsetImport: [{ domain: "", version: 20 }],
    graph: { name: "g", node: [], input: [], output: [], initializer },
    ...extra,
  };
}

describe("reading a file of the Python package onnx", () => {
  const read = decodeModel(REFERENCE);
  const { graph } = read;

  test("header and metadata", () => {
    expect(read).toMatchObject({ irVersion: 8, producerName: "onnx-python", modelVersion: 3 });
    expect(read.opsetImport).toEqual([
      { domain: "", version: 17 },
      { domain: "com.example", version: 1 },
    ]);
    expect(decodeModelMetadata(REFERENCE)).toEqual({ skeleton: '{"a":1}', mean: "0.5" });
    expect(graph).toMatchObject({ name: "référence", docString: "doc" });
  });

  test("types with fixed, named and unknown axes", () => {
    expect(graph.input[0]).toEqual({
      name: "x",
      type: {
        tensorType: {
          elemType: DataType.FLOAT,
          shape: { dim: [{ dimParam: "batch" }, { dimValue: 3 }, {}] },
        },
      },
    });
    expect(graph.input[1]!.type!.tensorType!.shape).toEqual({ dim: [] });
    expect(graph.output[0]!.type!.tensorType!.shape).toBeUndefined();
    expect(graph.output[1]!.type!.tensorType!.shape!.dim[1]).toEqual({ dimValue: -1 });
  });

  test("nodes and attributes of every kind", () => {
    const [branch, custom] = graph.node;
    expect(branch).toMatchObject({ opType: "If", name: "branch", input: ["cond"], output: ["y"] });
    const byName = new Map(custom!.attribute!.map((attribute) => [attribute.name, attribute]));
    expect(custom).toMatchObject({ domain: "com.example", input: ["x", "", "raw"] });
    expect(byName.get("alpha")).toMatchObject({ type: AttributeType.FLOAT, f: 0.25 });
    expect(byName.get("last")).toMatchObject({ type: AttributeType.INT, i: -9 });
    expect(byName.get("ints")).toMatchObject({ type: AttributeType.INTS, ints: [1, -2, 300] });
    expect(byName.get("floats")).toMatchObject({ type: AttributeType.FLOATS, floats: [1, 2.5] });
    expect(text(byName.get("text")!.s)).toBe("größe✓");
    expect(byName.get("texts")!.strings!.map(text)).toEqual(["a", "b"]);
    expect(tensorFromProto(byName.get("value")!.t!).shape).toEqual([2, 3]);
    const then = branch!.attribute!.find(({ name }) => name === "then_branch");
    expect(then!.g!.node[0]).toMatchObject({ opType: "Identity", input: ["floats"] });
  });

  test("tensors in raw_data and in the typed fields", () => {
    const tensors = Object.fromEntries(
      graph.initializer.map((proto) => [proto.name, tensorFromProto(proto)]),
    );
    expect(tensors).toEqual({
      floats: tensor("float32", [2, 2], Float32Array.of(1.5, -2.25, 3e10, 0.1)),
      ints: tensor("int64", [3], BigInt64Array.of(-1n, 2n ** 62n + 1n, 7n)),
      halves: tensor("float16", [3], Uint16Array.of(0x3c00, 0xc000, 0x3555)),
      doubles: tensor("float64", [2], Float64Array.of(0.1, -1e300)),
      bytes: tensor("int8", [2], Int8Array.of(-128, 127)),
      flags: tensor("bool", [3], Uint8Array.of(1, 0, 1)),
      raw: tensor("float32", [2, 3], Float32Array.of(0, 1, 2, 3, 4, 5)),
      empty: tensor("float32", [0, 4]),
    });
  });

  test("written again and read again it is the same", () => {
    expect(decodeModel(encodeModel(read))).toEqual(read);
  });
});

test.each<DType>([
  "float32",
  "float64",
  "float16",
  "bfloat16",
  "int64",
  "int32",
  "int16",
  "int8",
  "uint8",
  "bool",
])("a %s tensor survives the way through a file", (dtype) => {
  const original = tensor(dtype, [2, 3]);
  original.data.set((dtype === "int64" ? [1n, 0n, 1n, 1n, 0n, 1n] : [1, 0, 1, 1, 0, 1]) as never);
  const [proto] = decodeModel(encodeModel(model([tensorToProto("t", original)]))).graph.initializer;
  expect(proto!.name).toBe("t");
  expect(tensorFromProto(proto!)).toEqual(original);
});

test("payloads of all sizes land where their lengths say", () => {
  const initializer = [0, 1, 127, 128, 4095, 4096, 4097, 20_000].map((size, index) =>
    tensorToProto(`t${index}`, tensor("uint8", [size], new Uint8Array(size).fill(index + 1))),
  );
  const metadataProps = [
    { key: "größe", value: "é✓😀".repeat(50) },
    { key: "lone surrogate", value: "\ud800" },
  ];
  const read = decodeModel(encodeModel(model(initializer, { metadataProps })));
  expect(read.graph.initializer.map(tensorFromProto)).toEqual(initializer.map(tensorFromProto));
  expect(read.metadataProps![0]).toEqual(metadataProps[0]);
  expect(read.metadataProps![1]!.value).toBe("\ufffd");
});

test("integers of every varint length and sign", () => {
  const ints = [
    0,
    -1,
    127,
    128,
    2 ** 31,
    -(2 ** 31),
    2 ** 32,
    2 ** 35,
    2 ** 49,
    Number.MAX_SAFE_INTEGER,
  ].flatMap((value) => [value, -value]);
  const node = [{ opType: "Op", input: [], output: [], attribute: [{ name: "a", type: 7, ints }] }];
  const bytes = encodeModel(model([], { graph: { ...model([]).graph, node } }));
  expect(decodeModel(bytes).graph.node[0]!.attribute![0]!.ints).toEqual(ints.map((value) => value + 0));
});

test("unpacked and split repeated numbers are joined", () => {
  const bytes = new BinaryWriter();
  bytes.tag(1, WireType.LengthDelimited).fork().int64(2).join().tag(1, WireType.Varint).int64(2); // dims in two forms
  bytes.tag(2, WireType.Varint).int32(DataType.FLOAT);
  bytes.tag(4, WireType.Bit32).float(1);
  bytes.tag(4, WireType.LengthDelimited).fork().float(2).float(3).join();
  bytes.tag(4, WireType.Bit32).float(4);
  const graph = new BinaryWriter().tag(5, WireType.LengthDelimited).bytes(bytes.finish()).finish();
  const file = new BinaryWriter()
    .tag(1, WireType.Varint)
    .int64(9)
    .tag(7, WireType.LengthDelimited)
    .bytes(graph);
  file.tag(8, WireType.LengthDelimited).bytes(new BinaryWriter().tag(2, WireType.Varint).int64(20).finish());
  file.tag(999, WireType.LengthDelimited).string("a field of the future");
  const [proto] = decodeModel(file.finish()).graph.initializer;
  expect(tensorFromProto(proto!)).toEqual(tensor("float32", [2, 2], Float32Array.of(1, 2, 3, 4)));
});

describe("damaged files", () => {
  test("every truncation is refused or read, never anything else", () => {
    for (let length = 0; length < REFERENCE.length; length++) {
      const code = codeOf(() => decodeModel(REFERENCE.subarray(0, length)));
      expect(["invalid-model", "nothing thrown"]).toContain(code);
    }
    expect(codeOf(() => decodeModel(REFERENCE.subarray(0, REFERENCE.length - 1)))).toBe("invalid-model");
    expect(codeOf(() => decodeModel(new Uint8Array(0)))).toBe("invalid-model");
  });

  test("random bytes and random changes", () => {
    let state = 12345;
    const random = (below: number) => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    for (let round = 0; round < 2000; round++) {
      const bytes =
        round % 2 === 0
          ? Uint8Array.from({ length: random(300) }, () => random(256))
          : Uint8Array.from(REFERENCE);
      for (let change = 0; change < 3 && bytes.length > 0; change++)
        bytes[random(bytes.length)] = random(256);
      const code = codeOf(() => decodeModel(bytes).graph.initializer.map(tensorFromProto));
      expect(["invalid-model", "nothing thrown"]).toContain(code);
    }
  });

  test("endless nesting", () => {
    let graph = new Uint8Array(0);
    for (let level = 0; level < 100; level++) {
      const attribute = new BinaryWriter().tag(6, WireType.LengthDelimited).bytes(graph).finish();
      const node = new BinaryWriter().tag(5, WireType.LengthDelimited).bytes(attribute).finish();
      graph = new BinaryWriter().tag(1, WireType.LengthDelimited).bytes(node).finish() as typeof graph;
    }
    const file = new BinaryWriter().tag(7, WireType.LengthDelimited).bytes(graph).finish();
    expect(() => decodeModel(file)).toThrow(/nested more than 64 deep/);
  });

  test("tensors whose elements do not fit, lie elsewhere or are of foreign types", () => {
    const float = { name: "w", dims: [3], dataType: DataType.FLOAT };
    expect(() => tensorFromProto({ ...float, rawData: new Uint8Array(8) })).toThrow(/"w".*needs 12 bytes; 8/);
    expect(() => tensorFromProto({ ...float, dims: [-1] })).toThrow(/impossible shape/);
    expect(() => tensorFromProto({ ...float, dims: [2 ** 40, 2 ** 40] })).toThrow(/impossible shape/);
    expect(() => tensorFromProto({ ...float, dataLocation: 1 })).toThrow(/another file/);
    expect(() => tensorFromProto({ ...float, dataType: DataType.STRING })).toThrow(/element type 8/);
  });
});
