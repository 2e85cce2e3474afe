// Ordered, bounded look-ahead over an iterable: the pipeline every stream of pictures runs through.

/** Results of `work` in the order of `items`, with up to `ahead` items in the making while the caller uses one. */
export async function* mapAhead<T, R>(
  items: Iterable<T> | AsyncIterable<T>,
  ahead: number,
  work: (item: T, index: number) => Promise<R>,
): AsyncGenerator<R> {
  const source = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  const pending: Promise<R>[] = [];
  let index = 0;
  let done = false;
  try {
    for (;;) {
      while (!done && pending.length <= ahead) {
        const next = await source.next();
        if (next.done) {
          done = true;
        } else {
          const promise = work(next.value, index++);
          // A failure is thrown when its turn comes, not as an unhandled rejection before.
          promise.catch(() => {});
          pending.push(promise);
        }
      }
      const first = pending.shift();
      if (!first) return;
      yield await first;
    }
  } finally {
    await Promise.allSettled(pending);
    await source.return?.();
  }
}
