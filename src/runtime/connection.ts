// The caller's end of a session's worker thread: messages, buffers, and who waits for what.

import { setMaxListeners } from "node:events";
import type { Worker } from "node:worker_threads";
import { HRNetError, messageOf } from "../errors.ts";
import type { Tensor, TensorArray } from "../tensor/tensor.ts";
import { startWorker } from "../threads/start-worker.ts";
import { guardExit, releaseExit } from "./exit-guard.ts";
import { decide, openFate } from "./fate.ts";
import type { FromWorker, Job, OpenSettings, SessionWorkerData, ToWorker } from "./session-protocol.ts";

/** Feed buffers kept for the next runs. */
const MAX_SPARE_BUFFERS = 4;

type Answer<Type extends FromWorker["type"]> = Extract<FromWorker, { readonly type: Type }>;

/** A question the worker has not answered. */
interface Pending<T> {
  readonly resolve: (answer: T) => void;
  readonly reject: (error: HRNetError) => void;
}

/** The caller's end of a session's worker: keeps the process alive exactly while an answer is awaited. */
export class Connection {
  private readonly worker: Worker;
  private readonly pending = new Map<number, Pending<Record<string, Tensor>>>();
  private readonly spare: ArrayBuffer[] = [];
  private readonly ended: Promise<void>;
  private awaited = 0;
  private lastId = 0;
  private opening: Pending<Answer<"opened" | "not-opened">> | undefined;
  private closing: Promise<void> | undefined;

  constructor() {
    const workerData: SessionWorkerData = { exitFlags: guardExit() };
    const worker = startWorker("./session-worker", import.meta.url, { name: "hrnet-session", workerData });
    this.worker = worker;
    worker.on("message", (message: FromWorker) => this.receive(message));
    // A worker that dies says so with `error`, then always ends with `exit`.
    let cause: unknown;
    worker.on("error", (error) => {
      cause = error;
    });
    this.ended = new Promise((resolve) => {
      worker.once("exit", () => {
        releaseExit(workerData.exitFlags);
        this.fail(cause);
        resolve();
      });
    });
  }

  get closed(): boolean {
    return this.closing !== undefined;
  }

  /** Has the worker open the model; `transfer` hands over its bytes instead of copying them. */
  open(
    model: Uint8Array | string,
    transfer: boolean,
    settings: OpenSettings,
  ): Promise<Answer<"opened" | "not-opened">> {
    const given =
      typeof model === "string" || (transfer && fillsItsBuffer(model)) ? model : new Uint8Array(model);
    // Posted before anybody waits: a buffer that cannot be handed over throws here.
    this.post(
      { type: "open", model: given, settings },
      typeof given === "string" ? [] : [given.buffer as ArrayBuffer],
    );
    this.await(1);
    return new Promise((resolve, reject) => {
      const settle = () => {
        this.opening = undefined;
        this.await(-1);
      };
      this.opening = {
        resolve: (answer) => {
          settle();
          resolve(answer);
        },
        reject: (error) => {
          settle();
          reject(error);
        },
      };
    });
  }

  /** Runs the model with feeds that fit it. They are copied, or handed over, before this returns. */
  run(
    feeds: Readonly<Record<string, Tensor>>,
    transfer: boolean,
    signal: AbortSignal | undefined,
  ): Promise<Record<string, Tensor>> {
    const { given, buffers } = this.give(feeds, transfer);
    const run = { type: "run", id: ++this.lastId, feeds: given } as const;
    return signal === undefined
      ? this.ask(run, buffers)
      : this.ask({ ...run, fate: openFate() }, buffers, signal);
  }

  /** Replaces state by values that fit it, given as the feeds of a run are. */
  async setState(values: Readonly<Record<string, Tensor>>, transfer: boolean): Promise<void> {
    const { given, buffers } = this.give(values, transfer);
    await this.ask({ type: "set-state", id: ++this.lastId, values: given }, buffers);
  }

  /** Copies of state that was set. */
  getState(names: readonly string[]): Promise<Record<string, Tensor>> {
    return this.ask({ type: "get-state", id: ++this.lastId, names });
  }

  /** Frees the session after the run it is in, and ends the worker. */
  close(): Promise<void> {
    this.closing ??= this.end();
    return this.closing;
  }

