// A run of `hrnet pose`: plans the pictures, streams them through the estimator, writes, reports, resumes.

import { resolve } from "node:path";
import { HRNetError } from "../errors.ts";
import { mapAhead } from "../estimators/map-ahead.ts";
import type { PoseEstimator, PoseRequest, PoseResult } from "../estimators/pose-estimator.ts";
import { type BoxesFile, readBoxesFile } from "../pose/boxes-file.ts";
import { type JsonArrayWriter, jsonArrayWriter } from "./json-array.ts";
import { cocoResults, type ImageIds, imageIds, writeCocoFiles } from "./pose-coco.ts";
import { findPictures, type PoseInput } from "./pose-inputs.ts";
import { loadEstimator, type PoseModelCommandOptions, requireModel } from "./pose-model.ts";
import {
  type DrawFormat,
  type OutputPaths,
  outputPaths,
  type PoseRecord,
  readRecord,
  recordOf,
  writeResults,
} from "./pose-output.ts";
import { createProgress, duration } from "./progress.ts";
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

/** Pictures drawn, encoded and written while the network works on the next. */
const WRITING_AHEAD = 2;

/** Files read at once to see what is finished. */
const READING_AHEAD = 16;

/** Failed pictures that are listed one by one. */
const LISTED_FAILURES = 20;

/** One picture of the run. */
interface Job {
  readonly input: PoseInput;
  /** As results name it. */
  readonly source: string;
  readonly boxes: PoseRequest["boxes"];
  readonly paths: OutputPaths | undefined;
  /** An earlier run has done it. */
  readonly finished: boolean;
}

type Request = PoseRequest & { readonly job: Job };
type Outcome = { readonly record: PoseRecord } | { readonly error: HRNetError };

/** What a run is made of, once everything about it is known to be right. */
interface Run {
  readonly jobs: readonly Job[];
  readonly folder: RunFolder | undefined;
  readonly ids: ImageIds | undefined;
  readonly options: PoseCommandOptions;
  readonly signal: AbortSignal;
}

/**
 * Does what a command line asks for.
 * @throws HRNetError for what is wrong with the run as a whole; pictures that fail are listed, and set the exit code 1.
 */
export async function runPose(
  arguments_: readonly string[],
  options: PoseCommandOptions,
  signal: AbortSignal,
): Promise<void> {
  const model = requireModel(options.model);
  const run = await planRun(arguments_, model, options, signal);
  const { jobs, folder, ids } = run;
  const todo = jobs.filter(({ finished }) => !finished);
  if (todo.length < jobs.length)
    note(`${jobs.length - todo.length} of ${jobs.length} pictures are done already.`);
  const estimator =
    todo.length > 0
      ? await loadEstimator(model, options, {
          signal,
          ...(options.batchSize !== undefined && { batchSize: options.batchSize }),
          decode: {
            truncated: options.truncated,
            ...(options.maxPixels !== undefined && { maxPixels: options.maxPixels }),
          },
        })
      : undefined;
  try {
    await folder?.begin();
    await estimateAll(run, todo, estimator);
    if (folder && ids) await writeCocoFiles(folder.path, () => finishedRecords(run, folder), ids);
  } finally {
    const disposed = estimator?.dispose();
    // An interrupted command says so at once; the process then waits for the engine by itself.
    if (!signal.aborted) await disposed;
  }
}

async function planRun(
  arguments_: readonly string[],
  model: string,
  options: PoseCommandOptions,
  signal: AbortSignal,
): Promise<Run> {
  const out = options.out ?? (options.json ? undefined : DEFAULT_OUT);
  const boxes = options.boxes === undefined ? undefined : await readBoxesFile(options.boxes);
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
      : await openRunFolder(out, await settingsOf(model, options), {
          overwrite: options.overwrite ?? false,
          outputs: outputsOf(paths.values()),
        });
  const boxesOf = ({ name, source }: PoseInput) => boxes?.forFile(name) ?? boxes?.forFile(source);
  const jobs: Job[] = [];
  const planned = mapAhead(inputs, READING_AHEAD, async (input): Promise<Job> => {
    const source = folder?.sourceOf(input.location, input.source) ?? input.source;
    const job = { input, source, boxes: boxesOf(input), paths: paths?.get(input) };
    return { ...job, finished: !options.overwrite && (await isFinished(job, folder)) };
  });
  for await (const job of planned) jobs.push(job);
  return { jobs, folder, ids, options, signal };
}

