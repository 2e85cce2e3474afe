// The one in-memory picture: 8-bit RGB, interleaved, row by row.

import { HRNetError } from "../errors.ts";

/** An 8-bit picture. */
export interface RgbImage {
  /** Columns. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
  /** H×W×3 bytes: red, green, blue of the first pixel of the first row, and so on. */
  readonly data: Uint8Array;
}

/**
 * A picture over `data`, or a black one.
 * @throws HRNetError `invalid-image` when the size is not positive or `data` does not fit it.
 */
export function rgbImage(width: number, height: number, data?: Uint8Array): RgbImage {
  if (!Number.isInteger(width) || !Number.isInteger(height) || width < 1 || height < 1) {
    throw new HRNetError(
      "invalid-image",
      `A picture needs a whole, positive width and height, not ${width}×${height}.`,
    );
  }
  const pixels = data ?? new Uint8Array(width * height * 3);
  if (pixels.length !== width * height * 3) {
    throw new HRNetError(
      "invalid-image",
      `A ${width}×${height} RGB picture has ${width * height * 3} bytes, ${pixels.length} were given.`,
    );
  }
  // A plain view: a Buffer's slice() would share memory where an array's copies.
  return { width, height, data: new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.length) };
}
