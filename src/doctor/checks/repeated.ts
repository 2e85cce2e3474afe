// Entries of a list that are there twice.

/** Entries whose key was seen before, each with the first of that key. */
export function* repeated<T>(entries: readonly T[], keyOf: (entry: T) => unknown): Iterable<readonly [T, T]> {
  const first = new Map<unknown, T>();
  for (const entry of entries) {
    const key = keyOf(entry);
    if (key === undefined) continue;
    const earlier = first.get(key);
    if (earlier === undefined) first.set(key, entry);
    else yield [entry, earlier];
  }
}
