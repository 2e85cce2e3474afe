// The format of torch.save before PyTorch 1.6: five pickles in a row, then each storage's size and elements.

import type { HRNetError } from "../errors.ts";
import { type ByteSource, invalidCheckpoint } from "./byte-source.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { unpickle } from "./pickle.ts";
import { PickleReader } from "./pickle-reader.ts";
import { describeValue, type PickleValue, type StorageRecord } from "./pickle-values.ts";
import { checkpointMetadata, findStateDict } from "./state-dict.ts";
import { readTensors, storageType } from "./torch-tensors.ts";

/** torch.serialization.MAGIC_NUMBER and PROTOCOL_VERSION. */
const MAGIC_NUMBER = 0x1950a86a20f9469cfc6cn;
const PROTOCOL_VERSION = 1001;
/** The pickles are read in a window that grows while they turn out longer. */
const FIRST_WINDOW_BYTES = 2 ** 20;
const MAX_PICKLE_BYTES = 64 * 2 ** 20;

/** A storage as stored: its whole block, of which records may be parts. */
interface Block {
  readonly elementBytes: number;
  readonly numel: number;
}

interface Pickles {
  readonly value: PickleValue;
  readonly keys: readonly string[];
  readonly blocks: ReadonlyMap<string, Block>;
  /** Where the storages begin. */
  readonly end: number;
}

function wholeNumber(value: PickleValue | undefined): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

/** Resolves `("storage", type, key, location, numel, view)`, where `view` is None or `(key, offset, size)`. */
function storageRecord(
  id: PickleValue,
  blocks: Map<string, Block>,
  fail: (problem: string) => never,
): StorageRecord {
  if (!Array.isArray(id) || id.length < 5 || id[0] !== "storage")
    return fail("a storage is not named as such.");
  const { dtype, elementBytes } = storageType(id[1], fail);
  const [key, numel, view] = [id[2], id[4], id[5] ?? null];
  if (typeof key !== "string" || !wholeNumber(numel)) return fail("a storage needs a key and a size from 0.");
  const known = blocks.get(key) ?? { elementBytes, numel };
  if (known.numel !== numel || known.elementBytes !== elementBytes) {
    return fail(`storage "${key}" is described in two ways.`);
  }
  blocks.set(key, known);
  if (view === null) return { kind: "storage", key, dtype, byteOffset: 0, byteLength: numel * elementBytes };
  const [offset, size] = Array.isArray(view) ? [view[1], view[2]] : [];
  if (!wholeNumber(offset) || !wholeNumber(size) || offset + size > numel) {
    return fail(`a view of storage "${key}" lies outside it.`);
  }
  const byteOffset = offset * elementBytes;
  return { kind: "storage", key, dtype, byteOffset, byteLength: size * elementBytes };
}

function checkSystem(system: PickleValue): void {
  if (system instanceof Map && system.get("little_endian") === false) {
    throw invalidCheckpoint(
      "Its tensors are stored in big-endian byte order. Load and save it again on a little-endian machine.",
    );
  }
}

function parsePickles(reader: PickleReader): Pickles {
  if (unpickle(reader) !== MAGIC_NUMBER) {
    throw invalidCheckpoint(
      "It is a plain Python pickle, not a file of torch.save. Load it in Python and save the weights with " +
        'torch.save(state_dict, "weights.pth").',
    );
  }
  const protocol = unpickle(reader);
  if (protocol !== PROTOCOL_VERSION) {
    throw invalidCheckpoint(
      `Its format version is ${describeValue(protocol)}, known is ${PROTOCOL_VERSION}.`,
    );
  }
  checkSystem(unpickle(reader));
  const blocks = new Map<string, Block>();
  const value = unpickle(reader, (id, fail) => storageRecord(id, blocks, fail));
  const keys = unpickle(reader);
  if (!Array.isArray(keys) || !keys.every((key) => typeof key === "string" && blocks.has(key))) {
    return reader.fail("its list of storages does not fit what the tensors use.");
  }
  return { value, keys: keys as string[], blocks, end: reader.position };
}

async function readPickles(source: ByteSource): Promise<Pickles> {
  const most = Math.min(source.size, MAX_PICKLE_BYTES);
  for (let window = Math.min(FIRST_WINDOW_BYTES, most); ; window = Math.min(window * 4, most)) {
    const reader = new PickleReader(await source.read(0, window, "the pickle"));
    try {
      return parsePickles(reader);
    } catch (error) {
      if (!reader.ranOut || window === most) throw error;
    }
  }
}

/** Where each storage's elements lie, every size compared with the pickle and the file. */
async function locateStorages(source: ByteSource, pickles: Pickles): Promise<Map<string, [number, number]>> {
  const places = new Map<string, [number, number]>();
  let at = pickles.end;
  for (const key of pickles.keys) {
    const { numel, elementBytes } = pickles.blocks.get(key) as Block;
    const field = await source.read(at, 8, `the size of storage "${key}"`);
    const stored = new DataView(field.buffer).getBigInt64(0, true);
    if (stored !== BigInt(numel)) throw mismatch(key, stored, numel);
    const length = numel * elementBytes;
    if (at + 8 + length > source.size) {
      throw invalidCheckpoint(
        `Storage "${key}" of ${length} bytes ends behind the file's ${source.size}. The file is truncated: download or ` +
          "copy it again.",
      );
    }
    places.set(key, [at + 8, length]);
    at += 8 + length;
  }
  return places;
}

function mismatch(key: string, stored: bigint, numel: number): HRNetError {
  return invalidCheckpoint(
    `Storage "${key}" should have ${numel} elements and claims ${stored}. The file is damaged: download or copy it again.`,
  );
}

/**
 * Reads a checkpoint in PyTorch's format before 1.6. Only the tensors of the state dict are read.
 * @throws HRNetError `invalid-checkpoint` when it is damaged, holds anything but tensors and plain values, or no weights.
 */
export async function readPyTorchLegacy(source: ByteSource): Promise<Checkpoint> {
  const pickles = await readPickles(source);
  const places = await locateStorages(source, pickles);
  const { wrapper, tensors } = findStateDict(pickles.value);
  const readStorage = ({ key }: StorageRecord): Promise<Uint8Array> => {
    const place = places.get(key);
    if (place === undefined) throw invalidCheckpoint(`Storage "${key}" is not in the file.`);
    return source.read(place[0], place[1], `storage "${key}"`);
  };
  const stateDict = await readTensors(tensors, readStorage, source);
  const metadata = checkpointMetadata(pickles.value);
  return { format: "pytorch-legacy", root: pickles.value, stateDict, wrapper, metadata };
}
