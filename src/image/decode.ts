// Any picture to 8-bit RGB: every source and format, oriented, flattened, bounded, with one clear error each.

import sharp, { type Metadata, type SharpOptions } from "sharp";
import { HRNetError, messageOf } from "../errors.ts";
import { type RgbImage, rgbImage } from "./rgb-image.ts";
import { describeBytes, sniffFormat } from "./sniff.ts";
import { type EncodedSource, readSource, sourceName } from "./source.ts";

/** Pixels already in memory, such as a canvas' ImageData or our own {@link RgbImage}. */
export interface RawPixels {
  readonly width: number;
  readonly height: number;
  /** H×W×channels bytes. */
  readonly data: Uint8Array | Uint8ClampedArray;
  /** 1 grey, 3 RGB, 4 RGB and alpha (not premultiplied). Default: as the length of `data` tells. */
  readonly channels?: 1 | 3 | 4;
}

/** What {@link decodeImage} accepts. */
export type ImageSource = EncodedSource | RawPixels;

/** Options of {@link decodeImage}. */
export interface DecodeOptions {
  /**
   * Default `exif`: turned upright as cameras and viewers do. `ignore` keeps the stored pixels, as the official COCO
   * code reads its pictures; annotations made on stored pixels need it.
   */
  readonly orientation?: "exif" | "ignore";
  /** What shows through transparent pixels. Default white, as pages and viewers show such pictures. */
  readonly background?: readonly [red: number, green: number, blue: number];
  /** A file that ends early: `refuse` it (default), or `accept` what is there; the missing part is grey or black. */
  readonly truncated?: "refuse" | "accept";
  /** Largest picture in pixels, read from the header before anything is decoded. Default {@link DEFAULT_MAX_PIXELS}. */
  readonly maxPixels?: number;
  /** Largest encoded size in bytes. Default {@link DEFAULT_MAX_BYTES}. */
  readonly maxBytes?: number;
  /** Longest wait for a URL in milliseconds. Default 30,000. */
  readonly timeoutMs?: number;
  /** Cancels reading. */
  readonly signal?: AbortSignal;
}

/** 64 Mi pixels: above every common camera, and 192 MiB of RGB, so that a 100-megapixel picture is refused, not fatal. */
export const DEFAULT_MAX_PIXELS = 64 * 2 ** 20;

/** 256 MiB. */
export const DEFAULT_MAX_BYTES = 256 * 2 ** 20;

const DEFAULT_TIMEOUT_MS = 30_000;
const WHITE = [255, 255, 255] as const;

/**
 * Decodes JPEG, PNG, WebP, AVIF, TIFF or GIF (first page of several) to 8-bit RGB.
 *
 * RGB and grey values are those stored in the file, as OpenCV reads them: colour profiles are not applied, 16-bit
 * values keep their high byte. CMYK is converted through its profile, or without one as OpenCV does. JPEG decoding
 * equals libjpeg-turbo's, and so OpenCV's, bit for bit.
 *
 * Three-channel pixels given as {@link RawPixels} are returned without a copy.
 * @throws HRNetError `file-not-found`, `read-failed`, `invalid-image`, `limit-exceeded`, `aborted`, `usage`.
 */
export async function decodeImage(source: ImageSource, options: DecodeOptions = {}): Promise<RgbImage> {
  const limits = {
    maxPixels: options.maxPixels ?? DEFAULT_MAX_PIXELS,
    maxBytes: options.maxBytes ?? DEFAULT_MAX_BYTES,
    timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
  };
  for (const [option, value] of Object.entries(limits)) {
    if (!(value > 0))
      throw new HRNetError("usage", `Option ${option} is ${value}, expected a positive number.`);
  }
  if (isRawPixels(source)) return fromRawPixels(source, options.background ?? WHITE);
  const name = sourceName(source);
  if (options.signal?.aborted) throw new HRNetError("aborted", `Reading ${name} was cancelled.`);
  const bytes = await readSource(source, { ...limits, signal: options.signal });
  if (bytes.length === 0) throw new HRNetError("invalid-image", `${name} is empty (0 bytes).`);
  const format = sniffFormat(bytes);
  if (format === undefined) {
    throw new HRNetError(
      "invalid-image",
      `${name} is no picture that can be decoded; it is ${describeBytes(bytes)}. ` +
        "Supported are JPEG, PNG, WebP, AVIF, TIFF and GIF.",
    );
  }
  const { maxPixels } = limits;
  try {
    const open = {
      limitInputPixels: false,
      failOn: options.truncated === "accept" ? "none" : "error",
    } as const;
    const header = await sharp(bytes, open).metadata();
    const pixels = header.width * header.height;
    if (pixels > maxPixels) {
      throw new HRNetError(
        "limit-exceeded",
        `${name} has ${header.width}×${header.height} = ${(pixels / 1e6).toFixed(1)} megapixels, the limit is ` +
          `${(maxPixels / 1e6).toFixed(1)} (option maxPixels). Raise it if memory allows (3 bytes a pixel), or scale ` +
          "the picture down.",
      );
    }
    return await decodeBytes(bytes, open, header, options);
  } catch (error) {
    if (error instanceof HRNetError) throw error;
    throw new HRNetError(
      "invalid-image",
      `${name} is a damaged or incomplete ${format.toUpperCase()} (${bytes.length} bytes): ` +
        `${firstLine(messageOf(error))}. Fetch it again` +
        (options.truncated === "accept" ? "." : ", or pass truncated: accept to use what can be read."),
      { cause: error },
    );
  }
}

