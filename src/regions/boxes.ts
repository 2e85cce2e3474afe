// Boxes in graphs: anchors of a map, coding and decoding, cutting, overlaps. Every function works for any size of picture: nothing of a
// map's height and width is written into the graph.

import { type AnchorOptions, baseAnchors } from "../detection/anchors.ts";
import { type BoxCoding, MOST_LOG_FACTOR } from "../detection/box-coding.ts";
import type { BoxExtent } from "../detection/boxes.ts";
import { cast } from "../graph/ops/cast.ts";
import {
  add,
  clip,
  detach,
  div,
  exp,
  greater,
  indicator,
  log,
  maximum,
  minimum,
  mul,
  relu,
  scalar,
  scale,
  shift,
  sub,
} from "../graph/ops/elementwise.ts";
import { cumulativeSum, shapeOf } from "../graph/ops/select.ts";
import { concat, gather, reshape, slice, split } from "../graph/ops/shape.ts";
import { constant, type Value } from "../graph/value.ts";
import { tensor } from "../tensor/tensor.ts";

/** Numbers known now, as a row. */
const row = (shape: readonly number[], values: ArrayLike<number>): Value =>
  constant(tensor("float32", shape, Float32Array.from(values)));

/** The four columns of …×4 boxes, …×1 each. */
export function columnsOf(boxes: Value): [Value, Value, Value, Value] {
  return split(boxes, boxes.shape.length - 1, [1, 1, 1, 1]) as [Value, Value, Value, Value];
}

/** Columns side by side. */
const boxesOf = (...columns: readonly Value[]): Value => concat(columns, columns[0]!.shape.length - 1);

/** Columns and rows of every cell of a map (N×C×h×w), row by row: x and y, (h·w)×1 each. */
function cellsOf(map: Value): { readonly x: Value; readonly y: Value } {
  const cell = slice(slice(detach(map), 0, 0, 1), 1, 0, 1); // 1×1×h×w
  const ones = shift(scale(cell, 0), 1);
  const along = (axis: number): Value => reshape(shift(cumulativeSum(ones, axis), -1), [-1, 1]);
  return { x: along(3), y: along(2) };
}

/** Corners of the cells of a map as boxes without an area, `x, y, x, y` in pixels: (h·w)×4. */
function cornersOfCells(map: Value, stride: number): Value {
  const { x, y } = cellsOf(map);
  return scale(concat([x, y, x, y], 1), stride);
}

/** Anchors of every cell of a map (N×C×h×w), row by row: (h·w·A)×4. */
export function anchorGrid(map: Value, stride: number, options: AnchorOptions): Value {
  const corners = reshape(cornersOfCells(map, stride), [-1, 1, 4]);
  const each = options.ratios.length;
  return reshape(add(corners, row([1, each, 4], baseAnchors(stride, options))), [-1, 4]);
}

/** Boxes around the middle of every cell of a map: distances left, top, right and bottom in pixels, B×(h·w)×4. */
export function boxesAroundCells(map: Value, stride: number, distances: Value): Value {
  const middles = shift(cornersOfCells(map, stride), Math.floor(stride / 2));
  return add(middles, mul(distances, row([4], [-1, -1, 1, 1])));
}

/** Where boxes end: the largest `x, y, x, y` within the picture x (N×3×H×W), float32 4. */
export function pictureLimit(x: Value, extent: BoxExtent): Value {
  const sizes = gather(cast(shapeOf(x), "float32"), [3, 2, 3, 2], 0);
  return extent === "pixels" ? shift(sizes, -1) : sizes;
}

/** Boxes cut at 0 and the limit. */
export const clipBoxes = (boxes: Value, limit: Value): Value => minimum(relu(boxes), limit);

const middleOf = (low: Value, high: Value): Value => scale(add(low, high), 0.5);

/** Width or height of boxes. */
function sideOf(low: Value, high: Value, extent: BoxExtent): Value {
  const length = sub(high, low);
  return extent === "pixels" ? shift(length, 1) : length;
}

