// Whole files or nothing: every output is written to a temporary name beside its target and renamed.

import { randomBytes } from "node:crypto";
import { mkdir, open, realpath, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { HRNetError, messageOf } from "../errors.ts";

/** Where a rename must go: the file a link leads to; `undefined` for pipes and devices, which are written as they are. */
async function renameTarget(path: string): Promise<string | undefined> {
  const info = await stat(path).catch(() => undefined);
  if (info === undefined) return path;
  if (!info.isFile() && !info.isDirectory()) return undefined;
  return realpath(path);
}

/**
 * Writes `chunks` one after the other to `path`, making its folder if needed. A failure leaves nothing behind and
 * an earlier file of that name untouched. A link is followed; a pipe or device (`/dev/stdout`) is written directly.
 * @throws HRNetError `write-failed` with the path and the system's reason.
 */
export async function writeFileAtomic(
  path: string,
  chunks: Uint8Array | string | Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<void> {
  let temporary: string | undefined;
  try {
    await mkdir(dirname(path), { recursive: true });
    const target = await renameTarget(path);
    if (target !== undefined) {
      temporary = join(dirname(target), `.${basename(target)}.${randomBytes(4).toString("hex")}.part`);
    }
    const file = await open(temporary ?? path, temporary === undefined ? "w" : "wx");
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
    if (temporary !== undefined && target !== undefined) await rename(temporary, target);
  } catch (error) {
    if (temporary !== undefined) await rm(temporary, { force: true }).catch(() => {});
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
