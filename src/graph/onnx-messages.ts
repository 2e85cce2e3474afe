// The ONNX protobuf messages we read and write, as types and as one schema table each.
// Field numbers and enum values: onnx/onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto, IR version 10).

/** Values of `TensorProto.DataType`. */
export const DataType = {
  FLOAT: 1,
  UINT8: 2,
  INT8: 3,
  UINT16: 4,
  INT16: 5,
  INT32: 6,
  INT64: 7,
  STRING: 8,
  BOOL: 9,
  FLOAT16: 10,
  DOUBLE: 11,
  UINT32: 12,
  UINT64: 13,
  COMPLEX64: 14,
  COMPLEX128: 15,
  BFLOAT16: 16,
} as const;

/** Values of `AttributeProto.AttributeType` that we use. */
export const AttributeType = {
  FLOAT: 1,
  INT: 2,
  STRING: 3,
  TENSOR: 4,
  GRAPH: 5,
  FLOATS: 6,
  INTS: 7,
  STRINGS: 8,
  TENSORS: 9,
  GRAPHS: 10,
} as const;

/** Value of `TensorProto.DataLocation` that says the elements lie in another file. */
export const EXTERNAL_DATA = 1;

/** One key and value of `metadata_props`. */
export interface StringStringEntryProto {
  readonly key: string;
  readonly value: string;
}

/** An operator set the model uses; `domain` is `""` for the standard one. */
export interface OperatorSetIdProto {
  readonly domain: string;
  readonly version: number;
}

/** One axis: a fixed size, a named one (`batch`), or neither when it is unknown. */
export interface DimensionProto {
  readonly dimValue?: number;
  readonly dimParam?: string;
}

export interface TensorShapeProto {
  readonly dim: readonly DimensionProto[];
}

export interface TensorTypeProto {
  /** One of {@link DataType}. */
  readonly elemType: number;
  /** Left out when even the rank is unknown. */
  readonly shape?: TensorShapeProto;
}

/** A value's type. Only tensors are read; sequences, maps and optionals leave `tensorType` empty. */
export interface TypeProto {
  readonly tensorType?: TensorTypeProto;
}

export interface ValueInfoProto {
  readonly name: string;
  readonly type?: TypeProto;
  readonly docString?: string;
}

/** A tensor's name, type and elements. We write `rawData`; files of other tools may use the typed fields. */
export interface TensorProto {
  readonly name?: string;
  readonly dims: readonly number[];
  /** One of {@link DataType}. */
  readonly dataType: number;
  /** Elements in C order, little-endian. */
  readonly rawData?: Uint8Array;
  readonly floatData?: Float32Array;
  /** Also holds the smaller integers, booleans, and the bits of float16 and bfloat16. */
  readonly int32Data?: Int32Array;
  readonly int64Data?: BigInt64Array;
  readonly doubleData?: Float64Array;
  readonly docString?: string;
  readonly externalData?: readonly StringStringEntryProto[];
  /** 0 = in this message, {@link EXTERNAL_DATA} = in another file. */
  readonly dataLocation?: number;
}

/** A named constant of a node. `type` (one of {@link AttributeType}) says which of the other fields holds it. */
export interface AttributeProto {
  readonly name: string;
  readonly type?: number;
  readonly f?: number;
  readonly i?: number;
  /** UTF-8 text. */
  readonly s?: Uint8Array;
  readonly t?: TensorProto;
  readonly g?: GraphProto;
  readonly floats?: readonly number[];
  readonly ints?: readonly number[];
  readonly strings?: readonly Uint8Array[];
  readonly tensors?: readonly TensorProto[];
  readonly graphs?: readonly GraphProto[];
  readonly docString?: string;
  /** Inside functions only: the function's attribute this one stands for. */
  readonly refAttrName?: string;
}

/** One operator. An input `""` is an optional input left out. */
export interface NodeProto {
  readonly opType: string;
  readonly input: readonly string[];
  readonly output: readonly string[];
  readonly name?: string;
  /** `""` or left out for the standard operators, `com.microsoft` for ONNX Runtime's own. */
  readonly domain?: string;
  readonly attribute?: readonly AttributeProto[];
  readonly docString?: string;
}

/** Nodes in topological order and the values they meet. */
export interface GraphProto {
  readonly name: string;
  readonly node: readonly NodeProto[];
  readonly input: readonly ValueInfoProto[];
  readonly output: readonly ValueInfoProto[];
  readonly initializer: readonly TensorProto[];
  readonly valueInfo?: readonly ValueInfoProto[];
  readonly docString?: string;
}

/** A whole model file. */
export interface ModelProto {
  readonly irVersion: number;
  readonly opsetImport: readonly OperatorSetIdProto[];
  readonly graph: GraphProto;
  readonly producerName?: string;
  readonly producerVersion?: string;
  readonly domain?: string;
  readonly modelVersion?: number;
  readonly docString?: string;
  readonly metadataProps?: readonly StringStringEntryProto[];
}

/** How each kind of field looks in JavaScript, singular. `packed` kinds are typed arrays of all repetitions. */
interface KindTypes {
  int64: number;
  int32: number;
  float: number;
  string: string;
  bytes: Uint8Array;
  packedFloat: Float32Array;
  packedDouble: Float64Array;
  packedInt32: Int32Array;
  packedInt64: BigInt64Array;
}

/** Kinds of fields that are not messages. */
export type ScalarKind = keyof KindTypes;

