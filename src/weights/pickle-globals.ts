// The closed list of Python names a checkpoint may mention, and what each builds. Nothing here runs Python code.

import { bytesPerElement, type DType, elementCount } from "../tensor/tensor.ts";
import {
  describeValue,
  isRecord,
  type NumpyDTypeRecord,
  type PickleValue,
  type StorageRecord,
  type TensorRecord,
} from "./pickle-values.ts";
import { TORCH_DTYPES, TORCH_STORAGES, UNTYPED_STORAGES } from "./torch-types.ts";

/** Throws an error at the reader's position. */
export type Fail = (problem: string) => never;

/** What calling a name with arguments gives. */
type Build = (args: readonly PickleValue[], fail: Fail) => PickleValue;

/** PyTorch itself allows 64; no network of this field has more than 6. */
const MAX_DIMENSIONS = 16;

function pairsToMap(pairs: PickleValue | undefined, fail: Fail): Map<PickleValue, PickleValue> {
  if (pairs === undefined) return new Map();
  if (pairs instanceof Map) return new Map(pairs);
  if (!Array.isArray(pairs)) return fail(`a dict cannot be made of ${describeValue(pairs)}.`);
  return new Map(
    pairs.map((pair) => {
      if (!Array.isArray(pair) || pair.length !== 2) fail("a dict is made of pairs.");
      return pair as [PickleValue, PickleValue];
    }),
  );
}

function listArgument(value: PickleValue | undefined, fail: Fail): PickleValue[] {
  if (value === undefined) return [];
  if (value instanceof Set) return [...value];
  return Array.isArray(value) ? value : fail(`a list is expected, ${describeValue(value)} was found.`);
}

/** `_codecs.encode(text, "latin1")`: how Python 3 writes bytes in protocol 2. */
function encodeLatin1(args: readonly PickleValue[], fail: Fail): Uint8Array {
  const [text, encoding] = args;
  if (typeof text !== "string" || !(encoding === "latin1" || encoding === "latin-1")) {
    return fail("bytes are expected as a latin1 string.");
  }
  return new Uint8Array(Buffer.from(text, "latin1"));
}

function bytesArgument(args: readonly PickleValue[], fail: Fail): Uint8Array {
  const [value] = args;
  if (value === undefined) return new Uint8Array();
  if (value instanceof Uint8Array) return value;
  return typeof value === "string" ? encodeLatin1(args, fail) : fail("bytes are expected.");
}

/** `torch.device("cuda", 0)` as `cuda:0`. */
function deviceName(args: readonly PickleValue[], fail: Fail): string {
  const [type, index] = args;
  if (typeof type !== "string" || !(index === undefined || typeof index === "number")) {
    return fail("a device is named by a string and a number.");
  }
  return index === undefined ? type : `${type}:${index}`;
}

function sizes(value: PickleValue | undefined, what: string, fail: Fail): readonly number[] {
  if (!Array.isArray(value) || value.length > MAX_DIMENSIONS) {
    return fail(`a tensor's ${what} must be a tuple of up to ${MAX_DIMENSIONS} numbers.`);
  }
  for (const size of value) {
    if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) {
      fail(`a tensor's ${what} holds ${describeValue(size)}; whole numbers from 0 are expected.`);
    }
  }
  return [...value] as number[]; // a copy: the pickle may still change its own list
}

/** A checked view of `storage`: every element it reaches lies inside. */
function tensorRecord(
  dtype: DType,
  storage: StorageRecord,
  args: readonly PickleValue[],
  fail: Fail,
): TensorRecord {
  const offset = args[1];
  const shape = sizes(args[2], "size", fail);
  const strides = sizes(args[3], "stride", fail);
  if (typeof offset !== "number" || !Number.isSafeInteger(offset) || offset < 0) {
    return fail(`a tensor's storage offset is ${describeValue(offset)}; a whole number from 0 is expected.`);
  }
  if (strides.length !== shape.length) {
    fail(`a tensor has ${shape.length} dimensions and ${strides.length} strides.`);
  }
  const count = elementCount(shape);
  if (!Number.isSafeInteger(count)) fail(`a tensor of size (${shape.join(", ")}) is impossibly large.`);
  const capacity = Math.floor(storage.byteLength / bytesPerElement(dtype));
  const last = shape.reduce((sum, size, axis) => sum + (size - 1) * (strides[axis] as number), offset);
  if (count > 0 && !(last < capacity)) {
    fail(
      `a tensor of size (${shape.join(", ")}), stride (${strides.join(", ")}) and offset ${offset} reaches element ` +
        `${last} of storage "${storage.key}", which has ${capacity}.`,
    );
  }
  return { kind: "tensor", dtype, shape, strides, offset, storage };
}

