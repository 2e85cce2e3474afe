// A file that only grows: appends are kept for a moment, then written at a known place, so that a failure leaves no tear.

import { mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";
import { HRNetError, messageOf } from "../errors.ts";

/** A file open for appending. */
export interface AppendFile {
  readonly path: string;
  /** Queues bytes. They reach the file within the interval, or at the next `flush` or `close`. */
  append(bytes: Uint8Array): void;
  /**
   * Writes what is queued, and waits until it is on the disk.
   * @throws HRNetError `write-failed`; what could not be written stays queued and is tried again next time.
   */
  flush(): Promise<void>;
  /** Flushes and closes; further calls do nothing. The file is closed even if the flush throws. */
  close(): Promise<void>;
}

/** Options of {@link openAppendFile}. */
export interface AppendFileOptions {
  /** Fails when the file exists. Default: what it holds is kept. */
  readonly fresh?: boolean;
  /** Queued bytes are written after at most this long. Default {@link DEFAULT_FLUSH_SECONDS}. */
  readonly flushSeconds?: number;
}

/** Short enough to follow a run in another window, long enough that writing costs nothing. */
export const DEFAULT_FLUSH_SECONDS = 2;

/**
 * Opens a file for appending, making its folder if needed. Writes in the background that fail (a full disk) are tried
 * again; only `flush` and `close` throw.
 * @throws HRNetError `write-failed`
 */
export async function openAppendFile(path: string, options: AppendFileOptions = {}): Promise<AppendFile> {
  const { fresh = false, flushSeconds = DEFAULT_FLUSH_SECONDS } = options;
  const failed = (cause: unknown): HRNetError =>
    new HRNetError(
      "write-failed",
      `Cannot write ${path}: ${messageOf(cause)}. Choose a writable place with enough space.`,
      { cause },
    );
  const file = await mkdir(dirname(path), { recursive: true })
    .then(() => open(path, fresh ? "wx" : "a"))
    // "a" would ignore the position of a write on some systems; it only makes the file.
    .then(async (made) => {
      if (fresh) return made;
      await made.close();
      return open(path, "r+");
    })
    .catch((cause: unknown) => {
      throw failed(cause);
    });
  let end = (await file.stat()).size;
  let queue: Uint8Array[] = [];
  let timer: NodeJS.Timeout | undefined;
  let closed: Promise<void> | undefined;
  let last: Promise<void> = Promise.resolve();

  const writeQueue = async (): Promise<void> => {
    const bytes = Buffer.concat(queue);
    queue = [];
    let done = 0;
    try {
      while (done < bytes.length) {
        const { bytesWritten } = await file.write(bytes, done, bytes.length - done, end + done);
        done += bytesWritten;
      }
      end += bytes.length;
    } catch (error) {
      // Whatever part was written lies beyond `end` and is written over next time.
      queue.unshift(bytes);
      throw error;
    }
  };
  /** Writes follow one another. */
  const write = (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    const next = last.then(writeQueue);
    last = next.catch(() => {});
    return next;
  };
  const arm = (): void => {
    timer ??= setTimeout(() => {
      write().catch(() => {
        if (closed === undefined) arm();
      });
    }, 1000 * flushSeconds).unref();
  };
  const flush = async (): Promise<void> => {
    try {
      await write();
      await file.datasync();
    } catch (cause) {
      throw failed(cause);
    }
  };

  return {
    path,
    append(bytes) {
      if (closed !== undefined) return;
      queue.push(bytes);
      arm();
    },
    flush: () => closed ?? flush(),
    close() {
      closed ??= flush().finally(() => file.close());
      return closed;
    },
  };
}
