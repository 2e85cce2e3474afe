// Whole files or nothing: every output is written to a temporary name beside its target and renamed.

import { randomBytes } from "node:crypto";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { HRNetError, messageOf } from "../errors.ts";

/**
 * Writes `chunks` one after the other to `path`, making its folder if needed. A failure leaves nothing behind and
 * an earlier file of that name untouched.
 * @throws HRNetError `write-failed` with the path and the system's reason.
 */
export async function writeFileAtomic(
  path: string,
  chunks: Uint8Array | string | Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<void> {
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path)}.${randomBytes(4).toString("hex")}.part`);
  try {
    await mkdir(folder, { recursive: true });
    const file = await open(temporary, "wx");
    try {
      if (typeof chunks === "string" || chunks instanceof Uint8Array) {
        await file.writeFile(chunks);
      } else {
        for await (const chunk of chunks) {
          await file.writeFile(chunk);
        }
      }
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    if (error instanceof HRNetError) throw error;
    throw new HRNetError(
      "write-failed",
      `Cannot write ${path}: ${messageOf(error)}. Choose a writable place with enough space.`,
      {
        cause: error,
      },
    );
  }
}
