// A checkpoint file opened for reading at any offset, with every request checked against the file's size.

import { type FileHandle, open } from "node:fs/promises";
import { HRNetError, messageOf } from "../errors.ts";

/** The largest single read; the sizes of Node.js' own buffers end at 4 GiB. */
const MAX_READ_BYTES = 2 ** 32 - 1;
/** One system call reads at most this much. */
const CALL_BYTES = 2 ** 30;

/** Bytes that can be read in pieces. */
export interface ByteSource {
  /** Size of the whole file in bytes. */
  readonly size: number;
  /**
   * `length` bytes from `offset`, at the start of an own buffer. `what` names them in messages.
   * @throws HRNetError `invalid-checkpoint` when the file does not reach that far, `read-failed` when it cannot be read.
   */
  read(offset: number, length: number, what: string): Promise<Uint8Array>;
}

/** An `invalid-checkpoint` error. */
export function invalidCheckpoint(problem: string): HRNetError {
  return new HRNetError("invalid-checkpoint", problem);
}

function checkRange(size: number, offset: number, length: number, what: string): void {
  if (!(offset >= 0 && length >= 0 && offset + length <= size)) {
    throw invalidCheckpoint(
      `${what} would lie at bytes ${offset} to ${offset + length}, the file has ${size}. It is truncated or damaged: ` +
        "download or copy it again.",
    );
  }
  if (length > MAX_READ_BYTES) {
    throw new HRNetError("limit-exceeded", `${what} has ${length} bytes; at most 4 GiB are read at once.`);
  }
}

class FileSource implements ByteSource {
  readonly size: number;
  readonly #file: FileHandle;

  constructor(file: FileHandle, size: number) {
    this.#file = file;
    this.size = size;
  }

  async read(offset: number, length: number, what: string): Promise<Uint8Array> {
    checkRange(this.size, offset, length, what);
    const bytes = new Uint8Array(length);
    let done = 0;
    while (done < length) {
      const { bytesRead } = await this.#file.read(
        bytes,
        done,
        Math.min(CALL_BYTES, length - done),
        offset + done,
      );
      if (bytesRead === 0) throw invalidCheckpoint(`${what} ends early: the file shrank while it was read.`);
      done += bytesRead;
    }
    return bytes;
  }
}

/** `bytes` as a source: for files that are already in memory. */
export function memorySource(bytes: Uint8Array): ByteSource {
  return {
    size: bytes.length,
    async read(offset, length, what) {
      checkRange(bytes.length, offset, length, what);
      return bytes.slice(offset, offset + length);
    },
  };
}

/**
 * Opens `path`, hands it to `use` and closes it. The path is put before the message of every HRNetError.
 * @throws HRNetError `file-not-found`, `read-failed`, or what `use` throws.
 */
export async function withFileSource<T>(path: string, use: (source: ByteSource) => Promise<T>): Promise<T> {
  try {
    await using file = await open(path);
    const stat = await file.stat();
    if (!stat.isFile()) throw new HRNetError("read-failed", "this is a folder or device, not a file.");
    return await use(new FileSource(file, stat.size));
  } catch (error) {
    if (error instanceof HRNetError) {
      throw new HRNetError(error.code, `Cannot load ${path}: ${error.message}`, { cause: error });
    }
    const { code, syscall } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") {
      throw new HRNetError("file-not-found", `There is no checkpoint ${path}. Check the path.`, {
        cause: error,
      });
    }
    if (syscall === undefined) throw error;
    throw new HRNetError("read-failed", `Cannot read ${path}: ${messageOf(error)}.`, { cause: error });
  }
}
