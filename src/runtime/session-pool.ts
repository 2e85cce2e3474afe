// Several sessions of one model side by side. A second thread inside a session gains little when kernels are small;
// a second session with a thread of its own doubles the pictures per second.

import { HRNetError } from "../errors.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { openSession } from "./node.ts";
import type { ModelSession, RunOptions, SessionOptions } from "./session.ts";
import { availableCpus } from "./threads.ts";

/**
 * Sessions of one model that share its runs. Unlike those of a single session, the feeds of a run must stay as they are
 * until it is done: it may wait for a session first.
 */
export interface SessionPool extends ModelSession {
  /** How many runs are done at the same time. */
  readonly size: number;
}

/** How a pool is opened. */
export interface SessionPoolOptions extends SessionOptions {
  /**
   * Sessions on the CPU, sharing `threads`; elsewhere there is one. `1` (default) answers a single run soonest; `auto`
   * does most runs per second: a session per thread, as long as the copies of the model stay within 1 GiB.
   */
  readonly sessions?: number | "auto";
}

/** Memory that the copies of a model may take. */
const MAX_COPIES_BYTES = 2 ** 30;

/**
 * Opens a model as a pool. A run is done by the session that is free first.
 * @param model the bytes of an `.onnx` file
 * @throws HRNetError as {@link openSession}; `usage` for a number of sessions that is no whole number from 1
 */
export async function openSessionPool(
  model: Uint8Array,
  options: SessionPoolOptions = {},
): Promise<SessionPool> {
  const { sessions = 1, threads = availableCpus(), transfer = false, ...rest } = options;
  if (sessions !== "auto" && (!Number.isInteger(sessions) || sessions < 1)) {
    throw new HRNetError(
      "usage",
      `sessions was given as ${sessions}; it must be auto or a whole number from 1.`,
    );
  }
  const fitting = Math.max(1, Math.floor(MAX_COPIES_BYTES / model.byteLength));
  const wanted = sessions === "auto" ? Math.min(Math.floor(threads), fitting) : sessions;
  // A wrong number of threads is left for the first session to refuse.
  const shared = { ...rest, threads: wanted > 1 ? Math.max(1, Math.floor(threads / wanted)) : threads };
  const first = await openSession(model, { ...shared, transfer: transfer && wanted === 1 });
  const members = [first];
  if (first.device === "cpu") {
    // What is to be said of the device was said by the first.
    const quiet = { ...shared, onLog: () => {}, device: first.device };
    try {
      while (members.length < wanted) members.push(await openSession(model, quiet));
    } catch (error) {
      await Promise.all(members.map((member) => member.dispose()));
      throw error;
    }
    if (wanted > 1) options.onLog?.(`${wanted} sessions side by side`);
  }
  return new Pool(members);
}

/** A run that waits for a session. */
interface Waiting {
  readonly resolve: (session: ModelSession) => void;
  readonly reject: (error: HRNetError) => void;
}

class Pool implements SessionPool {
  readonly inputs: ModelSession["inputs"];
  readonly outputs: ModelSession["outputs"];
  readonly device: ModelSession["device"];
  readonly metadata: ModelSession["metadata"];
  readonly size: number;
  readonly #members: readonly ModelSession[];
  readonly #idle: ModelSession[];
  /** One queue for all: a run given to one session beforehand would wait while another is idle. */
  readonly #waiting: Waiting[] = [];
  #disposed = false;

  constructor(members: readonly ModelSession[]) {
    const first = members[0]!;
    this.inputs = first.inputs;
    this.outputs = first.outputs;
    this.device = first.device;
    this.metadata = first.metadata;
    this.size = members.length;
    this.#members = members;
    this.#idle = [...members];
  }

  async run(
    feeds: Readonly<Record<string, Tensor>>,
    options: RunOptions = {},
  ): Promise<Record<string, Tensor>> {
    // One session has a queue of its own. It also says what is wrong with a cancelled run, or one after dispose.
    if (this.size === 1 || options.signal?.aborted || this.#disposed) {
      return this.#members[0]!.run(feeds, options);
    }
    const session = this.#idle.pop() ?? (await this.#freed(options.signal));
    try {
      return await session.run(feeds, options);
    } finally {
      const next = this.#waiting.shift();
      if (next) next.resolve(session);
      else this.#idle.push(session);
    }
  }

  async dispose(): Promise<void> {
    this.#disposed = true;
    for (const { reject } of this.#waiting.splice(0)) {
      reject(new HRNetError("aborted", "The sessions were disposed of before the run began."));
    }
    await Promise.all(this.#members.map((member) => member.dispose()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }

  /** The next session that has nothing left to do. */
  #freed(signal: AbortSignal | undefined): Promise<ModelSession> {
    return new Promise((resolve, reject) => {
      const entry: Waiting = {
        resolve: (session) => {
          signal?.removeEventListener("abort", abort);
          resolve(session);
        },
        reject: (error) => {
          signal?.removeEventListener("abort", abort);
          reject(error);
        },
      };
      const abort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(entry), 1);
        entry.reject(
          new HRNetError("aborted", "The run was cancelled by the caller.", { cause: signal?.reason }),
        );
      };
      signal?.addEventListener("abort", abort, { once: true });
      this.#waiting.push(entry);
    });
  }
}
