// The ZIP format of torch.save (PyTorch 1.6 and later): data.pkl and one entry per storage.

import { type ByteSource, invalidCheckpoint } from "./byte-source.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { type PersistentLoad, unpickle } from "./pickle.ts";
import { PickleReader } from "./pickle-reader.ts";
import { checkpointMetadata, findStateDict } from "./state-dict.ts";
import { readTensors, storageType } from "./torch-tensors.ts";
import { readZipDirectory, readZipEntry, type ZipEntry } from "./zip-archive.ts";

/** A W48 training checkpoint's pickle has about 1 MB. */
const MAX_PICKLE_BYTES = 64 * 2 ** 20;

/** The folder in the archive that holds `data.pkl`, with its slash. */
function rootFolder(entries: ReadonlyMap<string, ZipEntry>): string {
  const names = [...entries.keys()];
  const roots = names.filter((name) => /^([^/]+\/)?data\.pkl$/.test(name));
  if (roots.length !== 1) {
    throw invalidCheckpoint(
      `It is a ZIP archive without the data.pkl that torch.save writes; it holds ${names.slice(0, 6).join(", ")}. ` +
        "If a checkpoint is packed inside, unpack it first.",
    );
  }
  const root = (roots[0] as string).slice(0, -"data.pkl".length);
  if (entries.has(`${root}constants.pkl`) || names.some((name) => name.startsWith(`${root}code/`))) {
    throw invalidCheckpoint(
      "It is a TorchScript archive (torch.jit.save), which is a program. Save the weights alone: " +
        'torch.save(torch.jit.load(FILE).state_dict(), "weights.pth").',
    );
  }
  return root;
}

async function checkByteOrder(source: ByteSource, entry: ZipEntry | undefined): Promise<void> {
  if (entry === undefined) return; // PyTorch before 2.1 did not write it
  const order = Buffer.from(await readZipEntry(source, entry, 64)).toString("latin1");
  if (order !== "little") {
    throw invalidCheckpoint(
      `Its tensors are stored in ${JSON.stringify(order)} byte order; only little-endian files can be read. ` +
        "Load and save it again on a little-endian machine.",
    );
  }
}

/** Resolves `("storage", type, key, location, numel)` against the archive's entries. */
function storageLoader(entries: ReadonlyMap<string, ZipEntry>, root: string): PersistentLoad {
  return (id, fail) => {
    if (!Array.isArray(id) || id.length < 5 || id[0] !== "storage")
      return fail("a storage is not named as such.");
    const { dtype, elementBytes } = storageType(id[1], fail);
    const [key, numel] = [id[2], id[4]];
    if (typeof key !== "string" || typeof numel !== "number" || !Number.isSafeInteger(numel) || numel < 0) {
      return fail("a storage needs a key and a size from 0.");
    }
    const byteLength = numel * elementBytes;
    const stored = entries.get(`${root}data/${key}`)?.size;
    if (stored === undefined && numel > 0) return fail(`storage "${key}" is not in the archive.`);
    if (byteLength > (stored ?? 0)) {
      return fail(`storage "${key}" should have ${byteLength} bytes and has ${stored}.`);
    }
    return { kind: "storage", key, dtype, byteOffset: 0, byteLength };
  };
}

/**
 * Reads a checkpoint in PyTorch's ZIP format. Only the tensors of the state dict are read.
 * @throws HRNetError `invalid-checkpoint` when it is damaged, holds anything but tensors and plain values, or no weights.
 */
export async function readPyTorchZip(source: ByteSource): Promise<Checkpoint> {
  const entries = await readZipDirectory(source);
  const root = rootFolder(entries);
  await checkByteOrder(source, entries.get(`${root}byteorder`));
  const pickle = await readZipEntry(source, entries.get(`${root}data.pkl`) as ZipEntry, MAX_PICKLE_BYTES);
  const value = unpickle(new PickleReader(pickle), storageLoader(entries, root));
  const { wrapper, tensors } = findStateDict(value);
  const stateDict = await readTensors(
    tensors,
    (storage) => readZipEntry(source, entries.get(`${root}data/${storage.key}`) as ZipEntry),
    source,
  );
  return { format: "pytorch-zip", root: value, stateDict, wrapper, metadata: checkpointMetadata(value) };
}
