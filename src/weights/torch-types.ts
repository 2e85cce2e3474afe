// The names PyTorch gives element types, and the type each stands for here.

import type { DType } from "../tensor/tensor.ts";

/** `torch.<name>` storages. `undefined`: known by name, its tensors cannot be read. */
export const TORCH_STORAGES: Readonly<Record<string, DType | undefined>> = {
  FloatStorage: "float32",
  DoubleStorage: "float64",
  HalfStorage: "float16",
  BFloat16Storage: "bfloat16",
  LongStorage: "int64",
  IntStorage: "int32",
  ShortStorage: "int16",
  CharStorage: "int8",
  ByteStorage: "uint8",
  BoolStorage: "bool",
  ComplexFloatStorage: undefined,
  ComplexDoubleStorage: undefined,
  QInt8Storage: undefined,
  QUInt8Storage: undefined,
  QInt32Storage: undefined,
};

/** Storages that hold bytes; the tensor names its element type. */
export const UNTYPED_STORAGES: readonly string[] = ["UntypedStorage", "_UntypedStorage"];

/** `torch.<name>` element types. `undefined`: known by name, its tensors cannot be read. */
export const TORCH_DTYPES: Readonly<Record<string, DType | undefined>> = {
  float32: "float32",
  float64: "float64",
  float16: "float16",
  bfloat16: "bfloat16",
  int64: "int64",
  int32: "int32",
  int16: "int16",
  int8: "int8",
  uint8: "uint8",
  bool: "bool",
  uint16: undefined,
  uint32: undefined,
  uint64: undefined,
  complex64: undefined,
  complex128: undefined,
};