function storageArgument(args: readonly PickleValue[], fail: Fail): StorageRecord {
  const storage = args[0];
  return isRecord(storage, "storage")
    ? storage
    : fail(`a tensor is built on a storage, not on ${describeValue(storage)}.`);
}

/** `torch._utils._rebuild_tensor(storage, offset, size, stride)` and `_v2`, whose further arguments do not matter. */
function rebuildTensor(args: readonly PickleValue[], fail: Fail): TensorRecord {
  const storage = storageArgument(args, fail);
  return tensorRecord(storage.dtype ?? "uint8", storage, args, fail);
}

/** `_rebuild_tensor_v3(storage, offset, size, stride, requires_grad, hooks, dtype)`: over an untyped storage. */
function rebuildTensorV3(args: readonly PickleValue[], fail: Fail): TensorRecord {
  const type = args[6];
  const name = isRecord(type, "name") ? type.name.replace(/^torch\./, "") : "";
  const dtype = Object.hasOwn(TORCH_DTYPES, name) ? TORCH_DTYPES[name] : undefined;
  if (dtype === undefined) return fail(`tensors of type ${describeValue(type)} cannot be read.`);
  return tensorRecord(dtype, storageArgument(args, fail), args, fail);
}

/** `_rebuild_parameter(data, requires_grad, hooks)`: the tensor itself. */
function rebuildParameter(args: readonly PickleValue[], fail: Fail): TensorRecord {
  const data = args[0];
  return isRecord(data, "tensor")
    ? data
    : fail(`a parameter is built on a tensor, not on ${describeValue(data)}.`);
}

function numpyDType(args: readonly PickleValue[], fail: Fail): NumpyDTypeRecord {
  const [descr] = args;
  if (typeof descr !== "string" || !Object.hasOwn(NUMPY_SCALARS, descr)) {
    return fail(
      `NumPy scalars of type ${describeValue(descr)} cannot be read, only ${Object.keys(NUMPY_SCALARS)}.`,
    );
  }
  return { kind: "numpy-dtype", descr, littleEndian: true };
}

function safeInteger(value: bigint): number | bigint {
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

/** Scalar types by NumPy's name: bytes, and how they are read. */
const NUMPY_SCALARS: Readonly<
  Record<string, [bytes: number, read: (view: DataView, little: boolean) => PickleValue]>
> = {
  f8: [8, (view, little) => view.getFloat64(0, little)],
  f4: [4, (view, little) => view.getFloat32(0, little)],
  i8: [8, (view, little) => safeInteger(view.getBigInt64(0, little))],
  u8: [8, (view, little) => safeInteger(view.getBigUint64(0, little))],
  i4: [4, (view, little) => view.getInt32(0, little)],
  u4: [4, (view, little) => view.getUint32(0, little)],
  i2: [2, (view, little) => view.getInt16(0, little)],
  u2: [2, (view, little) => view.getUint16(0, little)],
  i1: [1, (view) => view.getInt8(0)],
  u1: [1, (view) => view.getUint8(0)],
  b1: [1, (view) => view.getUint8(0) !== 0],
};

/** `numpy.core.multiarray.scalar(dtype, bytes)` as a plain number. */
function numpyScalar(args: readonly PickleValue[], fail: Fail): PickleValue {
  const [type, raw] = args;
  const bytes = typeof raw === "string" ? new Uint8Array(Buffer.from(raw, "latin1")) : raw;
  if (!isRecord(type, "numpy-dtype") || !(bytes instanceof Uint8Array)) {
    return fail("a NumPy scalar is built of its type and bytes.");
  }
  const scalar = NUMPY_SCALARS[type.descr];
  if (scalar === undefined || bytes.length !== scalar[0]) {
    return fail(`a NumPy ${type.descr} scalar has ${bytes.length} bytes.`);
  }
  return scalar[1](new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), type.littleEndian);
}

