// A run over pictures, whatever is looked for in them: what is to do and what an earlier run has finished; results in the order of
// the pictures, to files and to stdout; progress, failures, interruption.

import { resolve } from "node:path";
import { HRNetError } from "../errors.ts";
import { mapAhead } from "../estimators/map-ahead.ts";
import type { RgbImage } from "../image/rgb-image.ts";
import { type JsonArrayWriter, jsonArrayWriter } from "./json-array.ts";
import { findPictures, type PictureInput } from "./picture-inputs.ts";
import { DEFAULT_OUT, type PictureRecord, readRecord } from "./picture-output.ts";
import { createProgress, duration } from "./progress.ts";
import { openRunFolder, type RunFolder, type RunSettings } from "./run-folder.ts";

/** Files read at once to see what is finished. */
const READING_AHEAD = 16;

/** Pictures drawn, encoded and written while the network works on the next. */
const WRITING_AHEAD = 2;

/** Failed pictures that are listed one by one. */
const LISTED_FAILURES = 20;

/** Options that every verb over pictures has. */
export interface PictureRunOptions {
  readonly out?: string;
  readonly json?: boolean;
  readonly overwrite?: boolean;
}

/** Paths of a picture's results; its record is written last. */
export interface ResultPaths {
  readonly record: string;
}

/** One picture of a run. */
export interface PictureJob<Paths extends ResultPaths> {
  readonly input: PictureInput;
  /** As results name it. */
  readonly source: string;
  /** `undefined`: results go to stdout alone. */
  readonly paths: Paths | undefined;
}

/** What was found in a picture, or why it could not be looked at. */
export type PictureResult<Paths extends ResultPaths, Found> =
  | { readonly job: PictureJob<Paths>; readonly image: RgbImage; readonly found: Found }
  | { readonly job: PictureJob<Paths>; readonly error: HRNetError };

/** A model at work. */
export interface PictureWorker<Paths extends ResultPaths, Found, R extends PictureRecord> {
  /** Looks at pictures, in their order. */
  stream(jobs: readonly PictureJob<Paths>[], signal: AbortSignal): AsyncIterable<PictureResult<Paths, Found>>;
  /** Draws and writes what was found, the record last; draws into the picture. */
  finish(job: PictureJob<Paths>, image: RgbImage, found: Found, run: RunFolder | undefined): Promise<R>;
  dispose(): Promise<void>;
}

/** What a verb does with pictures. */
export interface PictureTask<Paths extends ResultPaths, Found, R extends PictureRecord> {
  /** Beside the progress bar. */
  readonly label: string;
  /** What is counted beside pictures: `person`, and how many a record has. */
  readonly counted: { readonly word: string; readonly of: (record: R) => number };
  /** The pictures to work on, of those that were found; called once, before all else. */
  choose(inputs: readonly PictureInput[]): readonly PictureInput[];
  pathsOf(inputs: readonly PictureInput[], out: string): ReadonlyMap<PictureInput, Paths>;
  /** What results depend on. */
  settings(): Promise<RunSettings>;
  /** Whether a parsed record of this run is whole. */
  isRecord(value: Partial<R>): boolean;
  /** Why a picture cannot be looked at, known before its turn. */
  faultOf?(input: PictureInput): HRNetError | undefined;
  open(signal: AbortSignal): Promise<PictureWorker<Paths, Found, R>>;
  /** What stdout shows of a picture with `--json`; the record itself where this is left out. */
  elementsOf?(input: PictureInput, record: R): readonly unknown[];
  /** Whether stdout tells of pictures that failed. Default true. */
  readonly printsErrors?: boolean;
  /** Writes what is made of all records, once every picture is done. */
  conclude?(
    folder: RunFolder,
    records: () => AsyncIterable<{ readonly input: PictureInput; readonly record: R }>,
  ): Promise<void>;
}

/** A job, and whether an earlier run has done it. */
type PlannedJob<Paths extends ResultPaths> = PictureJob<Paths> & { readonly finished: boolean };

type Outcome<R> = { readonly record: R } | { readonly error: HRNetError };

