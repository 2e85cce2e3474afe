// Pictures of the report as data: URLs, all of them together within a number of bytes.

import sharp from "sharp";
import { HRNetError, messageOf } from "../errors.ts";
import type { RgbImage } from "../image/rgb-image.ts";

/** A picture as the page shows it. */
export interface Thumbnail {
  /** `data:image/jpeg;base64,…` */
  readonly url: string;
  readonly width: number;
  readonly height: number;
}

/** Longest sides in pixels, tried one after the other until all pictures fit: sharp when enlarged, then ever less so. */
const LONGEST_SIDES = [480, 360, 256, 160];

const JPEG_QUALITY = 80;

/**
 * Encodes pictures so that their URLs have at most `maxBytes` characters together: smaller ones when there are many, and
 * none (`undefined`) for the last ones when even those are too many.
 * @throws HRNetError `invalid-image` when a picture cannot be encoded.
 */
export async function thumbnails(
  images: readonly RgbImage[],
  maxBytes: number,
): Promise<(Thumbnail | undefined)[]> {
  let encoded: Thumbnail[] = [];
  for (const side of LONGEST_SIDES) {
    encoded = [];
    let total = 0;
    const smallest = side === LONGEST_SIDES.at(-1);
    for (const image of images) {
      const thumbnail = await encode(image, side);
      total += thumbnail.url.length;
      if (total > maxBytes) break;
      encoded.push(thumbnail);
    }
    if (encoded.length === images.length || smallest) break;
  }
  return images.map((_, index) => encoded[index]);
}

async function encode({ width, height, data }: RgbImage, side: number): Promise<Thumbnail> {
  try {
    const { data: bytes, info } = await sharp(data, {
      raw: { width, height, channels: 3 },
      limitInputPixels: false,
    })
      .resize({ width: side, height: side, fit: "inside", withoutEnlargement: true })
      // Without chroma subsampling, so that thin coloured lines stay clear.
      .jpeg({ quality: JPEG_QUALITY, chromaSubsampling: "4:4:4" })
      .toBuffer({ resolveWithObject: true });
    const url = `data:image/jpeg;base64,${bytes.toString("base64")}`;
    return { url, width: info.width, height: info.height };
  } catch (cause) {
    throw new HRNetError(
      "invalid-image",
      `A ${width}×${height} picture of the report cannot be encoded: ${messageOf(cause)}.`,
      { cause },
    );
  }
}