/** Names that are called. */
const BUILDERS: ReadonlyMap<string, Build> = new Map<string, Build>([
  ["collections.OrderedDict", (args, fail) => pairsToMap(args[0], fail)],
  ["collections.Counter", (args, fail) => pairsToMap(args[0], fail)],
  ["collections.defaultdict", (args, fail) => pairsToMap(args[1], fail)],
  ["builtins.dict", (args, fail) => pairsToMap(args[0], fail)],
  ["builtins.list", (args, fail) => [...listArgument(args[0], fail)]],
  ["builtins.tuple", (args, fail) => [...listArgument(args[0], fail)]],
  ["builtins.set", (args, fail) => new Set(listArgument(args[0], fail))],
  ["builtins.frozenset", (args, fail) => new Set(listArgument(args[0], fail))],
  ["builtins.bytes", bytesArgument],
  ["builtins.bytearray", bytesArgument],
  ["_codecs.encode", encodeLatin1],
  ["torch.Size", (args, fail) => [...sizes(args[0], "size", fail)]],
  ["torch.device", deviceName],
  ["torch._utils._rebuild_tensor", rebuildTensor],
  ["torch._utils._rebuild_tensor_v2", rebuildTensor],
  ["torch._utils._rebuild_tensor_v3", rebuildTensorV3],
  ["torch._utils._rebuild_parameter", rebuildParameter],
  ["torch._utils._rebuild_parameter_with_state", rebuildParameter],
  ["numpy.core.multiarray.scalar", numpyScalar],
  ["numpy.dtype", numpyDType],
]);

/** Names that only stand for themselves. */
const NAMES: ReadonlySet<string> = new Set([
  "builtins.int",
  "builtins.float",
  "builtins.str",
  "builtins.bool",
  ...Object.keys(TORCH_DTYPES).map((name) => `torch.${name}`),
  ...[...Object.keys(TORCH_STORAGES), ...UNTYPED_STORAGES].map((name) => `torch.${name}`),
]);

/** Modules that went by another name in Python 2, older PyTorch or newer NumPy. */
const MODULE_ALIASES: Readonly<Record<string, string>> = {
  __builtin__: "builtins",
  "numpy._core.multiarray": "numpy.core.multiarray",
  "torch.cuda": "torch",
  "torch.storage": "torch",
};

/**
 * The full name of an allowed global, or `undefined` when loading weights has no use for it.
 * @param module such as `torch._utils`
 * @param name such as `_rebuild_tensor_v2`
 */
export function allowedGlobal(module: string, name: string): string | undefined {
  const home = Object.hasOwn(MODULE_ALIASES, module) ? MODULE_ALIASES[module] : module;
  const full = `${home}.${name}`;
  return BUILDERS.has(full) || NAMES.has(full) ? full : undefined;
}

/** Why a global is refused and what to do about it. */
export function refusal(module: string, name: string): string {
  const whole = /^torch\.nn(\.|$)/.test(module)
    ? "The file holds a whole pickled model, not its weights. "
    : "(A whole pickled model or training state looks like this too.) ";
  return (
    `the file asks for the Python object "${module}.${name}", which is refused: loading weights never executes code, ` +
    `only tensors, numbers, strings and containers are built. ${whole}If you trust its source, load it in Python and ` +
    `save the weights alone: torch.save(model.state_dict(), "weights.pth"), or ` +
    `torch.save(torch.load(FILE)["state_dict"], "weights.pth") for a training checkpoint.`
  );
}

/** How much a call may copy of its argument, in items or characters. */
export function callCost(args: PickleValue): number {
  if (!Array.isArray(args)) return 0;
  return args.reduce<number>((sum, value) => {
    if (typeof value === "string" || value instanceof Uint8Array || Array.isArray(value))
      return sum + value.length;
    return sum + (value instanceof Map || value instanceof Set ? value.size : 1);
  }, 0);
}

/** Calls an allowed global: builds the container, tensor or number it stands for. */
export function callGlobal(callee: PickleValue, args: PickleValue, fail: Fail): PickleValue {
  if (!isRecord(callee, "name")) return fail(`${describeValue(callee)} cannot be called.`);
  const build = BUILDERS.get(callee.name);
  if (build === undefined) return fail(`${callee.name} is a name only and cannot be called.`);
  if (!Array.isArray(args))
    return fail(`${callee.name} is called with ${describeValue(args)} instead of a tuple.`);
  return build(args, fail);
}

/** Python's `object.__setstate__`: attributes of dicts and tensors are dropped, a NumPy type learns its byte order. */
export function setState(target: PickleValue, state: PickleValue, fail: Fail): void {
  if (isRecord(target, "numpy-dtype") && Array.isArray(state)) {
    target.littleEndian = state[1] !== ">";
  } else if (!((target instanceof Map || isRecord(target, "tensor")) && state instanceof Map)) {
    fail(`${describeValue(target)} cannot take the state of ${describeValue(state)}.`);
  }
}
