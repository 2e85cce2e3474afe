// Tensors as plain data: a dtype, a shape and a typed array in C order. Shared by weights, graph and runtime.

import { HRNetError } from "../errors.ts";

/** Element types. `float16` and `bfloat16` are stored as their bits in a `Uint16Array`, `bool` as 0/1 in a `Uint8Array`. */
export type DType =
  | "float32"
  | "float64"
  | "float16"
  | "bfloat16"
  | "int64"
  | "int32"
  | "int16"
  | "int8"
  | "uint8"
  | "bool";

interface ArrayOf {
  float32: Float32Array;
  float64: Float64Array;
  float16: Uint16Array;
  bfloat16: Uint16Array;
  int64: BigInt64Array;
  int32: Int32Array;
  int16: Int16Array;
  int8: Int8Array;
  uint8: Uint8Array;
  bool: Uint8Array;
}

/** The typed array that stores elements of `D`. */
export type TensorArray<D extends DType = DType> = ArrayOf[D];

const ARRAY_TYPES = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int64: BigInt64Array,
  int32: Int32Array,
  int16: Int16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
} as const;

/** An n-dimensional array in C (row-major) order. A scalar has shape `[]`. */
export interface Tensor<D extends DType = DType> {
  readonly dtype: D;
  readonly shape: readonly number[];
  readonly data: TensorArray<D>;
}

/** Bytes one element of `dtype` takes. */
export function bytesPerElement(dtype: DType): number {
  return ARRAY_TYPES[dtype].BYTES_PER_ELEMENT;
}

/** Number of elements of a shape; 1 for a scalar. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** `2×3×4`, or `scalar`. */
export function formatShape(shape: readonly (number | string)[]): string {
  return shape.length === 0 ? "scalar" : shape.join("×");
}

/**
 * A tensor over `data`, or zeros when `data` is left out.
 * @throws HRNetError `invalid-shape` when the array's length is not the shape's element count.
 */
export function tensor<D extends DType>(
  dtype: D,
  shape: readonly number[],
  data?: TensorArray<D>,
): Tensor<D> {
  const count = elementCount(shape);
  const array = data ?? (new ARRAY_TYPES[dtype](count) as TensorArray<D>);
  if (array.length !== count) {
    throw new HRNetError(
      "invalid-shape",
      `A ${dtype} tensor of shape ${formatShape(shape)} needs ${count} elements, ${array.length} were given.`,
    );
  }
  return { dtype, shape, data: array };
}

/** The elements found at `offset` bytes into `buffer`, copied so that alignment never matters. */
export function arrayFromBytes<D extends DType>(
  dtype: D,
  buffer: ArrayBufferLike,
  offset: number,
  count: number,
): TensorArray<D> {
  const type = ARRAY_TYPES[dtype];
  const copy = buffer.slice(offset, offset + count * type.BYTES_PER_ELEMENT);
  return new type(copy as ArrayBuffer) as TensorArray<D>;
}

/**
 * `count` elements found at `offset` into `bytes`, which must reach that far: a view where the alignment allows, else a
 * copy. A view keeps the whole buffer of `bytes` alive.
 */
export function arrayOverBytes<D extends DType>(
  dtype: D,
  bytes: Uint8Array,
  offset: number,
  count: number,
): TensorArray<D> {
  const type = ARRAY_TYPES[dtype];
  const start = bytes.byteOffset + offset;
  if (start % type.BYTES_PER_ELEMENT !== 0) return arrayFromBytes(dtype, bytes.buffer, start, count);
  return new type(bytes.buffer as ArrayBuffer, start, count) as TensorArray<D>;
}

/** A view of the bytes behind a tensor's elements (little-endian on every platform Node.js supports). */
export function bytesOf(array: TensorArray): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
