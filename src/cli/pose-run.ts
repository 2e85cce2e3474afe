// A run of `hrnet pose`: streams the pictures through the estimator, writes and prints results, reports.

import { HRNetError } from "../errors.ts";
import { mapAhead } from "../estimators/map-ahead.ts";
import type { PoseEstimator, PoseRequest, PoseResult } from "../estimators/pose-estimator.ts";
import { type JsonArrayWriter, jsonArrayWriter } from "./json-array.ts";
import { cocoResults, writeCocoFiles } from "./pose-coco.ts";
import { loadEstimator } from "./pose-model.ts";
import { type PoseRecord, readRecord, recordOf, writeResults } from "./pose-output.ts";
import { type Job, note, type PoseCommandOptions, planRun, type Run } from "./pose-plan.ts";
import { createProgress, duration } from "./progress.ts";
import type { RunFolder } from "./run-folder.ts";

/** Pictures drawn, encoded and written while the network works on the next. */
const WRITING_AHEAD = 2;

/** Failed pictures that are listed one by one. */
const LISTED_FAILURES = 20;

type Request = PoseRequest & { readonly job: Job };
type Outcome = { readonly record: PoseRecord } | { readonly error: HRNetError };

/**
 * Does what a command line asks for.
 * @throws HRNetError for what is wrong with the run as a whole; pictures that fail are listed, and set the exit code 1.
 */
export async function runPose(
  arguments_: readonly string[],
  options: PoseCommandOptions,
  signal: AbortSignal,
): Promise<void> {
  const run = await planRun(arguments_, options, signal);
  const { jobs, folder, ids } = run;
  const todo = jobs.filter(({ finished }) => !finished);
  const finished = jobs.length - todo.length;
  if (finished > 0)
    note(`${finished} of ${jobs.length} pictures were done before${folder ? `, in ${folder.path}` : ""}.`);
  const estimator =
    todo.length > 0
      ? await loadEstimator(options, {
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

/** Runs the network on what is to do, writes and prints results in the order of the pictures, and reports. */
async function estimateAll(
  run: Run,
  todo: readonly Job[],
  estimator: PoseEstimator | undefined,
): Promise<void> {
  const { jobs, folder, options, signal } = run;
  const json = options.json ? jsonArrayWriter(process.stdout) : undefined;
  const progress = createProgress({ label: "pose", unit: "images", total: todo.length });
  const requests = todo.flatMap((job): Request[] =>
    job.boxes instanceof HRNetError ? [] : [{ image: job.input.source, boxes: job.boxes, job }],
  );
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
      const faulty = job.boxes instanceof HRNetError ? { error: job.boxes } : undefined;
      const outcome: Outcome = faulty ?? (await outcomes!.next()).value;
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
    const failed = failures.length;
    if (todo.length > 0)
      progress.finish(summary({ done, total: todo.length, failed, persons, seconds, folder }));
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
