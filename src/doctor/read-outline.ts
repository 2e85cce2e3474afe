// What a mask says of itself, read without refusing anything: its extent and its area, or why it cannot be read.

import { messageOf } from "../errors.ts";
import { decompressCounts } from "../masks/compressed-counts.ts";
import { maskArea, maskBox, runLengthMask } from "../masks/run-length.ts";
import { isNumbers, isObject, shown } from "./fields.ts";
import type { MaskFacts } from "./types.ts";

type Size = readonly [width: number, height: number];

/**
 * Facts of COCO's `segmentation`: polygons, or run lengths.
 * @param picture its size, where it is known
 * @returns `undefined` where there is none
 */
export function readOutline(value: unknown, picture: Size | undefined): MaskFacts | undefined {
  if (value == null || (Array.isArray(value) && value.length === 0)) return undefined;
  if (Array.isArray(value)) return polygonFacts(value);
  if (!isObject(value)) return { fault: `segmentation is ${shown(value)}` };
  return runFacts(value["size"], value["counts"], picture);
}

/** The extent of all vertices, and the sum of the polygons' areas (by the shoelace formula). */
function polygonFacts(polygons: readonly unknown[]): MaskFacts {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  let area = 0;
  for (const polygon of polygons) {
    if (!isNumbers(polygon)) return { fault: `a polygon is ${shown(polygon)}` };
    const { length } = polygon;
    if (length < 6 || length % 2 === 1)
      return { fault: `a polygon of ${length} numbers; expected x and y of at least three vertices` };
    let twice = 0;
    for (let i = 0; i < length; i += 2) {
      const [x, y] = [polygon[i]!, polygon[i + 1]!];
      twice += x * polygon[(i + 3) % length]! - polygon[(i + 2) % length]! * y;
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y);
    }
    area += Math.abs(twice) / 2;
  }
  return { box: [left, top, right - left, bottom - top], area };
}

function runFacts(size: unknown, counts: unknown, picture: Size | undefined): MaskFacts {
  if (!isNumbers(size) || size.length !== 2) return { fault: `the mask's size is ${shown(size)}` };
  const [height, width] = size as [number, number];
  if (picture && (picture[0] !== width || picture[1] !== height))
    return { fault: `a mask of ${width} × ${height} in a picture of ${picture.join(" × ")}` };
  if (typeof counts !== "string" && !isNumbers(counts))
    return { fault: `the mask's counts are ${shown(counts)}` };
  try {
    const mask = runLengthMask(width, height, typeof counts === "string" ? decompressCounts(counts) : counts);
    return { box: maskBox(mask), area: maskArea(mask) };
  } catch (error) {
    return { fault: messageOf(error) };
  }
}
