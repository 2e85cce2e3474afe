// An 8-bit RGB picture to PNG, JPEG or WebP bytes.

import sharp from "sharp";
import { HRNetError, messageOf } from "../errors.ts";
import type { RgbImage } from "./rgb-image.ts";

/** Formats that {@link encodeImage} writes. */
export const ENCODED_FORMATS = ["png", "jpeg", "webp"] as const;

/** One of {@link ENCODED_FORMATS}. */
export type EncodedFormat = (typeof ENCODED_FORMATS)[number];

/**
 * Encodes a picture.
 * @param quality 1–100 for jpeg and webp, default 90; png is lossless and takes none. JPEG is written without chroma
 * subsampling from 90 on, so that thin coloured lines stay clear.
 * @throws HRNetError `invalid-image` when the picture cannot be encoded (WebP ends at 16383 pixels a side).
 */
export async function encodeImage(image: RgbImage, format: EncodedFormat, quality = 90): Promise<Uint8Array> {
  const { width, height, data } = image;
  const pipeline = sharp(data, { raw: { width, height, channels: 3 }, limitInputPixels: false });
  try {
    switch (format) {
      case "png":
        return await pipeline.png({ compressionLevel: 6 }).toBuffer();
      case "jpeg":
        return await pipeline
          // Standard Huffman tables: half the time for files a few per cent larger.
          .jpeg({ quality, chromaSubsampling: quality >= 90 ? "4:4:4" : "4:2:0", optimiseCoding: false })
          .toBuffer();
      case "webp":
        return await pipeline.webp({ quality }).toBuffer();
    }
  } catch (error) {
    throw new HRNetError(
      "invalid-image",
      `A ${width}×${height} picture cannot be written as ${format} with quality ${quality}: ${messageOf(error)}.`,
      { cause: error },
    );
  }
}