/**
 * Does what a command line asks for.
 * @throws HRNetError for what is wrong with the run as a whole; pictures that fail are listed, and set the exit code 1.
 */
export async function runOnPictures<Paths extends ResultPaths, Found, R extends PictureRecord>(
  arguments_: readonly string[],
  options: PictureRunOptions,
  task: PictureTask<Paths, Found, R>,
  signal: AbortSignal,
): Promise<void> {
  const run = new PictureRun(task, options, signal);
  await run.plan(arguments_);
  await run.carryOut();
}

class PictureRun<Paths extends ResultPaths, Found, R extends PictureRecord> {
  readonly #task: PictureTask<Paths, Found, R>;
  readonly #options: PictureRunOptions;
  readonly #signal: AbortSignal;
  #jobs: PlannedJob<Paths>[] = [];
  #folder: RunFolder | undefined;

  constructor(task: PictureTask<Paths, Found, R>, options: PictureRunOptions, signal: AbortSignal) {
    this.#task = task;
    this.#options = options;
    this.#signal = signal;
  }

  /** Checks everything that can be checked before a network is opened. */
  async plan(arguments_: readonly string[]): Promise<void> {
    const { json, overwrite = false } = this.#options;
    const out = this.#options.out ?? (json ? undefined : DEFAULT_OUT);
    const inputs = this.#task.choose(await findPictures(arguments_, out && resolve(out)));
    const paths = out === undefined ? undefined : this.#task.pathsOf(inputs, out);
    if (out !== undefined && paths !== undefined) {
      const outputs = outputsOf(paths.values());
      this.#folder = await openRunFolder(out, await this.#task.settings(), { overwrite, outputs });
    }
    const folder = this.#folder;
    const planned = mapAhead(inputs, READING_AHEAD, async (input): Promise<PlannedJob<Paths>> => {
      const source = folder?.sourceOf(input.location, input.source) ?? input.source;
      const job = { input, source, paths: paths?.get(input) };
      return { ...job, finished: !overwrite && (await this.#isFinished(job)) };
    });
    for await (const job of planned) this.#jobs.push(job);
  }

  async carryOut(): Promise<void> {
    const folder = this.#folder;
    const todo = this.#jobs.filter(({ finished }) => !finished);
    const finished = this.#jobs.length - todo.length;
    if (finished > 0)
      note(
        `${finished} of ${this.#jobs.length} pictures were done before${folder ? `, in ${folder.path}` : ""}.`,
      );
    const worker = todo.length > 0 ? await this.#task.open(this.#signal) : undefined;
    try {
      await folder?.begin();
      await this.#lookAtAll(todo, worker);
      if (folder) await this.#task.conclude?.(folder, () => this.#finishedRecords(folder));
    } finally {
      const disposed = worker?.dispose();
      // An interrupted command says so at once; the process then waits for the engine by itself.
      if (!this.#signal.aborted) await disposed;
    }
  }

  /** Runs the network on what is to do, writes and prints results in the order of the pictures, and reports. */
  async #lookAtAll(
    todo: readonly PlannedJob<Paths>[],
    worker: PictureWorker<Paths, Found, R> | undefined,
  ): Promise<void> {
    const { label, counted } = this.#task;
    const folder = this.#folder;
    const json = this.#options.json ? jsonArrayWriter(process.stdout) : undefined;
    const progress = createProgress({ label, unit: "images", total: todo.length });
    const sound = todo.filter(({ input }) => !this.#task.faultOf?.(input));
    const outcomes = worker
      ? mapAhead(worker.stream(sound, this.#signal), WRITING_AHEAD, (result) => this.#finish(worker, result))
      : undefined;
    const failures: Failure[] = [];
    const started = performance.now();
    let [done, count] = [0, 0];
    try {
      for (const job of this.#jobs) {
        if (job.finished) {
          if (json && folder) await this.#print(job, await this.#recordOfFinished(job, folder), json);
          continue;
        }
        const fault = this.#task.faultOf?.(job.input);
        const outcome: Outcome<R> = fault ? { error: fault } : (await outcomes!.next()).value;
        if (json) await this.#print(job, outcome, json);
        if ("error" in outcome) failures.push({ source: job.source, error: outcome.error });
        else count += counted.of(outcome.record);
        progress.update(++done, job.source);
      }
    } catch (error) {
      if (!this.#signal.aborted) throw error;
      throw new HRNetError(
        "aborted",
        `Interrupted.${folder ? " Run the same command again to continue." : ""}`,
      );
    } finally {
      json?.end();
      await outcomes?.return(undefined);
      const seconds = (performance.now() - started) / 1000;
      const totals = { done, total: todo.length, failed: failures.length, seconds, folder };
      if (todo.length > 0) progress.finish(summary(totals, plural(count, counted.word)));
    }
    reportFailures(failures);
  }

  /** Draws and writes what the network found in one picture. */
  async #finish(
    worker: PictureWorker<Paths, Found, R>,
    result: PictureResult<Paths, Found>,
  ): Promise<Outcome<R>> {
    if ("error" in result) return { error: result.error };
    try {
      return { record: await worker.finish(result.job, result.image, result.found, this.#folder) };
    } catch (error) {
      // A picture that cannot be encoded is its own fault; a disk that is full is not.
      if (error instanceof HRNetError && error.code === "invalid-image") return { error };
      throw error;
    }
  }

  /** One picture as elements of the array on stdout: its record or error, or what the task makes of it. */
  async #print(
    { input, source }: PictureJob<Paths>,
    outcome: Outcome<R>,
    json: JsonArrayWriter,
  ): Promise<void> {
    const { elementsOf, printsErrors = true } = this.#task;
    if ("error" in outcome) {
      const { code, message } = outcome.error;
      if (printsErrors) await json.write({ source, error: { code, message } });
      return;
    }
    const elements = elementsOf?.call(this.#task, input, outcome.record) ?? [outcome.record];
    for (const element of elements) await json.write(element);
  }

  async #isFinished({ source, paths }: PictureJob<Paths>): Promise<boolean> {
    const folder = this.#folder;
    if (!folder?.resumed || !paths) return false;
    const record = await this.#read(paths, folder);
    if (record && record.source !== source) {
      throw new HRNetError(
        "usage",
        `${paths.record} is the result of another picture, ${record.source}. Choose another folder with --out, or give ` +
          "--overwrite.",
      );
    }
    return record !== undefined;
  }

  /** A record that was there when the run began. */
  async #recordOfFinished({ paths }: PictureJob<Paths>, folder: RunFolder): Promise<Outcome<R>> {
    const record = paths && (await this.#read(paths, folder));
    if (record) return { record };
    throw new HRNetError(
      "read-failed",
      `${paths?.record} was changed or removed meanwhile. Run the command again.`,
    );
  }

  /** Records of all pictures that are done, in order, one in memory at a time. */
  async *#finishedRecords(folder: RunFolder) {
    for (const { input, paths } of this.#jobs) {
      const record = paths && (await this.#read(paths, folder));
      if (record) yield { input, record };
    }
  }

  #read({ record }: ResultPaths, folder: RunFolder): Promise<R | undefined> {
    return readRecord<R>(record, folder, (value) => this.#task.isRecord(value));
  }
}

function* outputsOf(all: Iterable<ResultPaths>): Generator<string> {
  for (const paths of all) {
    for (const path of Object.values(paths) as (string | undefined)[]) if (path !== undefined) yield path;
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
  readonly seconds: number;
  readonly folder: RunFolder | undefined;
}

const plural = (count: number, word: string): string => `${count} ${word}${count === 1 ? "" : "s"}`;

/** `12 pictures, 15 persons in 3 s (4.0 pictures/s), results in out`. */
function summary({ done, total, failed, seconds, folder }: Totals, counted: string): string {
  const succeeded = done - failed;
  const pictures =
    done < total ? `${succeeded} of ${plural(total, "picture")}` : plural(succeeded, "picture");
  const speed = done > 1 ? ` (${(done / seconds).toPrecision(3)} pictures/s)` : "";
  const where = folder ? `, results in ${folder.path}` : "";
  return `${pictures}, ${counted} in ${duration(seconds)}${speed}${where}`;
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

/** A line on stderr. */
export function note(line: string): void {
  process.stderr.write(`${line}\n`);
}
