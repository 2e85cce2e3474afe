// Reads the same pictures again and again, as training does: decoded ones are kept as far as a limit allows.

import { type DecodeOptions, decodeImage } from "./decode.ts";
import type { RgbImage } from "./rgb-image.ts";

/** Options of {@link createPictureReader}. */
export interface PictureReaderOptions extends DecodeOptions {
  /** Bytes of decoded pictures to keep (3 a pixel). Default 0. */
  readonly cacheBytes?: number;
}

/**
 * A function from path to picture. The first pictures read stay until the limit is reached, later ones are decoded each
 * time: when every picture comes once an epoch in random order, that finds as many as the memory holds, where keeping the
 * latest would lose most of them before they come again. The pictures are shared: do not change them.
 * @throws HRNetError as `decodeImage`
 */
export function createPictureReader(options: PictureReaderOptions = {}): (path: string) => Promise<RgbImage> {
  const { cacheBytes = 0, ...decode } = options;
  const kept = new Map<string, RgbImage>();
  let left = cacheBytes;
  return async (path) => {
    const known = kept.get(path);
    if (known !== undefined) return known;
    const image = await decodeImage(path, decode);
    if (image.data.length <= left && !kept.has(path)) {
      kept.set(path, image);
      left -= image.data.length;
    }
    return image;
  };
}
