// Batches of samples, made ahead in worker threads: the same from one seed whatever the number of threads.

import { HRNetError, messageOf } from "../errors.ts";
import { type Tensor, tensor } from "../tensor/tensor.ts";
import { type BatchLane, type LaneOptions, openInlineLane, openWorkerLane } from "./batch-lane.ts";
import { checkGroups, epochLength, epochOrder, type SampleGroup } from "./epoch-order.ts";
import { type BatchRequest, type FilledBatch, mostProblems } from "./fill-batch.ts";
import type { SampleField } from "./sample-source.ts";

/** Options of {@link openBatchLoader}. */
export interface BatchLoaderOptions {
  /** A module that exports `openSampleSource`; see `OpenSampleSource`. */
  readonly module: URL;
  /** Given to `openSampleSource` of every thread: plain data, or what else can be cloned (`SharedArrayBuffer`: not copied). */
  readonly settings: unknown;
  readonly batchSize: number;
  /** A whole number; the order of samples and their random numbers follow from it. */
  readonly seed: number;
  /** Threads that fill batches, a whole batch each; 0: the calling thread, between its other work. */
  readonly workers: number;
  /** Whether each epoch has an order of its own; otherwise samples come by index. */
  readonly shuffle: boolean;
  /** Batches made before they are asked for. Default: one more than workers, at least 2. */
  readonly ahead?: number;
  /** How often the source's samples are seen, by consecutive groups; left out: each once an epoch. */
  readonly groups?: readonly SampleGroup[];
  /**
   * What becomes of samples that do not fill a batch: `drop` (default) leaves them out, other ones each epoch when
   * shuffled; `pad` fills the last batch up with samples from the epoch's beginning, see {@link Batch.valid}. An epoch
   * shorter than one batch is repeated to fill it.
   */
  readonly partial?: "drop" | "pad";
  /** A line for each sample that cannot be had (once), which the next one replaces. */
  readonly onProblem?: (line: string) => void;
  /** Ends the loader and its threads. */
  readonly signal?: AbortSignal;
}

/** Samples side by side. */
export interface Batch {
  /** Fields with the purpose `feed` by name: batch × shape. Each has a buffer of its own, which may be handed over. */
  readonly feeds: Record<string, Tensor>;
  /** Fields with the purpose `note`. */
  readonly notes: Record<string, Tensor>;
  /** The samples' indices in the source. */
  readonly indices: Int32Array;
  /** Samples that count, from the first on: all, but in the last batch with `partial: "pad"`. */
  readonly valid: number;
  /** How long the caller waited for this batch, in milliseconds. */
  readonly waitedMs: number;
}

/** Makes batches; see {@link openBatchLoader}. */
export interface BatchLoader extends AsyncDisposable {
  readonly fields: readonly SampleField[];
  /** Samples of an epoch. */
  readonly length: number;
  readonly batchesPerEpoch: number;
  /**
   * Batches `from`, `from` + 1, … of an epoch: the same that an uninterrupted epoch gives.
   * @throws HRNetError `invalid-data` when too many samples cannot be had (1 %, at least 10), `aborted` through the
   * signal, `read-failed` when a thread dies, `usage` after dispose
   */
  batches(epoch: number, from?: number): AsyncGenerator<Batch, void, undefined>;
  /** Ends the threads. What is still being waited for fails with `aborted`. */
  dispose(): Promise<void>;
}

/**
 * Opens a source of samples in every thread.
 * @throws HRNetError `usage` for options out of range; as the source; `aborted`
 */
export async function openBatchLoader(options: BatchLoaderOptions): Promise<BatchLoader> {
  const { workers, signal } = options;
  checkWhole("batchSize", options.batchSize, 1, 2 ** 16);
  checkWhole("workers", workers, 0, 256);
  checkWhole("ahead", options.ahead ?? 0, 0, 1024);
  if (!Number.isSafeInteger(options.seed)) {
    throw new HRNetError("usage", `seed was given as ${options.seed}; it must be a whole number.`);
  }
  if (signal?.aborted) throw cancelled(signal);
  const problems = new Problems(options.onProblem ?? (() => {}));
  const lane: LaneOptions = {
    module: options.module.href,
    settings: options.settings,
    onProblem: (message) => problems.add(message),
    signal,
  };
  const opened = await Promise.allSettled(
    workers === 0 ? [openInlineLane(lane)] : Array.from({ length: workers }, () => openWorkerLane(lane)),
  );
  const lanes = opened.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  const rejected = opened.find((result) => result.status === "rejected");
  try {
    if (signal?.aborted) throw cancelled(signal);
    if (rejected) throw rejected.reason;
    const groups = checkGroups(options.groups, lanes[0]!.length);
    return new Loader(options, groups, lanes, problems);
  } catch (error) {
    await Promise.all(lanes.map((one) => one.end()));
    throw error;
  }
}

/** Samples that could not be had, each counted once. */
class Problems {
  readonly messages = new Set<string>();
  readonly #onProblem: (line: string) => void;
  onNew: () => void = () => {};

  constructor(onProblem: (line: string) => void) {
    this.#onProblem = onProblem;
  }

  add(message: string): void {
    if (this.messages.has(message)) return;
    this.messages.add(message);
    this.#onProblem(message);
    this.onNew();
  }
}

/** A request that has not been answered. */
interface Job {
  readonly request: BatchRequest;
  readonly resolve: (batch: FilledBatch) => void;
  readonly reject: (error: unknown) => void;
}

