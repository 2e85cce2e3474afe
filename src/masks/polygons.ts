// Polygons as masks, on the pixels that COCO's tools give them.

import type { RunLengthMask } from "./run-length.ts";

/** Vertices are rounded to fifths of a pixel. Source: `rleFrPoly` in `maskApi.c` of cocoapi, as all of this file. */
const SCALE = 5;

/** The C language's conversion to int: towards zero. */
const toInt = Math.trunc;

/** Points of the outline on the finer grid, edge by edge, each edge walked along its longer axis. */
function outline(polygon: ArrayLike<number>): [Int32Array, Int32Array] {
  const count = polygon.length / 2;
  const xs = Array.from({ length: count + 1 }, (_, i) => toInt(SCALE * polygon[2 * (i % count)]! + 0.5));
  const ys = Array.from({ length: count + 1 }, (_, i) => toInt(SCALE * polygon[2 * (i % count) + 1]! + 0.5));
  const steps = (i: number): number =>
    Math.max(Math.abs(xs[i]! - xs[i + 1]!), Math.abs(ys[i]! - ys[i + 1]!)) + 1;
  let length = 0;
  for (let i = 0; i < count; i++) length += steps(i);
  const u = new Int32Array(length);
  const v = new Int32Array(length);
  let at = 0;
  for (let i = 0; i < count; i++) {
    let [x1, x2, y1, y2] = [xs[i]!, xs[i + 1]!, ys[i]!, ys[i + 1]!];
    const [dx, dy] = [Math.abs(x2 - x1), Math.abs(y2 - y1)];
    const flat = dx >= dy;
    // Always from the smaller coordinate, so that an edge is the same in both directions; its points keep the outline's order.
    const reversed = flat ? x1 > x2 : y1 > y2;
    if (reversed) [x1, x2, y1, y2] = [x2, x1, y2, y1];
    const slope = flat ? (y2 - y1) / dx : (x2 - x1) / dy;
    const last = flat ? dx : dy;
    for (let d = 0; d <= last; d++) {
      const t = reversed ? last - d : d;
      // A single point has no slope: 0/0.
      const across = last === 0 ? (flat ? y1 : x1) : toInt((flat ? y1 : x1) + slope * t + 0.5);
      u[at] = flat ? t + x1 : across;
      v[at] = flat ? across : t + y1;
      at++;
    }
  }
  return [u, v];
}

/** Where the outline crosses the centres of columns: the place of the first pixel below each crossing, column by column. */
function crossings([u, v]: readonly [Int32Array, Int32Array], width: number, height: number): number[] {
  const places: number[] = [];
  for (let i = 1; i < u.length; i++) {
    if (u[i] === u[i - 1]) continue;
    const x = ((u[i]! < u[i - 1]! ? u[i]! : u[i]! - 1) + 0.5) / SCALE - 0.5;
    if (Math.floor(x) !== x || x < 0 || x > width - 1) continue;
    const y = (Math.min(v[i]!, v[i - 1]!) + 0.5) / SCALE - 0.5;
    places.push(x * height + Math.ceil(Math.max(0, Math.min(height, y))));
  }
  return places;
}

/**
 * The mask of a polygon.
 * @param polygon x and y of each vertex in turn, in pixels; at least three vertices
 */
export function polygonMask(polygon: ArrayLike<number>, width: number, height: number): RunLengthMask {
  const places = [...crossings(outline(polygon), width, height), width * height].sort((a, b) => a - b);
  const runs = places.map((place, i) => place - (places[i - 1] ?? 0));
  // Two crossings at one place cancel each other: the runs on both sides are one.
  const counts: number[] = [runs[0]!];
  for (let i = 1; i < runs.length; ) {
    if (runs[i]! > 0) {
      counts.push(runs[i++]!);
      continue;
    }
    i++;
    if (i < runs.length) counts[counts.length - 1]! += runs[i++]!;
  }
  return { width, height, counts: Uint32Array.from(counts) };
}
