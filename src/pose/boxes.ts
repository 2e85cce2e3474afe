// Checks of the boxes that users and annotation files give.

import { HRNetError } from "../errors.ts";
import type { Size } from "./transforms.ts";
import type { Box, ScoredBox } from "./types.ts";

/** Boxes accepted for one picture; far above any crowd, low enough to stop a runaway list. */
export const MAX_BOXES_PER_IMAGE = 10_000;

/** What may be given as a box: the four numbers, or the same with a detector's score. */
export type BoxInput = Box | ScoredBox;

/** What is wrong with `[x, y, width, height]`, as the end of a sentence that begins "Box 3 …"; nothing when it is right. */
export function boxFault(box: unknown): string | undefined {
  if (!Array.isArray(box) || box.length !== 4) {
    return `is ${describe(box)}; expected four numbers [x, y, width, height] in image pixels`;
  }
  if (!box.every((value) => typeof value === "number" && Number.isFinite(value))) {
    return `is ${describe(box)}; all four of [x, y, width, height] must be finite numbers`;
  }
  const [, , width, height] = box as unknown as Box;
  if (!(width > 0) || !(height > 0)) {
    return (
      `is ${describe(box)}; its width and height must be above 0. ` +
      "If it holds two corners [x1, y1, x2, y2], pass [x1, y1, x2 − x1, y2 − y1]"
    );
  }
  return undefined;
}

/**
 * The boxes given for one picture, checked. A box may reach over the picture's border (what lies outside is black to the
 * network) but not lie wholly outside.
 * @param imageSize `[width, height]` of the picture in pixels
 * @throws HRNetError `invalid-data` naming the first box that is wrong and what to do; `limit-exceeded` for too many
 */
export function checkBoxes(boxes: readonly BoxInput[], imageSize: Size): ScoredBox[] {
  if (!Array.isArray(boxes)) {
    throw new HRNetError(
      "invalid-data",
      `boxes is ${describe(boxes)}; expected an array of [x, y, width, height], one per person.`,
    );
  }
  if (boxes.length > MAX_BOXES_PER_IMAGE) {
    throw new HRNetError(
      "limit-exceeded",
      `${boxes.length} boxes were given for one picture; at most ${MAX_BOXES_PER_IMAGE} are accepted. ` +
        "Drop those with low scores.",
    );
  }
  return boxes.map((input: BoxInput, index) => {
    const scored = isScored(input) ? input : { box: input, score: 1 };
    const fault = unusableBox(scored.box, imageSize) ?? scoreFault(scored.score);
    if (fault !== undefined) throw new HRNetError("invalid-data", `Box ${index} ${fault}.`);
    return { box: [...scored.box], score: scored.score };
  });
}

/** What {@link checkBoxes} would say of a box; nothing when keypoints can be looked for in it. */
export function unusableBox(box: Box, imageSize: Size): string | undefined {
  return boxFault(box) ?? placeFault(box, imageSize);
}

/** What is wrong with a detector's score; nothing when it is right. */
export function scoreFault(score: unknown): string | undefined {
  if (typeof score === "number" && Number.isFinite(score)) return undefined;
  return `has the score ${describe(score)}; expected a finite number, as a rule 0 … 1`;
}

function placeFault([x, y, width, height]: Box, [imageWidth, imageHeight]: Size): string | undefined {
  if (x < imageWidth && y < imageHeight && x + width > 0 && y + height > 0) return undefined;
  return (
    `is ${describe([x, y, width, height])}, wholly outside the picture of ${imageWidth} × ${imageHeight} pixels. ` +
    "Boxes are [x, y, width, height] in pixels of the picture as it is seen (after EXIF rotation), not fractions or corners"
  );
}

function isScored(input: BoxInput): input is ScoredBox {
  return typeof input === "object" && input !== null && "box" in input;
}

/** A value for an error message: short JSON, with NaN and Infinity by name. */
function describe(value: unknown): string {
  if (typeof value === "number" || value === undefined) return String(value);
  if (Array.isArray(value)) {
    return `[${value.slice(0, 6).map(describe).join(", ")}${value.length > 6 ? ", …" : ""}]`;
  }
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
