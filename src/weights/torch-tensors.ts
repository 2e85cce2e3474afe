// Tensors from the storages of a PyTorch file: views where possible, strided ones copied into C order.

import { HRNetError } from "../errors.ts";
import { gatherStrided } from "../tensor/strided.ts";
import {
  arrayOverBytes,
  bytesPerElement,
  type DType,
  elementCount,
  type Tensor,
  tensor,
} from "../tensor/tensor.ts";
import { type ByteSource, invalidCheckpoint } from "./byte-source.ts";
import {
  describeValue,
  isRecord,
  type PickleValue,
  type StorageRecord,
  type TensorRecord,
} from "./pickle-values.ts";
import { TORCH_STORAGES, UNTYPED_STORAGES } from "./torch-types.ts";

/** Gives the bytes of a stored block by its key. */
export type ReadStorage = (storage: StorageRecord) => Promise<Uint8Array>;

/** Copies of strided views may take this much plus the file's size: an expanded scalar can claim any shape. */
const FREE_COPY_BYTES = 256 * 2 ** 20;

/** The element type and size in bytes that a storage class of PyTorch stands for. */
export function storageType(
  type: PickleValue | undefined,
  fail: (problem: string) => never,
): { dtype: DType | undefined; elementBytes: number } {
  const name = isRecord(type, "name") ? type.name.replace(/^torch\./, "") : "";
  if (UNTYPED_STORAGES.includes(name)) return { dtype: undefined, elementBytes: 1 };
  const dtype = Object.hasOwn(TORCH_STORAGES, name) ? TORCH_STORAGES[name] : undefined;
  if (dtype === undefined) {
    return fail(
      `storages of type ${describeValue(type)} cannot be read. Convert the tensors to float32 and save again.`,
    );
  }
  return { dtype, elementBytes: bytesPerElement(dtype) };
}

/** Whether elements lie in C order without gaps. Strides of axes of size 1 do not matter. */
function isContiguous(record: TensorRecord): boolean {
  let expected = 1;
  for (let axis = record.shape.length - 1; axis >= 0; axis--) {
    const size = record.shape[axis] as number;
    if (size !== 1 && record.strides[axis] !== expected) return false;
    expected *= size;
  }
  return true;
}

/**
 * Reads the tensors of a state dict. Tensors that share a storage share its memory; each storage is read once.
 * @throws HRNetError `invalid-checkpoint` as `readStorage` does, `limit-exceeded` when strided views would take more
 * memory than the file accounts for.
 */
export async function readTensors(
  records: ReadonlyMap<string, TensorRecord>,
  readStorage: ReadStorage,
  source: ByteSource,
): Promise<Map<string, Tensor>> {
  const storages = new Map<string, Uint8Array>();
  const done = new Map<TensorRecord, Tensor>();
  const tensors = new Map<string, Tensor>();
  let copyBudget = source.size + FREE_COPY_BYTES;

  const read = async (name: string, record: TensorRecord): Promise<Tensor> => {
    const count = elementCount(record.shape);
    if (count === 0) return tensor(record.dtype, record.shape);
    const { storage, dtype } = record;
    let block = storages.get(storage.key);
    if (block === undefined) {
      block = await readStorage(storage);
      storages.set(storage.key, block);
    }
    if (storage.byteOffset + storage.byteLength > block.length) {
      throw invalidCheckpoint(
        `"${name}" needs ${storage.byteOffset + storage.byteLength} bytes of storage "${storage.key}", which has ` +
          `${block.length}. The file is damaged: download or copy it again.`,
      );
    }
    const offset = storage.byteOffset + record.offset * bytesPerElement(dtype);
    if (isContiguous(record)) {
      return tensor(dtype, record.shape, arrayOverBytes(dtype, block, offset, count));
    }
    copyBudget -= count * bytesPerElement(dtype);
    if (copyBudget < 0) {
      throw new HRNetError(
        "limit-exceeded",
        `"${name}" and the strided tensors before it would take more memory than the file accounts for.`,
      );
    }
    const reach = record.shape.reduce(
      (sum, size, axis) => sum + (size - 1) * (record.strides[axis] as number),
      1,
    );
    const view = tensor(dtype, [reach], arrayOverBytes(dtype, block, offset, reach));
    return gatherStrided(view, record.shape, record.strides);
  };

  for (const [name, record] of records) {
    const ready = done.get(record) ?? (await read(name, record));
    done.set(record, ready);
    tensors.set(name, ready);
  }
  return tensors;
}
