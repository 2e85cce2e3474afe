// Large pictures in overlapping tiles, of which each gives its middle.

/** A part of an axis: what the network sees, and what of its result is kept. */
export interface Span {
  readonly start: number;
  readonly length: number;
  /** Kept from here to the next span's, in places of the whole axis. */
  readonly keepStart: number;
  readonly keepEnd: number;
}

/** A tile of a picture. */
export interface Tile {
  readonly x: Span;
  readonly y: Span;
}

/**
 * Spans of `length` that cover an axis and overlap by at least twice the margin; neighbours meet in the middle of their
 * overlap, so that at least a margin lies between what is kept and a border that the picture does not have. An axis no longer than a
 * span is one span.
 */
export function spansOf(size: number, length: number, margin: number): Span[] {
  if (size <= length) return [{ start: 0, length: size, keepStart: 0, keepEnd: size }];
  const count = Math.ceil((size - 2 * margin) / (length - 2 * margin));
  const starts = Array.from({ length: count }, (_, n) => Math.round((n * (size - length)) / (count - 1)));
  const meets = starts.slice(1).map((start, n) => Math.floor((starts[n]! + length + start) / 2));
  return starts.map((start, n) => ({
    start,
    length,
    keepStart: n === 0 ? 0 : meets[n - 1]!,
    keepEnd: n === count - 1 ? size : meets[n]!,
  }));
}

/**
 * The tiles of a picture, row by row.
 * @param tile `[height, width]` of the largest tile
 * @param margin pixels
 */
export function tilesOf(
  [height, width]: readonly [number, number],
  tile: readonly [number, number],
  margin: number,
): Tile[] {
  const across = spansOf(width, tile[1], margin);
  return spansOf(height, tile[0], margin).flatMap((y) => across.map((x) => ({ x, y })));
}
