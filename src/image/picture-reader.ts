// Reads the same pictures again and again, as training does: decoded ones are kept as far as a limit allows.

import { type DecodeOptions, decodeImage } from "./decode.ts";
import type { RgbImage } from "./rgb-image.ts";

/** Options of {@link createPictureReader}. */
export interface PictureReaderOptions extends DecodeOptions {
  /** Bytes of decoded pictures to keep (3 a pixel). Default 0. */
  readonly cacheBytes?: number;
}

/**
 * A function that reads what lies at a path, and keeps what it read first until a limit is reached; what comes later is read each
 * time. See {@link createPictureReader} for why.
 * @param bytesOf the memory that something read takes
 */
export function createKeepingReader<T>(
  read: (path: string) => Promise<T>,
  bytesOf: (value: T) => number,
  cacheBytes: number,
): (path: string) => Promise<T> {
  const kept = new Map<string, T>();
  let left = cacheBytes;
  return async (path) => {
    const known = kept.get(path);
    if (known !== undefined) return known;
    const value = await read(path);
    const bytes = bytesOf(value);
    if (bytes <= left && !kept.has(path)) {
      kept.set(path, value);
      left -= bytes;
    }
    return value;
  };
}

/**
 * A function from path to picture. The first pictures read stay until the limit is reached, later ones are decoded each
 * time: when every picture comes once an epoch in random order, that finds as many as the memory holds, where keeping the
 * latest would lose most of them before they come again. The pictures are shared: do not change them.
 * @throws HRNetError as `decodeImage`
 */
export function createPictureReader(options: PictureReaderOptions = {}): (path: string) => Promise<RgbImage> {
  const { cacheBytes = 0, ...decode } = options;
  return createKeepingReader(
    (path) => decodeImage(path, decode),
    ({ data }) => data.length,
    cacheBytes,
  );
}
