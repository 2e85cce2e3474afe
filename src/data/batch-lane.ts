// One filler of batches: a worker thread, or the calling thread, behind the same interface.

import type { Worker } from "node:worker_threads";
import { HRNetError, messageOf } from "../errors.ts";
import { startWorker } from "../threads/start-worker.ts";
import type { BatchWorkerData, FromBatchWorker, SourceShape, ToBatchWorker } from "./batch-protocol.ts";
import { type BatchRequest, type FilledBatch, fillBatch, openSource } from "./fill-batch.ts";

/** Fills one batch at a time. */
export interface BatchLane extends SourceShape {
  fill(request: BatchRequest): Promise<FilledBatch>;
  /** Gives up what it is at and frees everything. */
  end(): Promise<void>;
}

/** What a lane is opened with. */
export interface LaneOptions {
  /** Address of the sample module. */
  readonly module: string;
  readonly settings: unknown;
  readonly onProblem: (message: string) => void;
  /** Ends the lane while it opens. */
  readonly signal?: AbortSignal | undefined;
}

/** How long a worker that was asked to stop may take before it is cut off. */
const PATIENCE_MS = 1000;

/**
 * A lane in the calling thread.
 * @throws HRNetError as the source, `invalid-data` around errors that are none of ours
 */
export async function openInlineLane({ module, settings, onProblem }: LaneOptions): Promise<BatchLane> {
  let ended = false;
  const source = await openSource(module, settings).catch((error: unknown) => {
    throw laneError(error instanceof HRNetError ? error.code : undefined, messageOf(error), error);
  });
  return {
    fields: source.fields,
    length: source.length,
    async fill(request) {
      try {
        const batch = await fillBatch(source, request, { onProblem, stopped: () => ended });
        if (batch !== undefined) return batch;
      } catch (error) {
        throw laneError(error instanceof HRNetError ? error.code : undefined, messageOf(error), error);
      }
      throw stoppedError();
    },
    async end() {
      ended = true;
    },
  };
}

/**
 * A lane in a worker thread, which keeps the process alive exactly while something is awaited from it.
 * @throws HRNetError as {@link openInlineLane}; `aborted` through the signal; `read-failed` when the thread dies
 */
export async function openWorkerLane(options: LaneOptions): Promise<BatchLane> {
  const { module, settings, onProblem, signal } = options;
  const workerData: BatchWorkerData = { module, settings, stop: new Int32Array(new SharedArrayBuffer(4)) };
  const connection = new WorkerConnection(workerData, onProblem);
  const abort = (): void => void connection.end();
  signal?.addEventListener("abort", abort, { once: true });
  try {
    const { fields, length } = await connection.opened;
    return {
      fields,
      length,
      fill: (request) => connection.fill(request),
      end: () => connection.end(),
    };
  } catch (error) {
    await connection.end();
    throw error;
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

interface Waiting<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: HRNetError) => void;
}

/** The caller's end of a worker. */
class WorkerConnection {
  readonly opened: Promise<SourceShape>;
  readonly #worker: Worker;
  readonly #stop: Int32Array<SharedArrayBuffer>;
  readonly #exited: Promise<void>;
  #opening: Waiting<SourceShape> | undefined;
  #filling: Waiting<FilledBatch> | undefined;
  #ending: Promise<void> | undefined;
  /** Why nothing can be asked of it any more. */
  #endError: HRNetError | undefined;

  constructor(workerData: BatchWorkerData, onProblem: (message: string) => void) {
    this.#stop = workerData.stop;
    this.#worker = startWorker("./batch-worker", import.meta.url, { name: "hrnet-batches", workerData });
    this.opened = new Promise((resolve, reject) => {
      this.#opening = { resolve, reject };
    });
    this.#worker.ref();
    let cause: unknown; // a worker that dies says so with `error`, then always ends with `exit`
    this.#worker.on("error", (error) => {
      cause = error;
    });
    this.#exited = new Promise((resolve) => {
      this.#worker.once("exit", () => {
        this.#endError = this.#ending ? stoppedError() : diedError(cause);
        this.#reject(this.#endError);
        resolve();
      });
    });
    this.#worker.on("message", (message: FromBatchWorker) => {
      if (message.type === "problem") onProblem(message.message);
      else this.#settle(message);
    });
  }

  fill(request: BatchRequest): Promise<FilledBatch> {
    if (this.#endError || this.#ending) return Promise.reject(this.#endError ?? stoppedError());
    this.#worker.ref();
    this.#post({ type: "fill", request });
    return new Promise((resolve, reject) => {
      this.#filling = { resolve, reject };
    });
  }

  end(): Promise<void> {
    this.#ending ??= this.#end();
    return this.#ending;
  }

  async #end(): Promise<void> {
    this.#worker.ref();
    Atomics.store(this.#stop, 0, 1);
    this.#post({ type: "stop" });
    const timer = setTimeout(() => void this.#worker.terminate(), PATIENCE_MS);
    await this.#exited;
    clearTimeout(timer);
  }

  #settle(message: Exclude<FromBatchWorker, { type: "problem" }>): void {
    if (message.type === "failed") this.#reject(laneError(message.code, message.message));
    else {
      if (message.type === "opened") this.#opening?.resolve(message);
      else this.#filling?.resolve(message.batch);
      this.#idle();
    }
  }

  #reject(error: HRNetError): void {
    this.#opening?.reject(error);
    this.#filling?.reject(error);
    this.#idle();
  }

  #idle(): void {
    this.#opening = undefined;
    this.#filling = undefined;
    if (!this.#ending) this.#worker.unref();
  }

  #post(message: ToBatchWorker): void {
    this.#worker.postMessage(message);
  }
}

function laneError(code: HRNetError["code"] | undefined, message: string, cause?: unknown): HRNetError {
  return code === undefined
    ? new HRNetError("invalid-data", `Samples cannot be loaded: ${message}`, { cause })
    : new HRNetError(code, message, { cause });
}

function diedError(cause: unknown): HRNetError {
  const why = cause === undefined ? "it ended before it answered" : messageOf(cause);
  return new HRNetError(
    "read-failed",
    `A thread that loads samples died: ${why}. If memory is short, use fewer workers, smaller batches or a smaller cache.`,
    { cause },
  );
}

function stoppedError(): HRNetError {
  return new HRNetError("aborted", "Loading of samples was stopped.");
}
