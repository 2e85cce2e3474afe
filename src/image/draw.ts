// Anti-aliased shapes drawn into a picture in place: capsules (thick lines with round ends), discs, box outlines.

import type { RgbImage } from "./rgb-image.ts";

/** A colour, 0–255 each. */
export type Color = readonly [red: number, green: number, blue: number];

/** How a shape is painted. */
export interface Paint {
  readonly color: Color;
  /** 0 invisible … 1 opaque; default 1. */
  readonly opacity?: number;
  /** Width in pixels of a rim drawn outside the shape; default 0. */
  readonly outlineWidth?: number;
  /** Default black. */
  readonly outlineColor?: Color;
}

const BLACK: Color = [0, 0, 0];

/**
 * Draws all points within `radius` pixels of the segment from (x0, y0) to (x1, y1), blended by how much of each pixel
 * is covered (its signed distance to the edge, clamped to one pixel). Parts outside the picture are clipped; a NaN or
 * infinite coordinate draws nothing.
 */
export function drawCapsule(
  image: RgbImage,
  x0: number,
  y0: number,
  x1: number,
  y1: number,
  radius: number,
  paint: Paint,
): void {
  const { color, opacity = 1, outlineWidth = 0, outlineColor = BLACK } = paint;
  const { width, height, data } = image;
  if (![x0, y0, x1, y1, radius].every(Number.isFinite) || radius <= 0) return;
  const outer = radius + Math.max(0, outlineWidth);
  const reach = outer + 0.5; // where the coverage of a pixel reaches zero
  const dx = x1 - x0;
  const dy = y1 - y0;
  const inverseLength2 = dx === 0 && dy === 0 ? 0 : 1 / (dx * dx + dy * dy);
  const [red, green, blue] = color;
  const [rimRed, rimGreen, rimBlue] = outlineColor;

  const top = Math.max(0, Math.ceil(Math.min(y0, y1) - reach));
  const bottom = Math.min(height - 1, Math.floor(Math.max(y0, y1) + reach));
  for (let y = top; y <= bottom; y++) {
    // Only the part of the segment within `reach` of this row can touch it; its extent bounds the columns to visit.
    let t0 = 0;
    let t1 = 1;
    if (dy !== 0) {
      const a = (y - reach - y0) / dy;
      const b = (y + reach - y0) / dy;
      t0 = Math.max(0, Math.min(a, b));
      t1 = Math.min(1, Math.max(a, b));
    }
    const xa = x0 + dx * t0;
    const xb = x0 + dx * t1;
    const left = Math.max(0, Math.ceil(Math.min(xa, xb) - reach));
    const right = Math.min(width - 1, Math.floor(Math.max(xa, xb) + reach));
    const py = y - y0;
    for (let x = left, at = (y * width + left) * 3; x <= right; x++, at += 3) {
      const px = x - x0;
      const t = Math.max(0, Math.min(1, (px * dx + py * dy) * inverseLength2));
      const ex = px - t * dx;
      const ey = py - t * dy;
      const distance = Math.sqrt(ex * ex + ey * ey);
      const coverage = outer - distance + 0.5;
      if (coverage <= 0) continue;
      const alpha = coverage >= 1 ? opacity : coverage * opacity;
      // 1 inside the shape, 0 in its rim; without a rim the edge fades into the picture alone.
      const core = outer === radius ? 1 : Math.max(0, Math.min(1, radius - distance + 0.5));
      data[at] = blend(data[at]!, rimRed + (red - rimRed) * core, alpha);
      data[at + 1] = blend(data[at + 1]!, rimGreen + (green - rimGreen) * core, alpha);
      data[at + 2] = blend(data[at + 2]!, rimBlue + (blue - rimBlue) * core, alpha);
    }
  }
}

/** A filled disc around (x, y): a capsule of no length. */
export function drawDisc(image: RgbImage, x: number, y: number, radius: number, paint: Paint): void {
  drawCapsule(image, x, y, x, y, radius, paint);
}

/** The four sides of a box `[x, y, width, height]` as lines of the given radius (half their width). */
export function drawBox(
  image: RgbImage,
  box: readonly [x: number, y: number, width: number, height: number],
  radius: number,
  paint: Paint,
): void {
  const [left, top, width, height] = box;
  const right = left + width;
  const bottom = top + height;
  drawCapsule(image, left, top, right, top, radius, paint);
  drawCapsule(image, left, bottom, right, bottom, radius, paint);
  drawCapsule(image, left, top, left, bottom, radius, paint);
  drawCapsule(image, right, top, right, bottom, radius, paint);
}

function blend(under: number, over: number, alpha: number): number {
  return under + (over - under) * alpha + 0.5; // the byte array truncates
}
