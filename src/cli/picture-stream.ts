// Pictures decoded ahead of a network that takes them one by one.

import { HRNetError } from "../errors.ts";
import { mapAhead } from "../estimators/map-ahead.ts";
import { type DecodeOptions, decodeImage } from "../image/decode.ts";
import type { RgbImage } from "../image/rgb-image.ts";
import type { OutputPaths } from "./picture-output.ts";
import type { PictureJob, PictureResult } from "./picture-run.ts";

/** Pictures decoded while the network works on one. */
const DECODING_AHEAD = 2;

/**
 * What `find` finds in each picture, in order; a picture that cannot be decoded comes with its error.
 * @throws HRNetError `aborted`; what `find` throws
 */
export async function* findOneByOne<P extends OutputPaths, F>(
  jobs: readonly PictureJob<P>[],
  decode: DecodeOptions,
  find: (image: RgbImage) => Promise<F>,
  signal: AbortSignal,
): AsyncGenerator<PictureResult<P, F>> {
  const decoded = mapAhead(
    jobs,
    DECODING_AHEAD,
    async (job) => {
      try {
        return { job, image: await decodeImage(job.input.source, { ...decode, signal }) };
      } catch (error) {
        if (error instanceof HRNetError && error.code !== "aborted") return { job, error };
        throw error;
      }
    },
    signal,
  );
  for await (const { job, image, error } of decoded) {
    yield error ? { job, error } : { job, image, found: await find(image) };
  }
}
