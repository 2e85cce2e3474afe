// Label maps: a class number for each pixel, as PNG files with one channel hold them.

import { decode, encode } from "fast-png";
import { HRNetError, messageOf } from "../errors.ts";
import { DEFAULT_MAX_PIXELS } from "./decode.ts";
import type { Color } from "./draw.ts";

/** A class number for each pixel, row by row. */
export interface LabelMap {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array | Uint16Array;
  /** The colours that an indexed PNG shows its numbers in. */
  readonly palette?: readonly Color[];
}

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
/** Where a PNG's header has width, height, bits per sample and kind of colour. */
const HEADER = { width: 16, height: 20, depth: 24, color: 25, end: 29 } as const;
const GREY = 0;
const INDEXED = 3;

/**
 * The numbers in a PNG with one channel: of an indexed one the indices, not the colours they stand for; of a grey one its
 * values.
 * @param source what errors name
 * @throws HRNetError `invalid-image` for another format or a damaged file, `invalid-data` for a PNG of colours,
 * `limit-exceeded` for more than `maxPixels`
 */
export function decodeLabelMap(bytes: Uint8Array, source: string, maxPixels = DEFAULT_MAX_PIXELS): LabelMap {
  if (bytes.length < HEADER.end || SIGNATURE.some((byte, at) => bytes[at] !== byte)) {
    throw new HRNetError(
      "invalid-image",
      `${source} is no PNG. Label maps must be PNG files: formats that lose detail, such as JPEG, mix class numbers.`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [width, height] = [view.getUint32(HEADER.width), view.getUint32(HEADER.height)];
  if (width * height > maxPixels) {
    throw new HRNetError(
      "limit-exceeded",
      `${source} has ${width}×${height} pixels; the limit is ${(maxPixels / 1e6).toFixed(1)} megapixels.`,
    );
  }
  const color = bytes[HEADER.color];
  if (color !== GREY && color !== INDEXED) {
    throw new HRNetError(
      "invalid-data",
      `${source} holds colours (PNG colour type ${color}). A label map has one channel of class numbers: an indexed or grey PNG.`,
    );
  }
  try {
    const { data, depth, palette } = decode(bytes);
    if (data instanceof Uint16Array) return { width, height, data };
    return {
      width,
      height,
      data: depth < 8 ? unpacked(data, width, height, depth) : Uint8Array.from(data),
      ...(palette && { palette: palette.map(([red, green, blue]) => [red!, green!, blue!] as const) }),
    };
  } catch (error) {
    throw new HRNetError("invalid-image", `${source} is a damaged PNG: ${messageOf(error)}.`, {
      cause: error,
    });
  }
}

/** Samples of 1, 2 or 4 bits, of which every row begins with a new byte, as bytes. */
function unpacked(packed: ArrayLike<number>, width: number, height: number, depth: number): Uint8Array {
  const perByte = 8 / depth;
  const rowBytes = Math.ceil(width / perByte);
  const result = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const byte = packed[y * rowBytes + Math.floor(x / perByte)]!;
      result[y * width + x] = (byte >> (8 - depth * ((x % perByte) + 1))) & ((1 << depth) - 1);
    }
  }
  return result;
}

/**
 * A label map as an indexed PNG, whose numbers are the classes and whose palette shows them. More than 256 colours make it a
 * grey PNG of 16 bits.
 * @throws HRNetError `invalid-shape` when the data are not `width`×`height` numbers
 */
export function encodeLabelMap({ width, height, data }: LabelMap, palette: readonly Color[]): Uint8Array {
  if (data.length !== width * height) {
    throw new HRNetError(
      "invalid-shape",
      `A label map of ${width}×${height} has ${width * height} numbers; ${data.length} were given.`,
    );
  }
  if (palette.length > 256)
    return encode({ width, height, channels: 1, depth: 16, data: Uint16Array.from(data) });
  const colors = palette.map((color) => [...color]);
  return encode({ width, height, channels: 1, depth: 8, data: Uint8Array.from(data), palette: colors });
}
