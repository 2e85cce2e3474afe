// `hrnet pose` as a task over pictures: boxes, persons, drawn pictures, COCO results.

import { HRNetError } from "../errors.ts";
import type { Detector } from "../estimators/detector.ts";
import { personsOf } from "../estimators/person-detector.ts";
import type { PoseEstimator, PoseRequest } from "../estimators/pose-estimator.ts";
import { type BoxesFile, readBoxesFile } from "../pose/boxes-file.ts";
import type { Person } from "../pose/types.ts";
import { type ImageIds, imageIds, requireTellingIds, writeCocoFiles } from "./coco-output.ts";
import { openDetector } from "./open-detector.ts";
import type { PictureInput } from "./picture-inputs.ts";
import { decodeOptions, type PictureCommandOptions } from "./picture-options.ts";
import { type OutputPaths, outputPaths } from "./picture-output.ts";
import {
  note,
  type PictureJob,
  type PictureResult,
  type PictureTask,
  type PictureWorker,
} from "./picture-run.ts";
import { loadEstimator, type PoseModelCommandOptions } from "./pose-model.ts";
import { cocoPoses, type PoseRecord, recordOf, writeResults } from "./pose-output.ts";
import { identityOf, type RunSettings } from "./run-folder.ts";
import { packageVersion } from "./version.ts";

/** Options of `hrnet pose` as parsed. */
export interface PoseCommandOptions extends PoseModelCommandOptions, PictureCommandOptions {
  readonly boxes?: string;
  readonly detector?: string;
  readonly format: "json" | "coco";
  readonly minScore: number;
  readonly batchSize?: number;
}

type Boxes = PoseRequest["boxes"];
type Job = PictureJob<OutputPaths>;

/**
 * The task that parsed options ask for.
 * @throws HRNetError as `readBoxesFile`
 */
export async function poseTask(
  options: PoseCommandOptions,
): Promise<PictureTask<OutputPaths, readonly Person[], PoseRecord>> {
  const boxes =
    options.boxes === undefined ? undefined : await readBoxesFile(options.boxes, { faultyBoxes: "defer" });
  let ids: ImageIds | undefined;
  return {
    label: "pose",
    counted: { word: "person", of: ({ persons }) => persons.length },
    choose(found) {
      const inputs = withBoxes(found, boxes, options.boxes);
      ids = options.format === "coco" ? imageIds(inputs, boxes) : undefined;
      requireTellingIds(ids, options);
      return inputs;
    },
    pathsOf: (inputs, out) => outputPaths(inputs, out, options.draw, "pose"),
    settings: () => settingsOf(options),
    isRecord: ({ persons }) => Array.isArray(persons),
    faultOf(input) {
      const given = boxes && boxesOf(boxes, input);
      return given instanceof HRNetError ? given : undefined;
    },
    open: async (signal) => workerOf(await openEstimator(options, signal), boxes, options),
    printsErrors: options.format !== "coco",
    ...(options.format === "coco" && {
      elementsOf: (input: PictureInput, record: PoseRecord) => cocoPoses(record, ids!.ids.get(input)!),
      conclude: (folder, records) =>
        writeCocoFiles(folder.path, records, { ids: ids!, resultsOf: cocoPoses }),
    }),
  };
}

/** `--detector` for pictures that are one person each. */
export const NO_DETECTOR = "none";

/** The estimator and, where another than the default one is asked for, the detector that it asks. */
async function openEstimator(options: PoseCommandOptions, signal: AbortSignal): Promise<OpenPose> {
  const { detector: source } = options;
  const named = source !== undefined && source !== NO_DETECTOR;
  const detector = named ? await openDetector(source, options, signal) : undefined;
  try {
    const estimator = await loadEstimator(options, {
      signal,
      ...(options.batchSize !== undefined && { batchSize: options.batchSize }),
      ...(detector && { detector: personsOf(detector) }),
      ...(source === NO_DETECTOR && { detector: null }),
      decode: decodeOptions(options),
    });
    return { estimator, detector };
  } catch (error) {
    await detector?.[Symbol.asyncDispose]();
    throw error;
  }
}

/** What a run of pictures works with. */
interface OpenPose {
  readonly estimator: PoseEstimator;
  readonly detector: Detector | undefined;
}

function workerOf(
  { estimator, detector }: OpenPose,
  boxes: BoxesFile | undefined,
  { draw, minScore }: PoseCommandOptions,
): PictureWorker<OutputPaths, readonly Person[], PoseRecord> {
  return {
    async *stream(jobs, signal): AsyncGenerator<PictureResult<OutputPaths, readonly Person[]>> {
      const requests = jobs.map((job) => {
        const own = boxes && (boxesOf(boxes, job.input) as Boxes); // faults were sorted out before
        return { image: job.input.source, boxes: own, job };
      });
      for await (const result of estimator.stream(requests, { signal })) {
        const { job } = result.item;
        yield "error" in result
          ? { job, error: result.error }
          : { job, image: result.image, found: result.persons };
      }
    },
    async finish({ source, paths }: Job, image, persons, run) {
      const record = recordOf(source, image, estimator.description.name, persons, run);
      if (paths) await writeResults(paths, record, image, estimator.skeleton, { format: draw, minScore });
      return record;
    },
    async dispose() {
      await estimator.dispose();
      await detector?.[Symbol.asyncDispose]();
    },
  };
}

/** A picture's boxes, by its path below the folder given or as a whole; the error of a faulty one. */
function boxesOf(boxes: BoxesFile, { name, source }: PictureInput): Boxes | HRNetError {
  try {
    return boxes.forFile(name) ?? boxes.forFile(source);
  } catch (error) {
    if (error instanceof HRNetError) return error;
    throw error;
  }
}

/** The pictures that the boxes file mentions; all without one. */
function withBoxes(
  inputs: readonly PictureInput[],
  boxes: BoxesFile | undefined,
  file: string | undefined,
): readonly PictureInput[] {
  if (!boxes) return inputs;
  const mentioned = inputs.filter((input) => boxesOf(boxes, input) !== undefined);
  if (mentioned.length === 0) {
    throw new HRNetError(
      "invalid-data",
      `${file} mentions none of the ${inputs.length} pictures. It must name them by path, file name or COCO image id.`,
    );
  }
  const left = inputs.length - mentioned.length;
  if (left > 0) note(`${left} of ${inputs.length} pictures are left out: ${file} does not mention them.`);
  return mentioned;
}

/** What results depend on. */
async function settingsOf(options: PoseCommandOptions): Promise<RunSettings> {
  const { arch, input, keypoints, codec, refinement, blurKernel, sigma } = options;
  return {
    version: packageVersion(),
    task: "pose",
    model: await identityOf(options.model),
    ...{ arch, input, keypoints, codec, refinement, blurKernel, sigma },
    skeleton: await identityOf(options.skeleton),
    boxes: await identityOf(options.boxes),
    detector: await identityOf(options.detector),
    flipTest: options.flipTest ?? false,
    draw: options.draw,
    minScore: options.minScore,
    truncated: options.truncated,
    maxPixels: options.maxPixels,
  };
}
