// Objects of a large picture, found in overlapping tiles and in the picture as a whole.

import type { Span, Tile } from "../image/tiles.ts";
import { suppress } from "./nms.ts";

/** A found object. */
export interface FoundObject {
  /** `[x1, y1, x2, y2]` in pixels of the picture. */
  readonly box: readonly [number, number, number, number];
  readonly score: number;
  readonly class: number;
}

/** Pixels within which an object touches a border. */
const TOUCHING = 2;

/**
 * Whether an object is a tile's own: its middle is in what the tile keeps, and it is not cut by a border that the picture does not have.
 * Tiles whose margin is at least half of every object thus give each object once.
 * @param picture `[height, width]`
 */
export function belongsToTile(
  { box: [x1, y1, x2, y2] }: FoundObject,
  { x, y }: Tile,
  [height, width]: readonly [number, number],
): boolean {
  return withinSpan(x1, x2, x, width) && withinSpan(y1, y2, y, height);
}

function withinSpan(from: number, to: number, span: Span, size: number): boolean {
  const { start, length, keepStart, keepEnd } = span;
  const middle = (from + to) / 2;
  const cutBefore = start > 0 && from < start + TOUCHING;
  const cutBehind = start + length < size && to > start + length - TOUCHING;
  // The ends of the picture belong to the outermost spans.
  const kept = (middle >= keepStart || keepStart === 0) && (middle < keepEnd || keepEnd === size);
  return kept && !cutBefore && !cutBehind;
}

/**
 * The objects of all passes, each once, the best first.
 * @param nms IoU above which the weaker of two boxes of a class goes
 * @param most objects at most
 */
export function mergePasses<T extends FoundObject>(objects: readonly T[], nms: number, most: number): T[] {
  const kept = suppress(
    Float64Array.from(objects.flatMap(({ box }) => box)),
    objects.map(({ score }) => score),
    { threshold: nms, classes: objects.map((object) => object.class), most },
  );
  return kept.map((index) => objects[index]!);
}
