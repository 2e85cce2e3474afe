// What a checkpoint's pickle can hold, as plain data.

import type { DType } from "../tensor/tensor.ts";

/** A block of elements stored beside the pickle; tensors are views of it. */
export interface StorageRecord {
  readonly kind: "storage";
  /** Its name in the file. Records of the same key share memory. */
  readonly key: string;
  /** Element type, or `undefined` for an untyped storage, whose elements are bytes. */
  readonly dtype: DType | undefined;
  /** First byte of this storage within the stored block (0 but for views in very old files). */
  readonly byteOffset: number;
  /** Size in bytes. */
  readonly byteLength: number;
}

/** A strided view of a storage, checked to lie inside it. Offset and strides count elements. */
export interface TensorRecord {
  readonly kind: "tensor";
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly offset: number;
  readonly storage: StorageRecord;
}

/** The name of a harmless Python object such as `torch.float32`; it stands for nothing but its name. */
export interface NameRecord {
  readonly kind: "name";
  readonly name: string;
}

/** A NumPy element type such as `f8`, met where scalars were saved. */
export interface NumpyDTypeRecord {
  readonly kind: "numpy-dtype";
  readonly descr: string;
  littleEndian: boolean;
}

/**
 * A Python value: lists and tuples are arrays, dicts (ordered, counting, with defaults) are Maps, bytes are
 * Uint8Arrays, integers beyond 2^53 are bigints. Values can refer to each other in cycles.
 */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleValue[]
  | Map<PickleValue, PickleValue>
  | Set<PickleValue>
  | StorageRecord
  | TensorRecord
  | NameRecord
  | NumpyDTypeRecord;

type PickleRecord = StorageRecord | TensorRecord | NameRecord | NumpyDTypeRecord;

/** Whether `value` is the record of that kind. */
export function isRecord<K extends PickleRecord["kind"]>(
  value: PickleValue | undefined,
  kind: K,
): value is Extract<PickleRecord, { kind: K }> {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === kind;
}

/** What `value` is, in Python's words, for messages. */
export function describeValue(value: PickleValue | undefined): string {
  if (value === undefined) return "nothing";
  if (value === null) return "None";
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (value instanceof Map) return `a dict of ${value.size}`;
  if (value instanceof Set) return `a set of ${value.size}`;
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (typeof value === "object") return value.kind === "name" ? value.name : `a ${value.kind}`;
  if (typeof value === "string") return `the string ${JSON.stringify(value.slice(0, 40))}`;
  return `the ${typeof value} ${value}`;
}
