// Ordered, bounded look-ahead over an iterable: the pipeline every stream of pictures runs through.

/** A result in the making. */
interface Pending<R> {
  readonly result: Promise<R>;
  settled: boolean;
}

/**
 * Results of `work` in the order of `items`, with up to `ahead` items in the making while the caller uses one. A result
 * is handed over as soon as it is there, also while the source is still waiting for its next item (a camera, a queue).
 * A failure of `work` or of the source is thrown when its turn comes. Ending early waits for what is in the making.
 */
export async function* mapAhead<T, R>(
  items: Iterable<T> | AsyncIterable<T>,
  ahead: number,
  work: (item: T, index: number) => Promise<R>,
): AsyncGenerator<R> {
  const source = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  const pending: Pending<R>[] = [];
  let index = 0;
  let ended: { readonly error?: unknown } | undefined;
  let pulling: Promise<void> | undefined;

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
      else start(next.value);
    } catch (error) {
      ended = { error };
    }
    pulling = undefined;
  };

  try {
    for (;;) {
      if (!ended && !pulling && pending.length <= ahead) pulling = pull();
      const first = pending[0];
      if (first?.settled || (first && !pulling)) {
        const result = await first.result;
        pending.shift();
        yield result;
      } else if (pulling) {
        await (first ? Promise.race([pulling, first.result.catch(() => {})]) : pulling);
      } else {
        if (ended && "error" in ended) throw ended.error;
        return;
      }
    }
  } finally {
    await Promise.allSettled(pending.map(({ result }) => result));
    // A source that is waiting for its next item may wait for ever; it ends when that comes.
    const closing = Promise.resolve(ended ? undefined : source.return?.());
    if (pulling) closing.catch(() => {});
    else await closing;
  }
}
