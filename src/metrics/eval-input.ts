// Checks that every evaluation makes of what it is given.

import { HRNetError } from "../errors.ts";

/** Ids named in an error message before it says "…". */
const NAMED_IDS = 5;

/** An `invalid-data` error; the message gets its full stop where it has none. */
export function invalidInput(message: string): HRNetError {
  return new HRNetError("invalid-data", message.endsWith("?") ? message : `${message}.`);
}

/** @throws HRNetError `invalid-data` naming the ids of images that the set does not have */
export function requireKnownImages(
  objects: readonly { readonly imageId: number }[],
  images: ReadonlySet<number>,
  what: string,
): void {
  const unknown = [...new Set(objects.map((object) => object.imageId))].filter((id) => !images.has(id));
  if (unknown.length === 0) return;
  const named = unknown.slice(0, NAMED_IDS).join(", ") + (unknown.length > NAMED_IDS ? ", …" : "");
  throw invalidInput(
    `The ${what} name ${unknown.length} image ids that are not in the set: ${named}. ` +
      "Were they made for another split?",
  );
}
