// Half precision: float16 and bfloat16 bits to float32 and back, and any tensor as float32.

import type { Tensor } from "./tensor.ts";

const SCRATCH_FLOAT = new Float32Array(1);
const SCRATCH_BITS = new Uint32Array(SCRATCH_FLOAT.buffer);

/** The bits of `value` rounded to float32. */
function float32Bits(value: number): number {
  SCRATCH_FLOAT[0] = value;
  return SCRATCH_BITS[0] as number;
}

let float16Table: Float32Array | undefined;

/** The value of each of the 65536 float16 bit patterns (IEEE 754-2008 binary16: 1 sign, 5 exponent, 10 fraction bits). */
function float16Values(): Float32Array {
  if (float16Table !== undefined) return float16Table;
  const table = new Float32Array(65536);
  const bits = new Uint32Array(table.buffer);
  for (let half = 0; half < 65536; half++) {
    const sign = (half & 0x8000) << 16;
    const exponent = (half >>> 10) & 0x1f;
    const fraction = half & 0x3ff;
    if (exponent === 0) {
      table[half] = (sign === 0 ? 1 : -1) * fraction * 2 ** -24; // zero and subnormals
    } else {
      const wide = exponent === 31 ? 255 : exponent - 15 + 127;
      bits[half] = sign | (wide << 23) | (fraction << 13);
    }
  }
  float16Table = table;
  return table;
}

/** float16 bits (0…65535) → value. Exact. */
export function float16ToFloat32(bits: number): number {
  return float16Values()[bits & 0xffff] as number;
}

/** Value → float16 bits, from the value's float32 bits: round to nearest, ties to even; overflow gives infinity. */
function float16FromBits(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00 | ((magnitude >>> 13) & 0x3ff); // NaN stays NaN, made quiet
  if (magnitude >= 0x477ff000) return sign | 0x7c00; // 65520 and above round to infinity
  if (magnitude >= 0x38800000) {
    // Normal (≥ 2^-14): move the exponent bias from 127 to 15 and round off 13 bits.
    return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
  }
  if (magnitude <= 0x33000000) return sign; // up to 2^-25, half the smallest subnormal, rounds to zero
  const shift = 126 - (magnitude >>> 23); // 14…24 bits of the 24-bit significand fall away
  const significand = (magnitude & 0x7fffff) | 0x800000;
  const kept = significand >>> shift;
  const rest = significand & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  const up = rest > half || (rest === half && (kept & 1) === 1) ? 1 : 0;
  return sign | (kept + up);
}

/** Value → float16 bits: rounded to float32, then to nearest even; 65520 and above become infinity. */
export function float32ToFloat16(value: number): number {
  return float16FromBits(float32Bits(value));
}

/** bfloat16 bits (0…65535) → value. Exact: bfloat16 is the upper half of a float32. */
export function bfloat16ToFloat32(bits: number): number {
  SCRATCH_BITS[0] = (bits & 0xffff) << 16;
  return SCRATCH_FLOAT[0] as number;
}

function bfloat16FromBits(bits: number): number {
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40; // NaN stays NaN, made quiet
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

/** Value → bfloat16 bits: rounded to float32, then to nearest even. */
export function float32ToBfloat16(value: number): number {
  return bfloat16FromBits(float32Bits(value));
}

/** An array of float16 bits → float32 values. */
export function float16ArrayToFloat32(bits: Uint16Array): Float32Array {
  const table = float16Values();
  const values = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) values[i] = table[bits[i] as number] as number;
  return values;
}

/** An array of bfloat16 bits → float32 values. */
export function bfloat16ArrayToFloat32(bits: Uint16Array): Float32Array {
  const wide = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) wide[i] = (bits[i] as number) << 16;
  return new Float32Array(wide.buffer);
}

function narrow(values: Float32Array, convert: (bits: number) => number): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < bits.length; i++) halves[i] = convert(bits[i] as number);
  return halves;
}

/** An array of float32 values → float16 bits, rounded to nearest even. */
export function float32ArrayToFloat16(values: Float32Array): Uint16Array {
  return narrow(values, float16FromBits);
}

/** An array of float32 values → bfloat16 bits, rounded to nearest even. */
export function float32ArrayToBfloat16(values: Float32Array): Uint16Array {
  return narrow(values, bfloat16FromBits);
}

/**
 * The elements of any tensor as float32: halves widened exactly, float64 and int64 rounded to nearest, booleans 0 and 1.
 * A float32 tensor gives its own array, not a copy.
 */
export function toFloat32(tensor: Tensor): Float32Array {
  const data = tensor.data;
  if (data instanceof Float32Array) return data;
  if (tensor.dtype === "float16") return float16ArrayToFloat32(data as Uint16Array);
  if (tensor.dtype === "bfloat16") return bfloat16ArrayToFloat32(data as Uint16Array);
  if (data instanceof BigInt64Array) return Float32Array.from(data, Number);
  return Float32Array.from(data);
}
