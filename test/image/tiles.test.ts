// Tiles: every pixel kept once, with context around it.
import { expect, test } from "vitest";
import { spansOf, tilesOf } from "../../src/image/tiles.ts";

test.each([
  [100, 100, 16],
  [101, 100, 16],
  [168, 100, 16],
  [169, 100, 16],
  [1000, 100, 16],
  [7680, 2048, 128],
  [5000, 1024, 128],
])("an axis of %i in spans of %i with margins of %i", (size, length, margin) => {
  const spans = spansOf(size, length, margin);
  expect(spans[0]!.keepStart).toBe(0);
  expect(spans.at(-1)!.keepEnd).toBe(size);
  spans.forEach((span, n) => {
    expect(span.length).toBe(Math.min(length, size));
    expect(span.start).toBeGreaterThanOrEqual(0);
    expect(span.start + span.length).toBeLessThanOrEqual(size);
    if (n > 0) {
      expect(span.keepStart).toBe(spans[n - 1]!.keepEnd);
      expect(span.keepStart - span.start).toBeGreaterThanOrEqual(margin);
    }
    if (n < spans.length - 1) expect(span.start + span.length - span.keepEnd).toBeGreaterThanOrEqual(margin);
  });
  // No more spans than it takes.
  if (spans.length > 1) expect((spans.length - 1) * (length - 2 * margin) + 2 * margin).toBeLessThan(size);
});

test("tiles cover a picture once", () => {
  const seen = new Uint8Array(90 * 70);
  for (const { x, y } of tilesOf([70, 90], [32, 40], 4)) {
    for (let row = y.keepStart; row < y.keepEnd; row++)
      for (let column = x.keepStart; column < x.keepEnd; column++) seen[row * 90 + column]! += 1;
  }
  expect(new Set(seen)).toEqual(new Set([1]));
});