class Loader implements BatchLoader {
  readonly fields: readonly SampleField[];
  readonly length: number;
  readonly batchesPerEpoch: number;
  readonly #options: BatchLoaderOptions;
  readonly #groups: readonly SampleGroup[];
  readonly #lanes: readonly BatchLane[];
  readonly #idle: BatchLane[];
  readonly #jobs = new Set<Job>();
  #waiting: Job[] = [];
  #failure: HRNetError | undefined;

  constructor(
    options: BatchLoaderOptions,
    groups: readonly SampleGroup[],
    lanes: readonly BatchLane[],
    problems: Problems,
  ) {
    const { batchSize, partial = "drop", signal } = options;
    this.fields = lanes[0]!.fields;
    this.length = epochLength(groups);
    this.batchesPerEpoch = Math.max(
      1,
      partial === "pad" ? Math.ceil(this.length / batchSize) : Math.floor(this.length / batchSize),
    );
    this.#options = options;
    this.#groups = groups;
    this.#lanes = lanes;
    this.#idle = [...lanes];
    const most = mostProblems(lanes[0]!.length);
    problems.onNew = () => {
      if (problems.messages.size > most) this.#fail(tooManyProblems(problems.messages, lanes[0]!.length));
    };
    signal?.addEventListener("abort", this.#abort, { once: true });
  }

  async *batches(epoch: number, from = 0): AsyncGenerator<Batch, void, undefined> {
    checkWhole("epoch", epoch, 0, 2 ** 31 - 1);
    checkWhole("from", from, 0, this.batchesPerEpoch);
    const { batchSize, workers, seed, shuffle, ahead = Math.max(2, workers + 1) } = this.#options;
    const order = epochOrder({ groups: this.#groups, seed, shuffle }, epoch);
    const pending: { readonly job: Job; readonly filled: Promise<FilledBatch> }[] = [];
    let next = from;
    try {
      for (let batch = from; batch < this.batchesPerEpoch; batch++) {
        const start = performance.now();
        while (next < this.batchesPerEpoch && next <= batch + ahead) {
          const first = next++ * batchSize;
          const indices = Int32Array.from(
            { length: batchSize },
            (_, i) => order[(first + i) % order.length]!,
          );
          pending.push(this.#ask({ seed, epoch, first, indices }));
        }
        const filled = await pending[0]!.filled;
        pending.shift();
        yield this.#batch(filled, batch, performance.now() - start);
      }
    } finally {
      // Left early: what no thread has begun need not be made.
      const mine = new Set(pending.map(({ job }) => job));
      this.#waiting = this.#waiting.filter((job) => !mine.has(job));
    }
  }

  async dispose(): Promise<void> {
    this.#fail(new HRNetError("aborted", "The batch loader was disposed of."));
    await Promise.all(this.#lanes.map((lane) => lane.end()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }

  readonly #abort = (): void => this.#fail(cancelled(this.#options.signal!));

  #ask(request: BatchRequest): { job: Job; filled: Promise<FilledBatch> } {
    let job!: Job;
    const filled = new Promise<FilledBatch>((resolve, reject) => {
      job = { request, resolve, reject };
    });
    filled.catch(() => {}); // thrown when its turn comes
    if (this.#failure) job.reject(this.#failure);
    else {
      this.#jobs.add(job);
      this.#waiting.push(job);
      this.#distribute();
    }
    return { job, filled };
  }

  #distribute(): void {
    while (this.#idle.length > 0 && this.#waiting.length > 0) {
      void this.#work(this.#idle.pop()!, this.#waiting.shift()!);
    }
  }

  async #work(lane: BatchLane, job: Job): Promise<void> {
    try {
      job.resolve(await lane.fill(job.request));
      this.#jobs.delete(job);
    } catch (error) {
      // Whatever ended it first (a cancellation, too many problems) is what is reported.
      this.#fail(error instanceof HRNetError ? error : new HRNetError("invalid-data", messageOf(error)));
      return;
    }
    this.#idle.push(lane);
    this.#distribute();
  }

  /** Nothing is made any more; whoever waits is told why. */
  #fail(error: HRNetError): void {
    if (this.#failure) return;
    this.#failure = error;
    this.#options.signal?.removeEventListener("abort", this.#abort);
    this.#waiting = [];
    for (const job of this.#jobs) job.reject(error);
    this.#jobs.clear();
    for (const lane of this.#lanes) void lane.end();
  }

  #batch({ arrays, indices }: FilledBatch, index: number, waitedMs: number): Batch {
    const { batchSize, partial = "drop" } = this.#options;
    const feeds: Record<string, Tensor> = {};
    const notes: Record<string, Tensor> = {};
    this.fields.forEach(({ name, dtype, shape, purpose = "feed" }, f) => {
      (purpose === "feed" ? feeds : notes)[name] = tensor(dtype, [batchSize, ...shape], arrays[f]!);
    });
    const valid = partial === "pad" ? Math.min(batchSize, this.length - index * batchSize) : batchSize;
    return { feeds, notes, indices, valid, waitedMs };
  }
}

function checkWhole(name: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw new HRNetError(
    "usage",
    `${name} was given as ${value}; it must be a whole number from ${least} to ${most}.`,
  );
}

function cancelled(signal: AbortSignal): HRNetError {
  return new HRNetError("aborted", "Loading of samples was cancelled by the caller.", {
    cause: signal.reason,
  });
}

const NAMED_PROBLEMS = 3;

function tooManyProblems(messages: ReadonlySet<string>, length: number): HRNetError {
  const first = [...messages].slice(0, NAMED_PROBLEMS).map((message) => `\n  ${message}`);
  return new HRNetError(
    "invalid-data",
    `${messages.size} of ${length} samples cannot be loaded, too many to go on without them. The first are:${first.join("")}\n` +
      "Check the folder of pictures and the annotations.",
  );
}
