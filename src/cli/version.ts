// The version of this package, as its package.json has it.

import { readFileSync } from "node:fs";

/** Like `1.2.3`. The file lies two folders above, in the source tree as in the built package. */
export function packageVersion(): string {
  const file = new URL("../../package.json", import.meta.url);
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}
