// Reads JSON files, within a limit.

import { HRNetError, messageOf } from "../errors.ts";
import { readFileWithin } from "./read-file.ts";

/**
 * Largest JSON file accepted, in bytes: what fits in one string of the JavaScript engine (2²⁹ characters). COCO's largest
 * annotation file has 240 MB.
 */
const MAX_JSON_BYTES = 500_000_000;

/**
 * A parsed JSON file.
 * @param what what the file is, for messages: "annotation file"
 * @param expected sentences on what it should hold, put behind the message when it is not JSON
 * @throws HRNetError `file-not-found`, `read-failed`, `limit-exceeded`, or `invalid-data` when it is not JSON
 */
export async function readJsonFile(path: string, what: string, expected = ""): Promise<unknown> {
  const text = (await readFileWithin(path, what, MAX_JSON_BYTES)).toString("utf8");
  try {
    return JSON.parse(text);
  } catch (cause) {
    const hint = /\b(?:NaN|Infinity)\b/.test(text)
      ? " It holds NaN or Infinity, which Python writes but JSON does not know: replace or drop those entries."
      : "";
    const message = `The ${what} ${path} is not JSON: ${messageOf(cause)}.${hint} ${expected}`;
    throw new HRNetError("invalid-data", message.trimEnd(), { cause });
  }
}
