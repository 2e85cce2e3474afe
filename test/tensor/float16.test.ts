// float16 and bfloat16: every bit pattern round-trips, rounding follows IEEE 754, arrays equal single values.
import { describe, expect, test } from "vitest";
import {
  bfloat16ArrayToFloat32,
  bfloat16ToFloat32,
  float16ArrayToFloat32,
  float16ToFloat32,
  float32ArrayToBfloat16,
  float32ArrayToFloat16,
  float32ToBfloat16,
  float32ToFloat16,
  toFloat32,
} from "../../src/tensor/float16.ts";
import { tensor } from "../../src/tensor/tensor.ts";

const ALL = Uint16Array.from({ length: 65536 }, (_, i) => i);

describe("float16", () => {
  test.each([
    [0x0000, 0],
    [0x3c00, 1],
    [0xc000, -2],
    [0x7bff, 65504],
    [0x0001, 2 ** -24],
    [0x03ff, 1023 * 2 ** -24],
    [0x0400, 2 ** -14],
    [0x3555, 0.333251953125],
    [0x7c00, Number.POSITIVE_INFINITY],
    [0xfc00, Number.NEGATIVE_INFINITY],
  ])("bits %i are %f", (bits, value) => {
    expect(float16ToFloat32(bits)).toBe(value);
    expect(float32ToFloat16(value)).toBe(bits);
  });

  test("every finite value and infinity round-trips, NaN stays NaN, -0 keeps its sign", () => {
    const back = float32ArrayToFloat16(float16ArrayToFloat32(ALL));
    for (const bits of ALL) {
      const isNaNBits = (bits & 0x7c00) === 0x7c00 && (bits & 0x3ff) !== 0;
      if (isNaNBits) expect(float16ToFloat32(back[bits]!)).toBeNaN();
      else if (back[bits] !== bits) expect.fail(`${bits} became ${back[bits]}`);
    }
    expect(float16ToFloat32(0x8000)).toBe(-0);
  });

  test("halfway between neighbours goes to the even one, a hair beside it to the nearer", () => {
    for (let bits = 0; bits < 0x7bff; bits++) {
      const [low, high] = [float16ToFloat32(bits), float16ToFloat32(bits + 1)];
      const middle = (low + high) / 2;
      const ulp = 2 ** (Math.floor(Math.log2(middle)) - 23);
      const rounded = [middle - ulp, middle, middle + ulp].map(float32ToFloat16);
      const expected = [bits, bits % 2 === 0 ? bits : bits + 1, bits + 1];
      if (rounded.join() !== expected.join()) expect.fail(`around ${middle}: ${rounded}, not ${expected}`);
    }
  });

  test("overflow becomes infinity from 65520 on", () => {
    expect(float32ToFloat16(65519.99)).toBe(0x7bff);
    expect(float32ToFloat16(65520)).toBe(0x7c00);
    expect(float32ToFloat16(-1e30)).toBe(0xfc00);
  });
});

describe("bfloat16", () => {
  test.each([
    [0x3f80, 1],
    [0xbf00, -0.5],
    [0x7f80, Number.POSITIVE_INFINITY],
    [0x4049, 3.140625],
  ])("bits %i are %f", (bits, value) => {
    expect(bfloat16ToFloat32(bits)).toBe(value);
    expect(float32ToBfloat16(value)).toBe(bits);
  });

  test("every value round-trips and ties go to even", () => {
    const back = float32ArrayToBfloat16(bfloat16ArrayToFloat32(ALL));
    for (const bits of ALL) {
      if (Number.isNaN(bfloat16ToFloat32(bits))) expect(bfloat16ToFloat32(back[bits]!)).toBeNaN();
      else if (back[bits] !== bits) expect.fail(`${bits} became ${back[bits]}`);
    }
    expect(float32ToBfloat16(1 + 2 ** -8)).toBe(0x3f80);
    expect(float32ToBfloat16(1 + 3 * 2 ** -8)).toBe(0x3f82);
    expect(float32ToBfloat16(3.4e38)).toBe(0x7f80);
  });
});

test("any tensor becomes float32", () => {
  expect([...toFloat32(tensor("int64", [2], BigInt64Array.of(-3n, 7n)))]).toEqual([-3, 7]);
  expect([...toFloat32(tensor("float16", [1], Uint16Array.of(0x3c00)))]).toEqual([1]);
  expect([...toFloat32(tensor("bfloat16", [1], Uint16Array.of(0x3f80)))]).toEqual([1]);
  expect([...toFloat32(tensor("float64", [1], Float64Array.of(0.1)))]).toEqual([Math.fround(0.1)]);
  expect([...toFloat32(tensor("bool", [2], Uint8Array.of(0, 1)))]).toEqual([0, 1]);
  const own = Float32Array.of(1, 2);
  expect(toFloat32(tensor("float32", [2], own))).toBe(own);
});