/** The boxes that differences (…×4) lead to from `boxes` (…×4); `encodeBox` has the source. */
export function decodeBoxes(boxes: Value, differences: Value, { stds, extent }: BoxCoding): Value {
  const [x1, y1, x2, y2] = columnsOf(boxes);
  const scaled = mul(differences, row([4], stds));
  const [dx, dy, dw, dh] = columnsOf(scaled);
  const along = (low: Value, high: Value, move: Value, grow: Value): [Value, Value] => {
    const side = sideOf(low, high, extent);
    const middle = add(middleOf(low, high), mul(side, move));
    const half = scale(mul(side, exp(clip(grow, -MOST_LOG_FACTOR, MOST_LOG_FACTOR))), 0.5);
    const inner = extent === "pixels" ? shift(half, -0.5) : half;
    return [sub(middle, inner), add(middle, inner)];
  };
  const [left, right] = along(x1, x2, dx, dw);
  const [top, bottom] = along(y1, y2, dy, dh);
  return boxesOf(left, top, right, bottom);
}

/** Sides shorter than this count as this long, so that no logarithm is infinite. */
const SHORTEST = 1e-3;

/** What brings `boxes` (…×4) to `targets` (…×4): the inverse of {@link decodeBoxes}. */
export function encodeBoxes(boxes: Value, targets: Value, { stds, extent }: BoxCoding): Value {
  const from = columnsOf(boxes);
  const to = columnsOf(targets);
  const side = ([x1, y1, x2, y2]: readonly Value[]): [Value, Value] => [
    clip(sideOf(x1!, x2!, extent), SHORTEST, 1e9),
    clip(sideOf(y1!, y2!, extent), SHORTEST, 1e9),
  ];
  const [fromSides, toSides] = [side(from), side(to)];
  const shifts = [0, 1].map((axis) =>
    div(sub(middleOf(to[axis]!, to[axis + 2]!), middleOf(from[axis]!, from[axis + 2]!)), fromSides[axis]!),
  );
  const factors = [0, 1].map((axis) => log(div(toSides[axis]!, fromSides[axis]!)));
  return div(boxesOf(...shifts, ...factors), row([4], stds));
}

/** 1 where a box has an area: …×4 → … */
export function withArea(boxes: Value): Value {
  const [x1, y1, x2, y2] = columnsOf(boxes);
  const positive = (low: Value, high: Value): Value => indicator(greater(sub(high, low), scalar(0)));
  return reshape(mul(positive(x1, x2), positive(y1, y2)), boxes.shape.slice(0, -1) as readonly number[]);
}

/** Areas of …×4 boxes, …×1; 0 where the corners are the wrong way round. */
export function boxAreas(boxes: Value, extent: BoxExtent): Value {
  const [x1, y1, x2, y2] = columnsOf(boxes);
  return mul(relu(sideOf(x1, x2, extent)), relu(sideOf(y1, y2, extent)));
}

/** Below any area that matters. */
const TINY = 1e-9;

/**
 * Overlaps of each of R boxes with each of G.
 * @param boxes B×R×4
 * @param others B×G×4
 * @returns `iou` and `covered`, the share of the first box that the second covers: B×R×G each
 */
export function pairwiseOverlaps(
  boxes: Value,
  others: Value,
  extent: BoxExtent,
): { readonly iou: Value; readonly covered: Value } {
  const [batch, ,] = boxes.shape as readonly number[];
  const count = others.shape[1] as number;
  const [ax1, ay1, ax2, ay2] = columnsOf(boxes); // B×R×1
  const across = (column: Value): Value => reshape(column, [batch!, 1, count]);
  const [bx1, by1, bx2, by2] = columnsOf(others).map(across) as [Value, Value, Value, Value];
  const shared = mul(
    relu(sideOf(maximum(ax1, bx1), minimum(ax2, bx2), extent)),
    relu(sideOf(maximum(ay1, by1), minimum(ay2, by2), extent)),
  ); // B×R×G
  const own = boxAreas(boxes, extent);
  const union = sub(add(own, across(boxAreas(others, extent))), shared);
  return { iou: div(shared, shift(union, TINY)), covered: div(shared, shift(own, TINY)) };
}
