// `hrnet segment` as a task over pictures: classes drawn over the picture, an indexed PNG of them, and their areas.

import { join } from "node:path";
import { type ClassArea, type Segmentation, Segmenter } from "../estimators/segmenter.ts";
import { writeFileAtomic } from "../files/atomic-write.ts";
import { encodeImage } from "../image/encode.ts";
import { encodeLabelMap } from "../image/label-map.ts";
import { drawSegmentation } from "../segmentation/draw-segmentation.ts";
import type { DownloadOptions } from "../weights/download.ts";
import { downloadProgress } from "./load-options.ts";
import type { DeviceOptions } from "./options.ts";
import { decodeOptions, type PictureCommandOptions } from "./picture-options.ts";
import { type OutputPaths, outputPaths, type PictureRecord } from "./picture-output.ts";
import type { PictureTask, PictureWorker } from "./picture-run.ts";
import { findOneByOne } from "./picture-stream.ts";
import { identityOf } from "./run-folder.ts";
import { packageVersion } from "./version.ts";

/** Options of `hrnet segment` as parsed. */
export interface SegmentCommandOptions extends PictureCommandOptions, DeviceOptions {
  readonly model: string;
  readonly arch?: string;
  readonly offline?: boolean;
  readonly flipTest?: boolean;
  readonly tile?: [number, number];
  readonly opacity: number;
  /** Without label maps: drawn pictures and areas only. */
  readonly labels: boolean;
}

/** The JSON of one picture. */
interface SegmentRecord extends PictureRecord {
  /** The classes that were found, the largest first. */
  readonly areas: readonly ClassArea[];
}

/** Paths of a picture's results; `undefined` where there is none. */
interface SegmentPaths extends OutputPaths {
  readonly labels: string | undefined;
}

/** Digits of a share: a hundredth of a percent. */
const SHARE_DIGITS = 6;

/** The task that parsed options ask for. */
export function segmentTask(
  options: SegmentCommandOptions,
): PictureTask<SegmentPaths, Segmentation, SegmentRecord> {
  return {
    label: "segment",
    counted: { word: "class area", of: ({ areas }) => areas.length },
    choose: (inputs) => inputs,
    pathsOf: (inputs, out) =>
      new Map(
        [...outputPaths(inputs, out, options.draw, "drawn")].map(([input, paths]) => [
          input,
          { ...paths, labels: options.labels ? join(out, `${input.name}.labels.png`) : undefined },
        ]),
      ),
    settings: async () => ({
      version: packageVersion(),
      task: "segmentation",
      model: await identityOf(options.model),
      arch: options.arch,
      flipTest: options.flipTest ?? false,
      tile: options.tile,
      draw: options.draw,
      opacity: options.opacity,
      labels: options.labels,
      truncated: options.truncated,
      maxPixels: options.maxPixels,
    }),
    isRecord: ({ areas }) => Array.isArray(areas),
    open: async (signal) => workerOf(await openSegmenter(options, signal), options),
  };
}

function openSegmenter(options: SegmentCommandOptions, signal: AbortSignal): Promise<Segmenter> {
  const { model, arch, offline, flipTest, tile, device, threads } = options;
  const download: DownloadOptions = {
    ...(offline && { offline }),
    onProgress: downloadProgress(model),
    signal,
  };
  return Segmenter.load(model, {
    arch,
    flipTest,
    tile,
    download,
    ...(device && { device }),
    ...(threads !== undefined && { threads }),
  });
}

function workerOf(
  segmenter: Segmenter,
  options: SegmentCommandOptions,
): PictureWorker<SegmentPaths, Segmentation, SegmentRecord> {
  const { draw, opacity } = options;
  const decode = decodeOptions(options);
  return {
    stream: (jobs, signal) =>
      findOneByOne(jobs, decode, (image) => segmenter.segment(image, { signal }), signal),
    async finish({ source, paths }, image, found, run) {
      const { width, height } = image;
      const record: SegmentRecord = {
        source,
        width,
        height,
        model: segmenter.description.name,
        ...(run && { run: run.id }),
        areas: found.areas.map((area) => ({ ...area, share: Number(area.share.toFixed(SHARE_DIGITS)) })),
      };
      if (!paths) return record;
      if (paths.labels !== undefined)
        await writeFileAtomic(paths.labels, encodeLabelMap(found, segmenter.classes.colors));
      if (paths.drawn !== undefined && draw !== "none") {
        drawSegmentation(image, found, segmenter.classes, { opacity });
        await writeFileAtomic(paths.drawn, await encodeImage(image, draw === "jpg" ? "jpeg" : "png"));
      }
      await writeFileAtomic(paths.record, `${JSON.stringify(record)}\n`);
      return record;
    },
    dispose: () => segmenter[Symbol.asyncDispose](),
  };
}
