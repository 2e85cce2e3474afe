// Whole files into memory, within a limit, with errors that say what the file was for.

import { readFile, stat } from "node:fs/promises";
import { HRNetError, messageOf } from "../errors.ts";

/**
 * The bytes of a file of at most `maxBytes`; a larger one is not read at all.
 * @param what what the file is, for messages: "annotation file"
 * @throws HRNetError `file-not-found`, `read-failed`, `limit-exceeded`
 */
export async function readFileWithin(path: string, what: string, maxBytes: number): Promise<Buffer> {
  try {
    const { size } = await stat(path);
    if (size <= maxBytes) return await readFile(path);
    throw new HRNetError(
      "limit-exceeded",
      `The ${what} ${path} has ${size} bytes; at most ${maxBytes} are accepted.`,
    );
  } catch (cause) {
    if (cause instanceof HRNetError) throw cause;
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") {
      throw new HRNetError("file-not-found", `There is no ${what} ${path}. Check the path.`, { cause });
    }
    throw new HRNetError("read-failed", `The ${what} ${path} cannot be read: ${messageOf(cause)}.`, {
      cause,
    });
  }
}
