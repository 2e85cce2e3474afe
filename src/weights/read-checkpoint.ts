// Opens a checkpoint whatever its format; the content decides, not the file's name.

import { type ByteSource, invalidCheckpoint, withFileSource } from "./byte-source.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { fileKind, HEAD_BYTES, type ReadableKind } from "./file-kind.ts";
import { readPyTorchLegacy } from "./pytorch-legacy.ts";
import { readPyTorchZip } from "./pytorch-zip.ts";
import { readSafetensors } from "./safetensors.ts";

const READERS: Readonly<Record<ReadableKind, (source: ByteSource) => Promise<Checkpoint>>> = {
  zip: readPyTorchZip,
  pickle: readPyTorchLegacy,
  safetensors: readSafetensors,
};

/**
 * Reads the weights in `source`.
 * @throws HRNetError as {@link readCheckpoint} does, without a path in the message.
 */
export async function readCheckpointSource(source: ByteSource): Promise<Checkpoint> {
  const kind = fileKind(await source.read(0, Math.min(HEAD_BYTES, source.size), "the file's beginning"));
  if (kind.kind === "other") throw invalidCheckpoint(kind.advice);
  return READERS[kind.kind](source);
}

/**
 * Reads the weights of a PyTorch checkpoint (ZIP or legacy format) or safetensors file. Nothing in the file is ever
 * executed. Tensors of the state dict are read once, others stay on disk; tensors may share buffers, as they did when
 * they were saved.
 * @throws HRNetError `file-not-found`; `read-failed`; `invalid-checkpoint` when the file is damaged, holds Python objects
 * other than tensors and plain values, or is something else (the message says what it looks like); `limit-exceeded`.
 */
export async function readCheckpoint(path: string): Promise<Checkpoint> {
  return withFileSource(path, readCheckpointSource);
}
