// 2×3 affine matrices in row-major order: invert, apply, compose, from three points.

import { HRNetError } from "../errors.ts";

/** `[a, b, tx, c, d, ty]`: x' = a·x + b·y + tx, y' = c·x + d·y + ty. */
export type Affine = readonly [a: number, b: number, tx: number, c: number, d: number, ty: number];

/** A point `[x, y]` in pixels; pixel centres are at whole numbers. */
export type Point = readonly [x: number, y: number];

/** The map that leaves every point where it is. */
export const IDENTITY: Affine = [1, 0, 0, 0, 1, 0];

/** Where `matrix` sends the point (x, y). */
export function applyAffine(matrix: Affine, x: number, y: number): [x: number, y: number] {
  const [a, b, tx, c, d, ty] = matrix;
  return [a * x + b * y + tx, c * x + d * y + ty];
}

/** The map that does `first`, then `second`. */
export function composeAffine(second: Affine, first: Affine): Affine {
  const [a, b, tx, c, d, ty] = first;
  const [A, B, TX, C, D, TY] = second;
  return [
    A * a + B * c,
    A * b + B * d,
    A * tx + B * ty + TX,
    C * a + D * c,
    C * b + D * d,
    C * tx + D * ty + TY,
  ];
}

/**
 * The inverse map, computed in the order of OpenCV's `warpAffine` so that crops agree to the last bit.
 * @throws HRNetError `invalid-shape` when the map has no inverse (a box without area) or holds NaN.
 */
export function invertAffine(matrix: Affine): Affine {
  const [a, b, tx, c, d, ty] = matrix;
  const determinant = a * d - b * c;
  const scale = 1 / determinant;
  const [ia, ib, ic, id] = [d * scale, -b * scale, -c * scale, a * scale];
  const inverse: Affine = [ia, ib, -ia * tx - ib * ty, ic, id, -ic * tx - id * ty];
  if (!inverse.every(Number.isFinite)) {
    throw new HRNetError(
      "invalid-shape",
      `The affine matrix [${matrix.join(", ")}] has no inverse. A crop needs a box with finite coordinates and an area.`,
    );
  }
  return inverse;
}

/**
 * The map that sends three points to three points (OpenCV's `getAffineTransform`), by Cramer's rule.
 * @throws HRNetError `invalid-shape` when the source points lie on one line.
 */
export function affineFromPoints(
  from: readonly [Point, Point, Point],
  to: readonly [Point, Point, Point],
): Affine {
  const [[x0, y0], [x1, y1], [x2, y2]] = from;
  const [ux, uy, vx, vy] = [x1 - x0, y1 - y0, x2 - x0, y2 - y0];
  const determinant = ux * vy - uy * vx;
  if (determinant === 0 || !Number.isFinite(determinant)) {
    const points = from.map(([x, y]) => `(${x}, ${y})`).join(", ");
    throw new HRNetError("invalid-shape", `Three points on one line fix no affine map: ${points}.`);
  }
  const row = (axis: 0 | 1): [number, number, number] => {
    const [p0, p1, p2] = [to[0][axis], to[1][axis], to[2][axis]];
    const [du, dv] = [p1 - p0, p2 - p0];
    const a = (du * vy - dv * uy) / determinant;
    const b = (dv * ux - du * vx) / determinant;
    return [a, b, p0 - a * x0 - b * y0];
  };
  return [...row(0), ...row(1)];
}
