// safetensors: what is written is read back, laid out as the format demands; headers that lie are refused.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { HRNetError } from "../../src/errors.ts";
import { type Tensor, tensor } from "../../src/tensor/tensor.ts";
import { memorySource } from "../../src/weights/byte-source.ts";
import { readCheckpoint, readCheckpointSource } from "../../src/weights/read-checkpoint.ts";
import { encodeSafetensors, writeSafetensors } from "../../src/weights/safetensors.ts";

const TENSORS: [string, Tensor][] = [
  ["z.bytes", tensor("uint8", [3], Uint8Array.of(1, 2, 255))],
  ["10", tensor("float32", [2, 1], Float32Array.of(1.5, -2))],
  ["2", tensor("int64", [], BigInt64Array.of(-(2n ** 62n)))],
  ["half", tensor("float16", [1], Uint16Array.of(0x3c00))],
  ["brain", tensor("bfloat16", [1], Uint16Array.of(0x3f80))],
  ["flags", tensor("bool", [2], Uint8Array.of(1, 0))],
  ["empty", tensor("float32", [0, 4])],
  ["double", tensor("float64", [1], Float64Array.of(Math.PI))],
  ["int32", tensor("int32", [1], Int32Array.of(-7))],
  ["int16", tensor("int16", [1], Int16Array.of(-7))],
  ["int8", tensor("int8", [1], Int8Array.of(-7))],
];

const open = (bytes: Uint8Array) => readCheckpointSource(memorySource(bytes));

/** A file of any header and data. */
function file(header: unknown, dataBytes = 0, claimed?: bigint): Uint8Array {
  const json = Buffer.from(typeof header === "string" ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(claimed ?? BigInt(json.length));
  return new Uint8Array(Buffer.concat([length, json, Buffer.alloc(dataBytes)]));
}

describe("writing", () => {
  test("all types come back, whatever their names", async () => {
    const folder = await mkdtemp(join(tmpdir(), "safetensors-"));
    try {
      const path = join(folder, "weights.pth");
      await writeSafetensors(path, TENSORS, { licence: "Apache-2.0", note: "ü" });
      const { format, metadata, stateDict } = await readCheckpoint(path);
      expect(format).toBe("safetensors");
      expect(metadata).toEqual({ licence: "Apache-2.0", note: "ü" });
      expect(Object.fromEntries(stateDict)).toEqual(Object.fromEntries(TENSORS));
      const bytes = await readFile(path);
      expect(Number(bytes.readBigUInt64LE()) % 8).toBe(0);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test("the header keeps the order given and every tensor is aligned to its elements", () => {
    const header = Buffer.from(encodeSafetensors(TENSORS)[0]!).toString("utf8", 8);
    const names = Array.from(header.matchAll(/"([^"]+)":\{"dtype"/g), (match) => match[1]);
    expect(names).toEqual(TENSORS.map(([name]) => name));
    const entries = JSON.parse(header) as Record<string, { data_offsets: [number, number] }>;
    for (const [name, { data }] of TENSORS) {
      expect(entries[name]!.data_offsets[0] % data.BYTES_PER_ELEMENT).toBe(0);
    }
  });

  test("names that clash are refused", () => {
    const one = TENSORS[1]![1];
    expect(() =>
      encodeSafetensors([
        ["a", one],
        ["a", one],
      ]),
    ).toThrow(HRNetError);
    expect(() => encodeSafetensors([["__metadata__", one]])).toThrow(HRNetError);
  });
});

const F32 = (shape: unknown, begin: unknown, end: unknown) => ({
  dtype: "F32",
  shape,
  data_offsets: [begin, end],
});

describe("refusing", () => {
  test.each<[string, Uint8Array, RegExp]>([
    ["a header of 2^60 bytes", file({}, 0, 2n ** 60n), /./],
    ["a header of 2^38 bytes", file({}, 0, 2n ** 38n), /claims 274877906944/],
    ["a header beyond the file", file({}, 0, 1000n), /truncated/],
    ["broken JSON", file('{"a":'), /JSON/],
    ["deep nesting", file(`{"a":${"[".repeat(100_000)}${"]".repeat(100_000)}}`), /not described/],
    ["a deep dtype", file(`{"a":{"dtype":${"[".repeat(9999)}${"]".repeat(9999)}}}`), /dtype/],
    ["an array", file("{}".replace("{}", '{"a":[]}')), /not described/],
    ["a hole", file({ a: F32([1], 4, 8) }, 8), /hole/],
    ["an overlap", file({ a: F32([2], 0, 8), b: F32([1], 4, 8) }, 8), /overlaps/],
    ["offsets beyond the data", file({ a: F32([2], 0, 8) }, 4), /truncated/],
    ["data nobody claims", file({ a: F32([1], 0, 4) }, 8), /truncated/],
    ["a negative size", file({ a: F32([-1], 0, 4) }, 4), /shape/],
    ["a fraction", file({ a: F32([0.5], 0, 2) }, 2), /shape/],
    ["offsets backwards", file({ a: F32([1], 4, 0) }, 4), /offsets/],
    ["a size that overflows", file({ a: F32([2 ** 52, 2 ** 52], 0, 4) }, 4), /needs/],
    ["a type unknown", file({ a: { dtype: "F8_E4M3", shape: [1], data_offsets: [0, 1] } }, 1), /F8_E4M3/],
    [
      "a prototype's type",
      file({ a: { dtype: "constructor", shape: [], data_offsets: [0, 1] } }, 1),
      /dtype/,
    ],
    ["metadata of numbers", file({ __metadata__: { a: 1 } }), /__metadata__/],
    [
      "a name twice",
      file(
        '{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}',
      ),
      /twice/,
    ],
  ])("%s", async (_, bytes, message) => {
    const error = await open(bytes).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(HRNetError);
    expect((error as HRNetError).code).toBe("invalid-checkpoint");
    expect((error as HRNetError).message).toMatch(message);
  });
});
