// The first samples of an epoch, to be drawn for the report.

import { openBatchLoader } from "../data/batch-loader.ts";
import type { GalleryItem } from "../report/run-report.ts";
import { type PreparedSamples, samplesOf } from "../training-data/prepared-samples.ts";

/** A field of one sample, such as `image`. */
export type SamplePart = <T extends Uint8Array | Float32Array = Float32Array>(name: string) => T;

/**
 * Draws the run's own first samples of an epoch, as the network gets them.
 * @param options `most`: samples at most
 * @param draw called for each, before the next batch takes the place of its arrays
 */
export async function drawFirstSamples(
  samples: PreparedSamples,
  { seed, epoch, most }: { readonly seed: number; readonly epoch: number; readonly most: number },
  draw: (part: SamplePart) => GalleryItem,
): Promise<GalleryItem[]> {
  const shown = Math.min(most, samplesOf(samples));
  await using loader = await openBatchLoader({
    ...samples,
    batchSize: shown,
    seed,
    workers: 0,
    shuffle: true,
    ahead: 0,
  });
  for await (const { feeds, notes } of loader.batches(epoch)) {
    return Array.from({ length: shown }, (_, index) =>
      draw(<T extends Uint8Array | Float32Array>(name: string): T => {
        const data = (feeds[name] ?? notes[name]!).data as T;
        return data.subarray((index * data.length) / shown, ((index + 1) * data.length) / shown) as T;
      }),
    );
  }
  return [];
}