async function decodeBytes(
  bytes: Uint8Array,
  open: SharpOptions,
  header: Metadata,
  options: DecodeOptions,
): Promise<RgbImage> {
  const cmyk = header.space === "cmyk";
  const inksOnly = cmyk && !header.hasProfile && header.depth === "uchar";
  let pipeline = sharp(bytes, { ...open, ignoreIcc: !cmyk || inksOnly });
  if (options.orientation !== "ignore") pipeline = pipeline.autoOrient();
  if (inksOnly) {
    const inks = await pipeline
      .removeAlpha()
      .pipelineColourspace("cmyk")
      .toColourspace("cmyk")
      .raw()
      .toBuffer({ resolveWithObject: true });
    return rgbImage(inks.info.width, inks.info.height, rgbFromCmyk(inks.data));
  }
  const [r, g, b] = options.background ?? WHITE;
  if (header.hasAlpha || header.format === "gif") pipeline = pipeline.flatten({ background: { r, g, b } });
  const { data, info } = await pipeline.toColourspace("srgb").raw().toBuffer({ resolveWithObject: true });
  return rgbImage(info.width, info.height, data);
}

/** CMYK inks (0–255 each) to RGB without a profile, with the rounding of OpenCV (`modules/imgcodecs/src/utils.cpp`). */
function rgbFromCmyk(inks: Uint8Array): Uint8Array {
  const rgb = new Uint8Array((inks.length / 4) * 3);
  for (let from = 0, to = 0; from < inks.length; from += 4, to += 3) {
    const white = 255 - inks[from + 3]!;
    rgb[to] = white - ((inks[from]! * white) >> 8);
    rgb[to + 1] = white - ((inks[from + 1]! * white) >> 8);
    rgb[to + 2] = white - ((inks[from + 2]! * white) >> 8);
  }
  return rgb;
}

function fromRawPixels(pixels: RawPixels, background: readonly [number, number, number]): RgbImage {
  const { width, height, data } = pixels;
  const channels = pixels.channels ?? data.length / (width * height);
  if ((channels !== 1 && channels !== 3 && channels !== 4) || data.length !== width * height * channels) {
    throw new HRNetError(
      "invalid-image",
      `Pixels of ${width}×${height} with ${data.length} bytes fit no 1, 3 or 4 channels of 8 bits` +
        (pixels.channels === undefined ? "." : `, and not the ${pixels.channels} that were stated.`),
    );
  }
  if (channels === 3)
    return rgbImage(width, height, new Uint8Array(data.buffer, data.byteOffset, data.length));
  const image = rgbImage(width, height);
  const rgb = image.data;
  for (let from = 0, to = 0; to < rgb.length; from += channels, to += 3) {
    for (let c = 0; c < 3; c++) {
      if (channels === 1) {
        rgb[to + c] = data[from]!;
      } else {
        const alpha = data[from + 3]!;
        rgb[to + c] = Math.round((data[from + c]! * alpha + background[c]! * (255 - alpha)) / 255);
      }
    }
  }
  return image;
}

function isRawPixels(source: ImageSource): source is RawPixels {
  return (
    typeof source === "object" &&
    source !== null &&
    "width" in source &&
    "height" in source &&
    "data" in source &&
    (source.data instanceof Uint8Array || source.data instanceof Uint8ClampedArray)
  );
}

function firstLine(message: string): string {
  return message.trim().split("\n")[0]!.replace(/\.$/, "");
}