  /** Tensors to be posted: copies, or the arrays themselves where they are handed over and nobody else has them. */
  private give(
    tensors: Readonly<Record<string, Tensor>>,
    transfer: boolean,
  ): { given: Record<string, Tensor>; buffers: ArrayBuffer[] } {
    const given: Record<string, Tensor> = {};
    const buffers = new Set<unknown>();
    for (const [name, { dtype, shape, data }] of Object.entries(tensors)) {
      const whole = transfer && fillsItsBuffer(data) && !buffers.has(data.buffer);
      const own = whole ? data : this.copy(data);
      given[name] = { dtype, shape, data: own };
      buffers.add(own.buffer);
    }
    return { given, buffers: [...buffers] as ArrayBuffer[] };
  }

  private ask(
    job: Job,
    buffers: readonly ArrayBuffer[] = [],
    signal?: AbortSignal,
  ): Promise<Record<string, Tensor>> {
    this.post(job, buffers); // first, as in `open`
    const { id } = job;
    return new Promise((resolve, reject) => {
      const abort = () => {
        // Too late when the worker has kept the state the run made: then it counts as done.
        if (job.type === "run" && job.fate !== undefined && !decide(job.fate, "abandoned")) return;
        this.settle(id)?.reject(
          new HRNetError("aborted", "The run was cancelled by the caller.", { cause: signal?.reason }),
        );
      };
      const done = () => signal?.removeEventListener("abort", abort);
      if (signal !== undefined) {
        setMaxListeners(0, signal); // one signal for any number of runs is no leak
        signal.addEventListener("abort", abort, { once: true });
      }
      this.await(1);
      this.pending.set(id, {
        resolve: (outputs) => {
          done();
          resolve(outputs);
        },
        reject: (error) => {
          done();
          reject(error);
        },
      });
    });
  }

  private async end(): Promise<void> {
    for (const id of [...this.pending.keys()]) {
      this.settle(id)?.reject(
        new HRNetError("aborted", "The session was disposed of before the run was done."),
      );
    }
    this.await(1);
    this.post({ type: "dispose" });
    await this.ended;
    this.await(-1);
  }

  private receive(message: FromWorker): void {
    switch (message.type) {
      case "opened":
      case "not-opened":
        this.opening?.resolve(message);
        break;
      case "done":
        this.spare.unshift(...message.buffers);
        this.spare.splice(MAX_SPARE_BUFFERS); // the oldest go
        this.settle(message.id)?.resolve(message.outputs);
        break;
      case "failed":
        this.settle(message.id)?.reject(
          new HRNetError("inference-failed", `ONNX Runtime failed to run the model: ${message.message}`),
        );
        break;
    }
  }

  /** The worker has ended: whoever still waits is told. */
  private fail(cause: unknown): void {
    const why = cause === undefined ? "it ended before it answered" : messageOf(cause);
    const error = new HRNetError(
      "inference-failed",
      `The session's worker thread died: ${why}. Open the model again.`,
      { cause },
    );
    this.opening?.reject(error);
    for (const id of [...this.pending.keys()]) this.settle(id)?.reject(error);
    this.closing ??= Promise.resolve();
  }

  private settle(id: number): Pending<Record<string, Tensor>> | undefined {
    const entry = this.pending.get(id);
    if (this.pending.delete(id)) this.await(-1);
    return entry;
  }

  /** Counts what is awaited; the worker keeps the process alive while that is anything. */
  private await(change: 1 | -1): void {
    this.awaited += change;
    if (this.awaited > 0) this.worker.ref();
    else this.worker.unref();
  }

  private post(message: ToWorker, transfer: readonly ArrayBuffer[] = []): void {
    this.worker.postMessage(message, transfer);
  }

  /** The elements in a buffer of the same length that came back from an earlier run, or in a new one. */
  private copy(data: TensorArray): TensorArray {
    const index = this.spare.findIndex((buffer) => buffer.byteLength === data.byteLength);
    const buffer = index < 0 ? new ArrayBuffer(data.byteLength) : this.spare.splice(index, 1)[0]!;
    const copy = new (data.constructor as new (buffer: ArrayBuffer) => TensorArray)(buffer);
    copy.set(data as never);
    return copy;
  }
}

/** Whether a buffer can be handed over without taking other arrays along. */
function fillsItsBuffer(array: TensorArray): boolean {
  return array.buffer instanceof ArrayBuffer && array.byteLength === array.buffer.byteLength;
}
