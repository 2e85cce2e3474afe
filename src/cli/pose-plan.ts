// What a run of `hrnet pose` will do: pictures, boxes, image ids, folder, and what an earlier run has finished.

import { resolve } from "node:path";
import { HRNetError } from "../errors.ts";
import { mapAhead } from "../estimators/map-ahead.ts";
import type { PoseRequest } from "../estimators/pose-estimator.ts";
import { type BoxesFile, readBoxesFile } from "../pose/boxes-file.ts";
import { type ImageIds, imageIds } from "./pose-coco.ts";
import { findPictures, type PoseInput } from "./pose-inputs.ts";
import type { PoseModelCommandOptions } from "./pose-model.ts";
import { type DrawFormat, type OutputPaths, outputPaths, readRecord } from "./pose-output.ts";
import { identityOf, openRunFolder, type RunFolder } from "./run-folder.ts";
import { packageVersion } from "./version.ts";

/** Options of `hrnet pose` as parsed. */
export interface PoseCommandOptions extends PoseModelCommandOptions {
  readonly boxes?: string;
  readonly out?: string;
  readonly json?: boolean;
  readonly format: "json" | "coco";
  readonly minScore: number;
  readonly draw: DrawFormat;
  readonly overwrite?: boolean;
  readonly batchSize?: number;
  readonly truncated: "refuse" | "accept";
  readonly maxPixels?: number;
}

/** Where results go unless they go to stdout. */
export const DEFAULT_OUT = "out";

/** Files read at once to see what is finished. */
const READING_AHEAD = 16;

/** One picture of the run. */
export interface Job {
  readonly input: PoseInput;
  /** As results name it. */
  readonly source: string;
  readonly boxes: PoseRequest["boxes"] | HRNetError;
  readonly paths: OutputPaths | undefined;
  /** An earlier run has done it. */
  readonly finished: boolean;
}

/** What a run is made of, once everything about it is known to be right. */
export interface Run {
  readonly jobs: readonly Job[];
  readonly folder: RunFolder | undefined;
  readonly ids: ImageIds | undefined;
  readonly options: PoseCommandOptions;
  readonly signal: AbortSignal;
}

/**
 * Checks everything that can be checked before a network is opened.
 * @throws HRNetError as {@link findPictures}, `readBoxesFile` and {@link openRunFolder} do; `usage`, `invalid-data`.
 */
export async function planRun(
  arguments_: readonly string[],
  options: PoseCommandOptions,
  signal: AbortSignal,
): Promise<Run> {
  const out = options.out ?? (options.json ? undefined : DEFAULT_OUT);
  const boxes =
    options.boxes === undefined ? undefined : await readBoxesFile(options.boxes, { faultyBoxes: "defer" });
  const inputs = withBoxes(await findPictures(arguments_, out && resolve(out)), boxes, options.boxes);
  const ids = options.format === "coco" ? imageIds(inputs, boxes) : undefined;
  if (ids?.from === "numbered" && out === undefined) {
    throw new HRNetError(
      "usage",
      "COCO results need image ids; these pictures have none in their names. Give --out DIR: it will hold " +
        "coco-images.json, which says which id is which picture.",
    );
  }
  const paths = out === undefined ? undefined : outputPaths(inputs, out, options.draw);
  const folder =
    out === undefined || paths === undefined
      ? undefined
      : await openRunFolder(out, await settingsOf(options), {
          overwrite: options.overwrite ?? false,
          outputs: outputsOf(paths.values()),
        });
  const jobs: Job[] = [];
  const planned = mapAhead(inputs, READING_AHEAD, async (input): Promise<Job> => {
    const source = folder?.sourceOf(input.location, input.source) ?? input.source;
    const job = { input, source, boxes: boxes && boxesOf(boxes, input), paths: paths?.get(input) };
    return { ...job, finished: !options.overwrite && (await isFinished(job, folder)) };
  });
  for await (const job of planned) jobs.push(job);
  return { jobs, folder, ids, options, signal };
}

/** A picture's boxes, by its path below the folder given or as a whole; the error of a faulty one. */
function boxesOf(boxes: BoxesFile, { name, source }: PoseInput): Job["boxes"] {
  try {
    return boxes.forFile(name) ?? boxes.forFile(source);
  } catch (error) {
    if (error instanceof HRNetError) return error;
    throw error;
  }
}

/** The pictures that the boxes file mentions; all without one. */
function withBoxes(
  inputs: readonly PoseInput[],
  boxes: BoxesFile | undefined,
  file: string | undefined,
): readonly PoseInput[] {
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
async function settingsOf(options: PoseCommandOptions): Promise<Record<string, unknown>> {
  const { arch, input, keypoints, codec, refinement, blurKernel, sigma } = options;
  return {
    version: packageVersion(),
    model: await identityOf(options.model),
    ...{ arch, input, keypoints, codec, refinement, blurKernel, sigma },
    skeleton: await identityOf(options.skeleton),
    boxes: await identityOf(options.boxes),
    flipTest: options.flipTest ?? false,
    draw: options.draw,
    minScore: options.minScore,
    truncated: options.truncated,
    maxPixels: options.maxPixels,
  };
}

function* outputsOf(all: Iterable<OutputPaths>): Generator<string> {
  for (const { record, drawn } of all) {
    yield record;
    if (drawn !== undefined) yield drawn;
  }
}

async function isFinished(
  { source, paths }: Pick<Job, "source" | "paths">,
  folder: RunFolder | undefined,
): Promise<boolean> {
  if (!folder?.resumed || !paths) return false;
  const record = await readRecord(paths.record, folder);
  if (record && record.source !== source) {
    throw new HRNetError(
      "usage",
      `${paths.record} is the result of another picture, ${record.source}. Choose another folder with --out, or give ` +
        "--overwrite.",
    );
  }
  return record !== undefined;
}

/** A line on stderr. */
export function note(line: string): void {
  process.stderr.write(`${line}\n`);
}