/** One row of a schema: field number, kind (or the schema of a nested message), repetition, presence after reading. */
export interface Field {
  readonly id: number;
  readonly kind: ScalarKind | (() => Schema);
  readonly repeated: boolean;
  /** Filled in on reading when the bytes leave it out: `[]`, `""`, `0` or an empty message. */
  readonly required: boolean;
}

/** A message as rows by JavaScript field name. */
export type Schema = Readonly<Record<string, Field>>;

type KindOf<T> =
  | { [K in ScalarKind]: T extends KindTypes[K] ? K : never }[ScalarKind]
  | (T extends object ? () => Schema : never);

type FieldOf<T> = Field &
  (T extends Float32Array | Float64Array | Int32Array | BigInt64Array | Uint8Array
    ? { readonly kind: KindOf<T>; readonly repeated: false }
    : T extends readonly (infer Item)[]
      ? { readonly kind: KindOf<Item>; readonly repeated: true }
      : { readonly kind: KindOf<T>; readonly repeated: false });

/** A schema that has exactly the fields of the interface `T`, each of a fitting kind, required where `T` requires it. */
type SchemaOf<T> = {
  readonly [K in keyof T]-?: FieldOf<NonNullable<T[K]>> & {
    readonly required: undefined extends T[K] ? false : true;
  };
};

const optional = <K extends Field["kind"]>(id: number, kind: K) =>
  ({ id, kind, repeated: false, required: false }) as const;
const required = <K extends Field["kind"]>(id: number, kind: K) =>
  ({ id, kind, repeated: false, required: true }) as const;
const list = <K extends Field["kind"]>(id: number, kind: K) =>
  ({ id, kind, repeated: true, required: false }) as const;
const requiredList = <K extends Field["kind"]>(id: number, kind: K) =>
  ({ id, kind, repeated: true, required: true }) as const;

const ENTRY: SchemaOf<StringStringEntryProto> = {
  key: required(1, "string"),
  value: required(2, "string"),
};

const OPERATOR_SET: SchemaOf<OperatorSetIdProto> = {
  domain: required(1, "string"),
  version: required(2, "int64"),
};

const DIMENSION: SchemaOf<DimensionProto> = {
  dimValue: optional(1, "int64"),
  dimParam: optional(2, "string"),
};

const SHAPE: SchemaOf<TensorShapeProto> = { dim: requiredList(1, () => DIMENSION) };

const TENSOR_TYPE: SchemaOf<TensorTypeProto> = {
  elemType: required(1, "int32"),
  shape: optional(2, () => SHAPE),
};

const TYPE: SchemaOf<TypeProto> = { tensorType: optional(1, () => TENSOR_TYPE) };

const VALUE_INFO: SchemaOf<ValueInfoProto> = {
  name: required(1, "string"),
  type: optional(2, () => TYPE),
  docString: optional(3, "string"),
};

const TENSOR: SchemaOf<TensorProto> = {
  dims: requiredList(1, "int64"),
  dataType: required(2, "int32"),
  floatData: optional(4, "packedFloat"),
  int32Data: optional(5, "packedInt32"),
  int64Data: optional(7, "packedInt64"),
  name: optional(8, "string"),
  rawData: optional(9, "bytes"),
  doubleData: optional(10, "packedDouble"),
  docString: optional(12, "string"),
  externalData: list(13, () => ENTRY),
  dataLocation: optional(14, "int32"),
};

const ATTRIBUTE: SchemaOf<AttributeProto> = {
  name: required(1, "string"),
  f: optional(2, "float"),
  i: optional(3, "int64"),
  s: optional(4, "bytes"),
  t: optional(5, () => TENSOR),
  g: optional(6, () => GRAPH),
  floats: list(7, "float"),
  ints: list(8, "int64"),
  strings: list(9, "bytes"),
  tensors: list(10, () => TENSOR),
  graphs: list(11, () => GRAPH),
  docString: optional(13, "string"),
  type: optional(20, "int32"),
  refAttrName: optional(21, "string"),
};

const NODE: SchemaOf<NodeProto> = {
  input: requiredList(1, "string"),
  output: requiredList(2, "string"),
  name: optional(3, "string"),
  opType: required(4, "string"),
  attribute: list(5, () => ATTRIBUTE),
  docString: optional(6, "string"),
  domain: optional(7, "string"),
};

const GRAPH: SchemaOf<GraphProto> = {
  node: requiredList(1, () => NODE),
  name: required(2, "string"),
  initializer: requiredList(5, () => TENSOR),
  docString: optional(10, "string"),
  input: requiredList(11, () => VALUE_INFO),
  output: requiredList(12, () => VALUE_INFO),
  valueInfo: list(13, () => VALUE_INFO),
};

/** The rows of {@link ModelProto}; nested messages are reached through it. */
export const MODEL: SchemaOf<ModelProto> = {
  irVersion: required(1, "int64"),
  producerName: optional(2, "string"),
  producerVersion: optional(3, "string"),
  domain: optional(4, "string"),
  modelVersion: optional(5, "int64"),
  docString: optional(6, "string"),
  graph: required(7, () => GRAPH),
  opsetImport: requiredList(8, () => OPERATOR_SET),
  metadataProps: list(14, () => ENTRY),
};

/** Only a model's `metadata_props`: reading with it skips the graph without looking inside. */
export const MODEL_METADATA: SchemaOf<Pick<ModelProto, "metadataProps">> = {
  metadataProps: MODEL.metadataProps,
};
