// A part of a picture as a network takes it.

import type { RgbImage } from "../image/rgb-image.ts";
import type { NormalizationTable } from "../image/warp.ts";
import { type Planes, planesOf } from "../tensor/resize-planes.ts";

/** A rectangle of pixels. */
export interface PictureRegion {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** The normalised planes (3×H×W) of a region that lies within the picture; by default of all of it. */
export function normalizedPlanes(
  image: RgbImage,
  { values, channelOrder }: NormalizationTable,
  { x, y, width, height }: PictureRegion = { x: 0, y: 0, width: image.width, height: image.height },
): Planes {
  const planes = planesOf(3, height, width);
  for (let c = 0; c < 3; c++) {
    const channel = channelOrder === "bgr" ? 2 - c : c;
    for (let row = 0; row < height; row++) {
      const from = 3 * ((y + row) * image.width + x) + channel;
      const to = (c * height + row) * width;
      for (let column = 0; column < width; column++) {
        planes.data[to + column] = values[256 * c + image.data[from + 3 * column]!]!;
      }
    }
  }
  return planes;
}
