// Classes in their colours over a picture.

import { HRNetError } from "../errors.ts";
import type { LabelMap } from "../image/label-map.ts";
import type { RgbImage } from "../image/rgb-image.ts";
import type { ClassTable } from "./class-table.ts";

/** Options of {@link drawSegmentation}. */
export interface DrawSegmentationOptions {
  /** 0–1. Default 0.5. */
  readonly opacity?: number;
  /** Also draws the lines between classes. Default true. */
  readonly outlines?: boolean;
}

/** How much of a colour is left in lines between classes. */
const OUTLINE = 0.4;

/**
 * Lays the classes' colours over the picture, in place. Numbers that are no class leave it as it is.
 * @throws HRNetError `invalid-shape` when the sizes differ
 */
export function drawSegmentation(
  image: RgbImage,
  labels: LabelMap,
  { colors }: Pick<ClassTable, "colors">,
  { opacity = 0.5, outlines = true }: DrawSegmentationOptions = {},
): void {
  const { width, height, data } = labels;
  if (image.width !== width || image.height !== height) {
    throw new HRNetError(
      "invalid-shape",
      `A picture of ${image.width}×${image.height} cannot be drawn on with labels of ${width}×${height}.`,
    );
  }
  for (let at = 0; at < data.length; at++) {
    const label = data[at]!;
    const color = colors[label];
    if (!color) continue;
    const right = (at + 1) % width === 0 ? label : data[at + 1]!;
    const below = at + width < data.length ? data[at + width]! : label;
    const onLine = outlines && (right !== label || below !== label);
    const share = onLine ? 1 : opacity;
    const strength = onLine ? OUTLINE : 1;
    for (let c = 0; c < 3; c++) {
      const old = image.data[3 * at + c]!;
      image.data[3 * at + c] = Math.round(old + share * (strength * color[c]! - old));
    }
  }
}
