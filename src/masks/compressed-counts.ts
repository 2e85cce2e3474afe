// Run lengths as text, COCO's "compressed RLE".

import { HRNetError } from "../errors.ts";

/** Each character holds five bits of a number, the lowest first, a sixth says that more follow. The text starts at '0'. */
const BITS = 5;
const LOW = (1 << BITS) - 1;
const MORE = 1 << BITS;
const FIRST = 48;
/** From the fourth run on, the difference to the one two places before is stored. */
const PLAIN = 3;

/**
 * The runs in a text. Source: `rleFrString` in `maskApi.c` of cocoapi.
 * @param what named in errors
 * @throws HRNetError `invalid-data` for characters that do not belong there, a text that ends within a number, and negative runs
 */
export function decompressCounts(text: string, what = "A mask"): number[] {
  const counts: number[] = [];
  for (let at = 0; at < text.length; ) {
    let value = 0;
    let shift = 0;
    for (let more = true; more; ) {
      const bits = text.charCodeAt(at++) - FIRST;
      if (!(bits >= 0 && bits < 2 * MORE) || shift > 30) {
        throw new HRNetError(
          "invalid-data",
          `${what} has counts that are no compressed run lengths (at character ${at} of ${text.length}).`,
        );
      }
      more = (bits & MORE) !== 0;
      value += (bits & LOW) * 2 ** shift;
      shift += BITS;
      // The highest bit of the last group is the sign.
      if (!more && (bits & (MORE >> 1)) !== 0) value -= 2 ** shift;
    }
    if (counts.length >= PLAIN) value += counts[counts.length - 2]!;
    if (value < 0) throw new HRNetError("invalid-data", `${what} has a run of ${value} pixels.`);
    counts.push(value);
  }
  return counts;
}

/** Runs as text. Source: `rleToString` in `maskApi.c` of cocoapi. */
export function compressCounts(counts: ArrayLike<number>): string {
  let text = "";
  for (let i = 0; i < counts.length; i++) {
    let rest = i >= PLAIN ? counts[i]! - counts[i - 2]! : counts[i]!;
    for (let more = true; more; ) {
      const bits = ((rest % MORE) + MORE) % MORE;
      rest = Math.floor(rest / MORE);
      more = (bits & (MORE >> 1)) !== 0 ? rest !== -1 : rest !== 0;
      text += String.fromCharCode(FIRST + bits + (more ? MORE : 0));
    }
  }
  return text;
}
