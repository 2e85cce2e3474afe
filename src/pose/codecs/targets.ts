// Training targets: keypoints drawn as heatmaps.

import { DISK_RADIUS_FACTOR } from "./refine.ts";

/** How one keypoint is drawn. */
export type TargetKind = "gaussian" | "unbiased-gaussian" | "udp-gaussian" | "offset-maps";

/**
 * Draws one keypoint at `x`, `y` (heatmap cells, fractional) into `maps`, which is all zeros; false when it lies so far
 * outside that its target would be empty.
 */
export type TargetDrawer = (
  maps: Float32Array,
  width: number,
  height: number,
  x: number,
  y: number,
  sigma: number,
) => boolean;

/**
 * A Gaussian patch of side 6σ+1 around cell (`cellX`, `cellY`), its peak moved by a fraction of a cell. Bounds are truncated
 * toward zero, as `int()` in the original does: it matters for fractional 3σ near the left and upper borders.
 */
function drawPatch(
  map: Float32Array,
  width: number,
  height: number,
  cellX: number,
  cellY: number,
  fractionX: number,
  fractionY: number,
  sigma: number,
): boolean {
  const radius = 3 * sigma;
  const left = Math.trunc(cellX - radius);
  const top = Math.trunc(cellY - radius);
  const right = Math.trunc(cellX + radius + 1);
  const bottom = Math.trunc(cellY + radius + 1);
  if (left >= width || top >= height || right < 0 || bottom < 0) return false;

  const middle = Math.floor((2 * radius + 1) / 2);
  for (let y = Math.max(0, top); y < Math.min(height, bottom); y++) {
    for (let x = Math.max(0, left); x < Math.min(width, right); x++) {
      const dx = x - left - middle - fractionX;
      const dy = y - top - middle - fractionY;
      map[y * width + x] = Math.exp(-(dx * dx + dy * dy) / (2 * sigma * sigma));
    }
  }
  return true;
}

/** How each kind draws. Rounding is `int(x + 0.5)`, toward zero: −0.9 becomes cell 0. */
export const TARGET_DRAWERS: Readonly<Record<TargetKind, TargetDrawer>> = {
  /**
   * A Gaussian of height 1 on the nearest cell. Source: `generate_target` in `lib/dataset/JointsDataset.py` of
   * deep-high-resolution-net.pytorch.
   */
  gaussian: (map, width, height, x, y, sigma) =>
    drawPatch(map, width, height, Math.trunc(x + 0.5), Math.trunc(y + 0.5), 0, 0, sigma),

  /** A Gaussian on the exact position, over the whole map. Source: DARK (Zhang et al., CVPR 2020). */
  "unbiased-gaussian": (map, width, height, x, y, sigma) => {
    const radius = 3 * sigma;
    if (x - radius >= width || y - radius >= height || x + radius + 1 < 0 || y + radius + 1 < 0) return false;
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < width; column++) {
        map[row * width + column] = Math.exp(-((column - x) ** 2 + (row - y) ** 2) / (2 * sigma * sigma));
      }
    }
    return true;
  },

  /** A Gaussian on the exact position, cut to the patch around the nearest cell. Source: UDP (Huang et al., CVPR 2020). */
  "udp-gaussian": (map, width, height, x, y, sigma) => {
    const cellX = Math.trunc(x + 0.5);
    const cellY = Math.trunc(y + 0.5);
    return drawPatch(map, width, height, cellX, cellY, x - cellX, y - cellY, sigma);
  },

  /** Three maps: a disk, and the offsets in x and y to its middle in units of its radius. Source: UDP (Huang et al.). */
  "offset-maps": (maps, width, height, x, y) => {
    const area = width * height;
    const radius = DISK_RADIUS_FACTOR * Math.max(width, height);
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < width; column++) {
        const dx = (x - column) / radius;
        const dy = (y - row) / radius;
        if (dx * dx + dy * dy > 1) continue;
        const cell = row * width + column;
        maps[cell] = 1;
        maps[area + cell] = dx;
        maps[2 * area + cell] = dy;
      }
    }
    return true;
  },
};
