// Boxes of objects over a picture, with their names.

import { drawText, fill, TEXT_ROWS } from "../image/bitmap-text.ts";
import { type Color, drawBox } from "../image/draw.ts";
import type { RgbImage } from "../image/rgb-image.ts";

/** An object to draw. */
export interface DrawnObject {
  /** `[x, y, width, height]` in pixels. */
  readonly box: readonly [number, number, number, number];
  readonly color: Color;
  /** Written above the box; nothing for none. */
  readonly text?: string | undefined;
}

const ADVANCE = 6;
const WHITE: Color = [255, 255, 255];

/** Line widths and letters for a picture of that size: readable, and not in the way. */
const unitOf = ({ width, height }: RgbImage): number =>
  Math.max(1, Math.round(Math.min(width, height) / 500));

/** Draws objects, the last one on top: a box in its colour, the text on a strip of it. */
export function drawObjects(image: RgbImage, objects: readonly DrawnObject[]): void {
  const unit = unitOf(image);
  for (const { box, color, text } of objects) {
    drawBox(image, box, 0.8 * unit, { color, outlineWidth: 0.6 * unit });
    if (!text) continue;
    const height = (TEXT_ROWS + 3) * unit;
    const width = (text.length * ADVANCE + 2) * unit;
    const x = Math.max(0, Math.min(image.width - width, Math.round(box[0])));
    const y = Math.round(box[1]) - height >= 0 ? Math.round(box[1]) - height : Math.round(box[1]);
    fill(image, x, y, width, height, color);
    // Dark letters on light strips.
    const light = 0.3 * color[0] + 0.59 * color[1] + 0.11 * color[2] > 150;
    drawText(image, text, x + unit, y + unit + Math.ceil(unit / 2), unit, light ? [20, 20, 20] : WHITE);
  }
}
