// `hrnet detect` as a task over pictures: boxes and masks drawn over the picture, and in JSON.

import { cocoMask } from "../data/coco-results.ts";
import { drawnDetections, drawObjects } from "../detection/draw-detections.ts";
import { HRNetError, nearestNames } from "../errors.ts";
import { type Detection, Detector } from "../estimators/detector.ts";
import { writeFileAtomic } from "../files/atomic-write.ts";
import { encodeImage } from "../image/encode.ts";
import { type ImageIds, imageIds, requireTellingIds, writeCocoFiles } from "./coco-output.ts";
import { downloadProgress } from "./load-options.ts";
import type { DeviceOptions } from "./options.ts";
import type { PictureInput } from "./picture-inputs.ts";
import { decodeOptions, type PictureCommandOptions } from "./picture-options.ts";
import { type OutputPaths, outputPaths, type PictureRecord } from "./picture-output.ts";
import type { PictureTask, PictureWorker } from "./picture-run.ts";
import { findOneByOne } from "./picture-stream.ts";
import { identityOf } from "./run-folder.ts";
import { packageVersion } from "./version.ts";

/** Options of `hrnet detect` as parsed. */
export interface DetectCommandOptions extends PictureCommandOptions, DeviceOptions {
  readonly model: string;
  readonly offline?: boolean;
  readonly minScore: number;
  readonly nms: number;
  readonly most: number;
  /** Names of classes to keep. */
  readonly classes?: readonly string[];
  readonly sides?: readonly [number, number];
  readonly tile?: readonly [number, number];
  readonly format: "json" | "coco";
}

/** An object in the JSON of a picture. */
type RecordedObject = Pick<Detection, "label" | "class" | "score" | "box"> & {
  /** As COCO's JSON has masks. */
  readonly segmentation?: ReturnType<typeof cocoMask>;
};

/** The JSON of one picture. */
interface DetectRecord extends PictureRecord {
  /** The best first. */
  readonly objects: readonly RecordedObject[];
}

/** Decimals of boxes and scores in JSON: hundredths of a pixel, and what a float32 score tells. */
const BOX_DECIMALS = 2;
const SCORE_DECIMALS = 5;

/** A picture's objects as COCO results: the model's classes counted from 1, with their names. */
function cocoObjects({ objects }: DetectRecord, imageId: number): object[] {
  return objects.map(({ label, class: number, score, box, segmentation }) => ({
    image_id: imageId,
    category_id: number + 1,
    category: label,
    bbox: box,
    score,
    ...(segmentation && { segmentation }),
  }));
}

/** The task that parsed options ask for. */
export function detectTask(
  options: DetectCommandOptions,
): PictureTask<OutputPaths, readonly Detection[], DetectRecord> {
  const { model, minScore, nms, most, classes, sides, tile, draw, truncated, maxPixels, format } = options;
  let ids: ImageIds | undefined;
  return {
    label: "detect",
    counted: { word: "object", of: ({ objects }) => objects.length },
    choose(inputs) {
      ids = format === "coco" ? imageIds(inputs, undefined) : undefined;
      requireTellingIds(ids, options);
      return inputs;
    },
    pathsOf: (inputs, out) => outputPaths(inputs, out, draw, "drawn"),
    settings: async () => ({
      version: packageVersion(),
      task: "detection",
      model: await identityOf(model),
      minScore,
      nms,
      most,
      classes,
      sides,
      tile,
      draw,
      truncated,
      maxPixels,
    }),
    isRecord: ({ objects }) => Array.isArray(objects),
    open: async (signal) => workerOf(await openDetector(options, signal), options),
    printsErrors: format !== "coco",
    ...(format === "coco" && {
      elementsOf: (input: PictureInput, record: DetectRecord) => cocoObjects(record, ids!.ids.get(input)!),
      conclude: (folder, records) =>
        writeCocoFiles(folder.path, records, { ids: ids!, resultsOf: cocoObjects }),
    }),
  };
}

/** @throws HRNetError as `Detector.load`; `usage` for classes that the model does not tell */
async function openDetector(options: DetectCommandOptions, signal: AbortSignal): Promise<Detector> {
  const { model, offline, minScore, nms, most, classes = [], sides, tile, device, threads } = options;
  const detector = await Detector.load(model, {
    minScore,
    nms,
    most,
    sides,
    tile,
    download: { ...(offline && { offline }), onProgress: downloadProgress(model), signal },
    device,
    threads,
  });
  const known = detector.classes.classes;
  const unknown = classes.find((name) => !known.includes(name));
  if (unknown === undefined) return detector;
  await detector[Symbol.asyncDispose]();
  throw new HRNetError(
    "usage",
    `The model does not tell "${unknown}" apart. Nearest: ${nearestNames(unknown, known).join(", ")}.`,
  );
}

function workerOf(
  detector: Detector,
  options: DetectCommandOptions,
): PictureWorker<OutputPaths, readonly Detection[], DetectRecord> {
  const { draw, classes } = options;
  const decode = decodeOptions(options);
  const { colors } = detector.classes;
  const rounded = (value: number, decimals: number): number => Number(value.toFixed(decimals));
  return {
    stream: (jobs, signal) =>
      findOneByOne(
        jobs,
        decode,
        async (image) => {
          const found = await detector.detect(image, { signal });
          return classes ? found.filter(({ label }) => classes.includes(label)) : found;
        },
        signal,
      ),
    async finish({ source, paths }, image, found, run) {
      const { width, height } = image;
      const record: DetectRecord = {
        source,
        width,
        height,
        model: detector.description.name,
        ...(run && { run: run.id }),
        objects: found.map(({ label, class: number, score, box, mask }) => ({
          label,
          class: number,
          score: rounded(score, SCORE_DECIMALS),
          box: box.map((value) => rounded(value, BOX_DECIMALS)) as unknown as Detection["box"],
          ...(mask && { segmentation: cocoMask(mask) }),
        })),
      };
      if (!paths) return record;
      if (paths.drawn !== undefined && draw !== "none") {
        drawObjects(image, drawnDetections(found, colors));
        await writeFileAtomic(paths.drawn, await encodeImage(image, draw === "jpg" ? "jpeg" : "png"));
      }
      await writeFileAtomic(paths.record, `${JSON.stringify(record)}\n`);
      return record;
    },
    dispose: () => detector[Symbol.asyncDispose](),
  };
}
