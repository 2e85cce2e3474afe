// .npy files written by NumPy are read exactly, damaged ones refused, and ours are byte for byte what NumPy writes.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { HRNetError } from "../../src/errors.ts";
import { toFloat32 } from "../../src/tensor/float16.ts";
import { decodeNpy, encodeNpy, readNpy } from "../../src/tensor/npy.ts";
import { tensor } from "../../src/tensor/tensor.ts";
import { fixture } from "../helpers/shared.ts";

const file = (name: string) => fixture("npy", `${name}.npy`);
const RANGE = Array.from({ length: 24 }, (_, i) => i);

describe("reading", () => {
  test.each([
    ["f2", "float16"],
    ["f4", "float32"],
    ["f8", "float64"],
    ["i8", "int64"],
    ["i4", "int32"],
    ["i2", "int16"],
    ["i1", "int8"],
    ["u1", "uint8"],
    ["fortran", "float32"],
    ["version2", "float32"],
    ["version3", "float32"],
  ])("%s", async (name, dtype) => {
    const array = await readNpy(file(name));
    expect([array.dtype, array.shape]).toEqual([dtype, [2, 3, 4]]);
    expect([...toFloat32(array)]).toEqual(RANGE);
  });

  test("booleans, a scalar, a vector and an empty array", async () => {
    expect([...(await readNpy(file("b1"))).data]).toEqual(RANGE.map((i) => 1 - (i % 2)));
    expect(await readNpy(file("scalar"))).toEqual(tensor("float32", [], Float32Array.of(2.5)));
    expect((await readNpy(file("vector"))).shape).toEqual([3]);
    expect((await readNpy(file("empty"))).shape).toEqual([0, 3]);
  });

  test("bytes at any alignment", async () => {
    const bytes = await readFile(file("f8"));
    const shifted = new Uint8Array(bytes.length + 1);
    shifted.set(bytes, 1);
    expect([...decodeNpy(shifted.subarray(1)).data]).toEqual(RANGE);
  });
});

test.each(["f2", "f4", "f8", "i8", "i4", "i2", "i1", "u1", "b1", "vector", "empty"])(
  "%s is written as NumPy writes it",
  async (name) => {
    const bytes = await readFile(file(name));
    const ours = encodeNpy(decodeNpy(bytes));
    // NumPy leaves room in its header for a growing first axis; the entries and the data are the same.
    const dict = (array: Uint8Array) => /\{.*\}/.exec(Buffer.from(array).toString("latin1"))?.[0];
    expect(dict(ours)).toBe(dict(bytes));
    expect(decodeNpy(ours)).toEqual(decodeNpy(bytes));
    expect(ours.length % 64).toBe(bytes.length % 64);
  },
);

describe("refusing", () => {
  const header = (text: string, data = 0) => {
    const head = Buffer.from(`\x93NUMPY\x01\x00\x00\x00${text}`, "latin1");
    head.writeUInt16LE(text.length, 8);
    return new Uint8Array(Buffer.concat([head, Buffer.alloc(data)]));
  };
  test.each([
    ["objects", /Python objects/],
    ["big_endian", />f4/],
    ["complex", /c8/],
  ])("%s", async (name, message) => {
    await expect(readNpy(file(name))).rejects.toThrow(message);
  });
  test.each([
    ["code", "{'descr': __import__('os'), 'fortran_order': False, 'shape': ()}"],
    ["a negative size", "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}"],
    [
      "a huge size",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (9007199254740991, 9007199254740991)}",
    ],
    ["no shape", "{'descr': '<f4', 'fortran_order': False}"],
    ["an entry twice", "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': ()}"],
    ["a prototype name", "{'descr': 'constructor', 'fortran_order': False, 'shape': ()}"],
    ["missing data", "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}"],
  ])("%s", (_, text) => {
    expect(() => decodeNpy(header(text, 4))).toThrow(HRNetError);
  });
  test("files cut anywhere, missing files and folders", async () => {
    const bytes = await readFile(file("f4"));
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeNpy(bytes.subarray(0, length))).toThrow(HRNetError);
    }
    const folder = await mkdtemp(join(tmpdir(), "npy-"));
    try {
      await writeFile(join(folder, "text.npy"), "hello");
      await expect(readNpy(join(folder, "text.npy"))).rejects.toThrow(/text\.npy.*magic/);
      await expect(readNpy(join(folder, "none.npy"))).rejects.toMatchObject({ code: "file-not-found" });
      await expect(readNpy(folder)).rejects.toMatchObject({ code: "read-failed" });
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
