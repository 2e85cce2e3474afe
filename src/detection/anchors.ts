// Anchors: the rectangles from which a region proposal network starts at every cell of every level.

import type { BoxExtent } from "./boxes.ts";

/** What the anchors of a cell are. */
export interface AnchorOptions {
  /** Side of the square anchor, in cells of its level. */
  readonly scale: number;
  /** Height over width. */
  readonly ratios: readonly number[];
  readonly extent: BoxExtent;
}

/** 8 cells; 1:2, 1:1, 2:1. Source: Lin et al. 2017 (arXiv:1612.03144), §4.1; `anchor_generator` of mmdetection's configurations. */
export const ANCHORS: Omit<AnchorOptions, "extent"> = { scale: 8, ratios: [0.5, 1, 2] };

/** A map of cells, each `stride` pixels wide. */
export interface AnchorLevel {
  readonly height: number;
  readonly width: number;
  readonly stride: number;
}

/** Pixels of a cell of level 0, 1, … of a pyramid: 4, 8, … */
export const levelStride = (level: number): number => 4 * 2 ** level;

/**
 * The levels of a picture, as HRFPN makes them: the map at a quarter of the size, rounded up twice, averaged over 2^l cells, where a rest
 * goes.
 */
export function anchorLevels(height: number, width: number, count: number): AnchorLevel[] {
  const side = (length: number, l: number): number =>
    Math.floor(Math.ceil(Math.ceil(length / 2) / 2) / 2 ** l);
  return Array.from({ length: count }, (_, l) => ({
    height: side(height, l),
    width: side(width, l),
    stride: levelStride(l),
  }));
}

/**
 * The anchors of the first cell of a level, A×4 corners in pixels. `continuous`: around its corner, as mmdetection 2.x has them;
 * `pixels`: around its middle pixel and rounded, as mmdetection 1.x. Source: `AnchorGenerator` of both.
 */
export function baseAnchors(stride: number, { scale, ratios, extent }: AnchorOptions): Float32Array {
  const corners = ratios.flatMap((ratio) => {
    const [w, h] = [(stride * scale) / Math.sqrt(ratio), stride * scale * Math.sqrt(ratio)];
    if (extent === "continuous") return [-w / 2, -h / 2, w / 2, h / 2];
    const center = (stride - 1) / 2;
    const [dx, dy] = [(w - 1) / 2, (h - 1) / 2];
    return [center - dx, center - dy, center + dx, center + dy].map(roundHalfEven);
  });
  return Float32Array.from(corners);
}

/** As torch rounds: halves to the even neighbour. */
function roundHalfEven(x: number): number {
  const low = Math.floor(x);
  if (x - low !== 0.5) return Math.round(x);
  return low % 2 === 0 ? low : low + 1;
}

/** All anchors, level by level, row by row, cell by cell: P×4. */
export function anchorBoxes(levels: readonly AnchorLevel[], options: AnchorOptions): Float32Array {
  const each = options.ratios.length;
  const cells = levels.reduce((sum, { height, width }) => sum + height * width, 0);
  const boxes = new Float32Array(4 * each * cells);
  let at = 0;
  for (const { height, width, stride } of levels) {
    const base = baseAnchors(stride, options);
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < width; column++) {
        for (let i = 0; i < base.length; i++) boxes[at++] = base[i]! + stride * (i % 2 === 0 ? column : row);
      }
    }
  }
  return boxes;
}
