// Ordered, bounded look-ahead over an iterable: the pipeline every stream of pictures runs through.

import { HRNetError } from "../errors.ts";

/** A result in the making. */
interface Pending<R> {
  readonly result: Promise<R>;
  settled: boolean;
}

/**
 * Results of `work` in the order of `items`, with up to `ahead` items in the making while the caller uses one. A result
 * is handed over as soon as it is there, also while the source is still waiting for its next item (a camera, a queue).
 * A failure of `work` or of the source is thrown when its turn comes. Ending early waits for what is in the making.
 * @param signal ends the wait for a source that has no next item yet; stopping `work` is up to `work`
 * @throws HRNetError `aborted` through `signal`
 */
export async function* mapAhead<T, R>(
  items: Iterable<T> | AsyncIterable<T>,
  ahead: number,
  work: (item: T, index: number) => Promise<R>,
  signal?: AbortSignal,
): AsyncGenerator<R> {
  const source = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  const pending: Pending<R>[] = [];
  let index = 0;
  let ended: { readonly error?: unknown } | undefined;
  let pulling: Promise<void> | undefined;
  let closed = false;
  let wake = (): void => {};
  const abort = (): void => wake();
  const checkAborted = (): void => {
    if (signal?.aborted) {
      throw new HRNetError("aborted", "The stream was cancelled by the caller.", { cause: signal.reason });
    }
  };

  const start = (item: T): void => {
    const entry: Pending<R> = { result: work(item, index++), settled: false };
    const settle = (): void => {
      entry.settled = true;
    };
    // Also keeps a failure from counting as unhandled before its turn.
    entry.result.then(settle, settle);
    pending.push(entry);
  };
  const pull = async (): Promise<void> => {
    try {
      const next = await source.next();
      if (next.done) ended = {};
      else if (!closed) start(next.value);
    } catch (error) {
      ended = { error };
    }
    pulling = undefined;
  };

  signal?.addEventListener("abort", abort);
  try {
    for (;;) {
      checkAborted();
      if (!ended && !pulling && pending.length <= ahead) pulling = pull();
      const first = pending[0];
      if (first?.settled || (first && !pulling)) {
        const result = await first.result;
        pending.shift();
        yield result;
      } else if (pulling) {
        const woken = new Promise<void>((resolve) => {
          wake = resolve;
        });
        await Promise.race([pulling, woken, ...(first ? [first.result.catch(() => {})] : [])]);
      } else {
        if (ended && "error" in ended) throw ended.error;
        return;
      }
    }
  } finally {
    closed = true;
    signal?.removeEventListener("abort", abort);
    await Promise.allSettled(pending.map(({ result }) => result));
    // A source that is waiting for its next item may wait for ever; it ends when that comes.
    const closing = Promise.resolve(ended ? undefined : source.return?.());
    if (pulling) closing.catch(() => {});
    else await closing;
  }
}
