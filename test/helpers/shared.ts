// Where the development-only material lies (parity fixtures, data sets, one real checkpoint); tests that need it are
// skipped, with a line saying so, where it is absent.
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder beside the checkout, or the one `HRNET_SHARED` names. */
const SHARED = resolve(
  process.env["HRNET_SHARED"] ?? fileURLToPath(new URL("../../../shared", import.meta.url)),
);

/** Absolute path of `shared/<parts>`. */
export function shared(...parts: string[]): string {
  return resolve(SHARED, ...parts);
}

/** Whether `shared/<parts>` is there. Use with `test.skipIf(!hasShared(...))`; prints one line when it is not. */
export function hasShared(...parts: string[]): boolean {
  const present = existsSync(shared(...parts));
  if (!present) console.log(`skipping what needs shared/${parts.join("/")}: not on this machine`);
  return present;
}

/** Absolute path of a small fixture committed under test/fixtures. */
export function fixture(...parts: string[]): string {
  return resolve(fileURLToPath(new URL("../fixtures", import.meta.url)), ...parts);
}
