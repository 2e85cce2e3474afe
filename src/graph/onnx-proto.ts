// ONNX model files both ways: bytes <-> ModelProto, TensorProto <-> Tensor.

import { HRNetError } from "../errors.ts";
import {
  arrayFromBytes,
  bytesOf,
  bytesPerElement,
  type DType,
  formatShape,
  type Tensor,
} from "../tensor/tensor.ts";
import {
  DataType,
  EXTERNAL_DATA,
  MODEL,
  MODEL_METADATA,
  type ModelProto,
  type TensorProto,
} from "./onnx-messages.ts";
import { decodeMessage, encodeMessage } from "./onnx-wire.ts";

/** Each of our element types as a `TensorProto.DataType`. */
export const DATA_TYPE_OF: Readonly<Record<DType, number>> = {
  float32: DataType.FLOAT,
  float64: DataType.DOUBLE,
  float16: DataType.FLOAT16,
  bfloat16: DataType.BFLOAT16,
  int64: DataType.INT64,
  int32: DataType.INT32,
  int16: DataType.INT16,
  int8: DataType.INT8,
  uint8: DataType.UINT8,
  bool: DataType.BOOL,
};

const DTYPE_OF = new Map<number, DType>(
  Object.entries(DATA_TYPE_OF).map(([dtype, number]) => [number, dtype as DType]),
);

/**
 * Our element type of a `TensorProto.DataType`.
 * @throws HRNetError `invalid-model` for a type we have no tensors of (texts, complex numbers, 4-bit integers, …).
 */
export function dtypeOf(dataType: number): DType {
  const dtype = DTYPE_OF.get(dataType);
  if (dtype === undefined) {
    throw new HRNetError(
      "invalid-model",
      `The model has a tensor of ONNX element type ${dataType}; supported are ${[...DTYPE_OF.values()].join(", ")}.`,
    );
  }
  return dtype;
}

/**
 * The bytes of an `.onnx` file. Tensor payloads are copied once.
 * @throws HRNetError `limit-exceeded` when the file would reach 2 GiB.
 */
export function encodeModel(model: ModelProto): Uint8Array {
  return encodeMessage(MODEL, model);
}

/**
 * Reads an `.onnx` file. Fields we do not know are skipped. `rawData` of the tensors are views of `bytes`.
 * @throws HRNetError `invalid-model` when the bytes are truncated, damaged or something else.
 */
export function decodeModel(bytes: Uint8Array): ModelProto {
  const model = decodeMessage(MODEL, bytes) as ModelProto;
  if (model.irVersion === 0 || model.opsetImport.length === 0) {
    throw new HRNetError(
      "invalid-model",
      `The ${bytes.byteLength} bytes given are no ONNX model: they name no IR version or no operator set.`,
    );
  }
  return model;
}

/**
 * A model file's `metadata_props`, without reading its graph.
 * @throws HRNetError `invalid-model` when the bytes are no protobuf message.
 */
export function decodeModelMetadata(bytes: Uint8Array): Record<string, string> {
  const { metadataProps } = decodeMessage(MODEL_METADATA, bytes) as Pick<ModelProto, "metadataProps">;
  return Object.fromEntries((metadataProps ?? []).map(({ key, value }) => [key, value]));
}

/** `tensor` as an initialiser or constant of that name; its elements are shared, not copied. */
export function tensorToProto(name: string, tensor: Tensor): TensorProto {
  return {
    name,
    dims: tensor.shape,
    dataType: DATA_TYPE_OF[tensor.dtype],
    rawData: bytesOf(tensor.data),
  };
}

/**
 * The elements of an initialiser or constant, copied out of the model's bytes. Accepts `raw_data` and the typed fields.
 * @throws HRNetError `invalid-model` when the elements lie in another file, are of an unsupported type, or are not as
 * many as the shape says.
 */
export function tensorFromProto(proto: TensorProto): Tensor {
  const name = proto.name ?? "";
  if (proto.dataLocation === EXTERNAL_DATA || (proto.externalData?.length ?? 0) > 0) {
    throw new HRNetError(
      "invalid-model",
      `Tensor "${name}" keeps its elements in another file. Only self-contained models are read: ` +
        "save the model again with all tensors in one file.",
    );
  }
  const dtype = dtypeOf(proto.dataType);
  const count = checkedCount(name, proto.dims);
  const width = bytesPerElement(dtype);
  const raw = proto.rawData ?? rawOfTyped(proto, dtype);
  if (raw.byteLength !== count * width) {
    throw new HRNetError(
      "invalid-model",
      `Tensor "${name}" of shape ${formatShape(proto.dims)} and type ${dtype} needs ${count * width} bytes; ` +
        `${raw.byteLength} are there.`,
    );
  }
  return { dtype, shape: [...proto.dims], data: arrayFromBytes(dtype, raw.buffer, raw.byteOffset, count) };
}

function checkedCount(name: string, dims: readonly number[]): number {
  const count = dims.reduce((product, size) => product * size, 1);
  if (dims.some((size) => size < 0) || !Number.isSafeInteger(count)) {
    throw new HRNetError("invalid-model", `Tensor "${name}" has the impossible shape ${formatShape(dims)}.`);
  }
  return count;
}

/** Which typed field holds elements of a type (onnx.proto, comments of `TensorProto`), and how its bytes are got. */
const TYPED_FIELD: Readonly<Record<DType, (proto: TensorProto) => Uint8Array | undefined>> = {
  float32: ({ floatData }) => floatData && bytesOf(floatData),
  float64: ({ doubleData }) => doubleData && bytesOf(doubleData),
  int64: ({ int64Data }) => int64Data && bytesOf(int64Data),
  int32: ({ int32Data }) => int32Data && bytesOf(int32Data),
  float16: ({ int32Data }) => int32Data && bytesOf(Uint16Array.from(int32Data)),
  bfloat16: ({ int32Data }) => int32Data && bytesOf(Uint16Array.from(int32Data)),
  int16: ({ int32Data }) => int32Data && bytesOf(Int16Array.from(int32Data)),
  int8: ({ int32Data }) => int32Data && bytesOf(Int8Array.from(int32Data)),
  uint8: ({ int32Data }) => int32Data && bytesOf(Uint8Array.from(int32Data)),
  bool: ({ int32Data }) => int32Data && bytesOf(Uint8Array.from(int32Data)),
};

function rawOfTyped(proto: TensorProto, dtype: DType): Uint8Array {
  return TYPED_FIELD[dtype](proto) ?? new Uint8Array(0);
}