/** The pictures that the boxes file mentions; all without one. */
function withBoxes(
  inputs: readonly PoseInput[],
  boxes: BoxesFile | undefined,
  file: string | undefined,
): readonly PoseInput[] {
  if (!boxes) return inputs;
  const mentioned = inputs.filter(
    ({ name, source }) => (boxes.forFile(name) ?? boxes.forFile(source)) !== undefined,
  );
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
async function settingsOf(model: string, options: PoseCommandOptions): Promise<Record<string, unknown>> {
  const { arch, input, keypoints, codec, refinement, blurKernel, sigma } = options;
  return {
    version: packageVersion(),
    model: await identityOf(model),
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

/** Runs the network on what is to do, writes and prints results in the order of the pictures, and reports. */
async function estimateAll(
  run: Run,
  todo: readonly Job[],
  estimator: PoseEstimator | undefined,
): Promise<void> {
  const { jobs, folder, options, signal } = run;
  const json = options.json ? jsonArrayWriter(process.stdout) : undefined;
  const progress = createProgress({ label: "pose", unit: "images", total: todo.length });
  const requests = todo.map((job): Request => ({ image: job.input.source, boxes: job.boxes, job }));
  const outcomes = estimator
    ? mapAhead(estimator.stream(requests, { signal }), WRITING_AHEAD, (result) =>
        finish(run, estimator, result),
      )
    : undefined;
  const failures: Failure[] = [];
  const started = performance.now();
  let [done, persons] = [0, 0];
  try {
    for (const job of jobs) {
      if (job.finished) {
        if (json && folder) await print(run, job, await recordOfFinished(job, folder), json);
        continue;
      }
      const outcome: Outcome = (await outcomes!.next()).value;
      if (json) await print(run, job, outcome, json);
      if ("error" in outcome) failures.push({ source: job.source, error: outcome.error });
      else persons += outcome.record.persons.length;
      progress.update(++done, job.source);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new HRNetError(
      "aborted",
      `Interrupted.${folder ? " Run the same command again to continue." : ""}`,
    );
  } finally {
    json?.end();
    await outcomes?.return(undefined);
    const seconds = (performance.now() - started) / 1000;
    progress.finish(summary({ done, total: todo.length, failed: failures.length, persons, seconds, folder }));
  }
  reportFailures(failures);
}

/** Draws and writes what the network found in one picture. */
async function finish(
  { folder, options }: Run,
  estimator: PoseEstimator,
  result: PoseResult<Request>,
): Promise<Outcome> {
  if ("error" in result) return { error: result.error };
  const { job } = result.item;
  const record = recordOf(job.source, result.image, estimator.description.name, result.persons, folder);
  try {
    const drawing = { format: options.draw, minScore: options.minScore };
    if (job.paths) await writeResults(job.paths, record, result.image, estimator.skeleton, drawing);
    return { record };
  } catch (error) {
    // A picture that cannot be encoded is its own fault; a disk that is full is not.
    if (error instanceof HRNetError && error.code === "invalid-image") return { error };
    throw error;
  }
}

/** One picture as elements of the array on stdout: its record or error, or its persons as COCO results. */
async function print({ ids }: Run, job: Job, outcome: Outcome, json: JsonArrayWriter): Promise<void> {
  if ("error" in outcome) {
    const { code, message } = outcome.error;
    if (!ids) await json.write({ source: job.source, error: { code, message } });
  } else if (ids) {
    for (const result of cocoResults(outcome.record, ids.ids.get(job.input)!)) await json.write(result);
  } else {
    await json.write(outcome.record);
  }
}

/** A record that was there when the run began. */
async function recordOfFinished({ paths }: Job, folder: RunFolder): Promise<Outcome> {
  const record = paths && (await readRecord(paths.record, folder));
  if (record) return { record };
  throw new HRNetError(
    "read-failed",
    `${paths?.record} was changed or removed meanwhile. Run the command again.`,
  );
}

/** Records of all pictures that are done, in order, one in memory at a time. */
async function* finishedRecords({ jobs }: Run, folder: RunFolder) {
  for (const { input, paths } of jobs) {
    const record = paths && (await readRecord(paths.record, folder));
    if (record) yield { input, record };
  }
}

interface Failure {
  readonly source: string;
  readonly error: HRNetError;
}

interface Totals {
  readonly done: number;
  readonly total: number;
  readonly failed: number;
  readonly persons: number;
  readonly seconds: number;
  readonly folder: RunFolder | undefined;
}

const plural = (count: number, word: string): string => `${count} ${word}${count === 1 ? "" : "s"}`;

/** `12 pictures, 15 persons in 3 s (4.0 pictures/s), results in out`. */
function summary({ done, total, failed, persons, seconds, folder }: Totals): string {
  const succeeded = done - failed;
  const pictures =
    done < total ? `${succeeded} of ${plural(total, "picture")}` : plural(succeeded, "picture");
  const speed = done > 1 ? ` (${(done / seconds).toPrecision(3)} pictures/s)` : "";
  const where = folder ? `, results in ${folder.path}` : "";
  return `${pictures}, ${plural(persons, "person")} in ${duration(seconds)}${speed}${where}`;
}

function reportFailures(failures: readonly Failure[]): void {
  if (failures.length === 0) return;
  process.exitCode = 1;
  note(`${plural(failures.length, "picture")} could not be done:`);
  for (const { source, error } of failures.slice(0, LISTED_FAILURES)) {
    note(error.message.includes(source) ? `  ${error.message}` : `  ${source}: ${error.message}`);
  }
  const more = failures.length - LISTED_FAILURES;
  if (more > 0) note(`  … and ${more} more`);
}

function note(line: string): void {
  process.stderr.write(`${line}\n`);
}
