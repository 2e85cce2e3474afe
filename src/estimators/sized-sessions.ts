// Sessions of one network for the sizes of input that came last: opened when first needed.

import { openSession } from "../runtime/node.ts";
import type { ModelSession, SessionOptions } from "../runtime/session.ts";

/** How sessions run. */
export interface SizedSessionOptions {
  readonly device?: SessionOptions["device"] | undefined;
  readonly threads?: SessionOptions["threads"] | undefined;
  readonly spinning?: SessionOptions["spinning"] | undefined;
  readonly onLog?: SessionOptions["onLog"] | undefined;
  /** Sessions that stay open. */
  readonly kept: number;
}

/** Sessions by key. */
export class SizedSessions implements AsyncDisposable {
  readonly #options: SizedSessionOptions;
  readonly #sessions = new Map<string, Promise<ModelSession>>();

  constructor(options: SizedSessionOptions) {
    this.#options = options;
  }

  /**
   * The session of that key, opened or taken from those that are.
   * @param build its model
   * @throws HRNetError as `openSession`
   */
  async get(key: string, build: () => Uint8Array): Promise<ModelSession> {
    const known = this.#sessions.get(key);
    if (known) {
      this.#sessions.delete(key);
      this.#sessions.set(key, known); // the latest is the last
      return known;
    }
    const { device, threads, spinning, onLog, kept } = this.#options;
    if (this.#sessions.size >= kept) {
      const [oldest, session] = this.#sessions.entries().next().value!;
      this.#sessions.delete(oldest);
      await (await session.catch(() => undefined))?.dispose();
    }
    const opened = openSession(build(), {
      transfer: true,
      ...(device && { device }),
      ...(threads !== undefined && { threads }),
      ...(spinning !== undefined && { spinning }),
      ...(onLog && { onLog }),
    });
    this.#sessions.set(key, opened);
    opened.catch(() => this.#sessions.delete(key));
    return opened;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const open = [...this.#sessions.values()];
    this.#sessions.clear();
    for (const session of open) await (await session.catch(() => undefined))?.dispose();
  }
}
