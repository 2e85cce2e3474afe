// Solids to draw and where the line of sight through a pixel meets them: tapered capsules and boxes, each stretched by axis.

import {
  add,
  apply,
  frameAlong,
  length,
  type Mat3,
  scale,
  subtract,
  transpose,
  type Vec3,
} from "./linear.ts";
import type { Material } from "./material.ts";

/** What a solid's pixels are labelled as. */
export interface SolidTag {
  /** Index of the person, or {@link CLUTTER}. */
  readonly person: number;
  /** Index of the part class; 0 for clutter. */
  readonly part: number;
  readonly material: Material;
}

/** The "person" of a thing. */
export const CLUTTER = -1;

/**
 * A solid in its own space, reached by `local = toLocal · (world − origin)`. A capsule is the hull of a sphere of
 * radius `r0` around 0 and one of radius `r1` around (0, height, 0); a box is all |x|, |y|, |z| ≤ 1.
 */
export interface Solid extends SolidTag {
  readonly kind: "capsule" | "box";
  readonly origin: Vec3;
  readonly toLocal: Mat3;
  readonly height: number;
  readonly r0: number;
  readonly r1: number;
  /** A capsule that ends flat and hollow at y = height, as a sleeve does. */
  readonly open: boolean;
  /** Columns and rows of the picture that it can touch. */
  readonly bounds: readonly [left: number, top: number, right: number, bottom: number];
  /** A line in the picture that no part of it is further from than `reach`. */
  readonly line: { readonly from: Vec3; readonly to: Vec3; readonly reach: number };
}

/** Shape of a {@link capsule}. */
export interface CapsuleShape {
  readonly from: Vec3;
  readonly to: Vec3;
  /** Radius at `from` and at `to`, across `side`. */
  readonly radii: readonly [number, number];
  /** Direction of the cross-section's width; default: any. */
  readonly side?: Vec3;
  /** Thickness as a part of the width; default 1. */
  readonly flatness?: number;
  /** Ends flat and hollow at `to`, as a sleeve does; default round. */
  readonly open?: boolean;
}

const X: Vec3 = [1, 0, 0];

/** A tapered capsule with a round or flattened cross-section. Equal ends give an ellipsoid. */
export function capsule(
  { from, to, radii, side = X, flatness = 1, open = false }: CapsuleShape,
  tag: SolidTag,
): Solid {
  const axis = subtract(to, from);
  const long = length(axis);
  const frame = frameAlong(long > 1e-9 ? axis : [0, 1, 0], side);
  const [x, y, z] = transpose(frame);
  const reach = Math.max(...radii) * Math.max(1, flatness) + 1;
  // One ball must not hold the other: the hull's cone would have no sides.
  const height = Math.max(long, Math.abs(radii[0] - radii[1]) * 1.02);
  return {
    person: tag.person,
    part: tag.part,
    material: tag.material,
    kind: "capsule",
    origin: from,
    toLocal: [x, y, scale(z, 1 / flatness)],
    height,
    r0: radii[0],
    r1: radii[1],
    open,
    bounds: boundsAround([from, add(from, scale(y, height))], reach),
    line: { from, to: add(from, scale(y, height)), reach },
  };
}

/** An ellipsoid with half axes along the columns of `frame`. */
export function ellipsoid(centre: Vec3, frame: Mat3, halfAxes: Vec3, tag: SolidTag): Solid {
  const [x, y, z] = transpose(frame);
  return {
    person: tag.person,
    part: tag.part,
    material: tag.material,
    kind: "capsule",
    origin: centre,
    toLocal: [scale(x, 1 / halfAxes[0]), scale(y, 1 / halfAxes[1]), scale(z, 1 / halfAxes[2])],
    height: 0,
    r0: 1,
    r1: 1,
    open: false,
    bounds: boundsAround([centre], Math.max(...halfAxes) + 1),
    line: { from: centre, to: centre, reach: Math.max(...halfAxes) + 1 },
  };
}

/** A box with half sides along the columns of `frame`. */
export function box(centre: Vec3, frame: Mat3, halfSides: Vec3, tag: SolidTag): Solid {
  const [x, y, z] = transpose(frame);
  const corners = [-1, 1].flatMap((a) =>
    [-1, 1].flatMap((b) =>
      [-1, 1].map((c) => add(centre, apply(frame, [a * halfSides[0], b * halfSides[1], c * halfSides[2]]))),
    ),
  );
  return {
    person: tag.person,
    part: tag.part,
    material: tag.material,
    kind: "box",
    origin: centre,
    toLocal: [scale(x, 1 / halfSides[0]), scale(y, 1 / halfSides[1]), scale(z, 1 / halfSides[2])],
    height: 0,
    r0: 1,
    r1: 1,
    open: false,
    bounds: boundsAround(corners, 1),
    line: { from: centre, to: centre, reach: length(halfSides) + 1 },
  };
}

function boundsAround(points: readonly Vec3[], reach: number): Solid["bounds"] {
  let left = Number.POSITIVE_INFINITY;
  let top = Number.POSITIVE_INFINITY;
  let right = Number.NEGATIVE_INFINITY;
  let bottom = Number.NEGATIVE_INFINITY;
  for (const point of points) {
    left = Math.min(left, point[0]);
    top = Math.min(top, point[1]);
    right = Math.max(right, point[0]);
    bottom = Math.max(bottom, point[1]);
  }
  return [left - reach, top - reach, right + reach, bottom + reach];
}

/** First and last column of a row that a solid can touch: near the part of its line that is within reach of the row. */
export function spanInRow({ bounds, line: { from, to, reach } }: Solid, y: number): [number, number] {
  const x = from[0];
  const dx = to[0] - x;
  const dy = to[1] - from[1];
  const level = Math.abs(dy) < 1e-9;
  const a = level ? 0 : Math.max(0, Math.min(1, (y - reach - from[1]) / dy));
  const b = level ? 1 : Math.max(0, Math.min(1, (y + reach - from[1]) / dy));
  const first = x + dx * a;
  const last = x + dx * b;
  return [
    Math.max(bounds[0], Math.min(first, last) - reach),
    Math.min(bounds[2], Math.max(first, last) + reach),
  ];
}

/** No part of a solid is nearer to the viewer. */
export function nearestDepth({ line: { from, to, reach } }: Solid): number {
  return Math.min(from[2], to[2]) - reach;
}

/** What is in front, sample by sample. */
export interface FrontMaps {
  /** Distance into the picture, `Infinity` where there is nothing. */
  readonly depth: Float32Array;
  /** Index of the solid. */
  readonly front: Int16Array;
}

/**
 * Puts a solid into samples `first` … `last` of the maps wherever it is in front. They lie in one row: the first at
 * (x, y), each `step` pixels to the right of the one before.
 */
export type FillRow = (first: number, last: number, x: number, y: number, step: number) => void;

/** Prepares the search of a solid's front: only what changes from sample to sample is left to do. */
export function rowFiller(solid: Solid, index: number, maps: FrontMaps): FillRow {
  if (solid.kind === "box") return boxFiller(solid, index, maps);
  return solid.height > 0 ? capsuleFiller(solid, index, maps) : ballFiller(solid, index, maps);
}

/**
 * The first of the two points where the line of sight o + t·d (in the solid's space, d the same everywhere) meets the
 * ball: t = (−h − √q)/|d|² with h = o·d and q = h² − |d|²(|o|² − r²). Along a row h is linear and q quadratic in the
 * sample's number, which leaves two multiplications for a sample beside the ball.
 */
function ballFiller(solid: Solid, index: number, { depth, front }: FrontMaps): FillRow {
  const { toLocal, r0 } = solid;
  const nearest = nearestDepth(solid);
  return (first, last, x, y, step) => {
    const o = toSolid(solid, x, y);
    const sx = toLocal[0][0] * step;
    const sy = toLocal[1][0] * step;
    const sz = toLocal[2][0] * step;
    const dx = toLocal[0][2];
    const dy = toLocal[1][2];
    const dz = toLocal[2][2];
    const square = dx * dx + dy * dy + dz * dz;
    const h = o[0] * dx + o[1] * dy + o[2] * dz;
    const hStep = sx * dx + sy * dy + sz * dz;
    const q = h * h - square * (o[0] * o[0] + o[1] * o[1] + o[2] * o[2] - r0 * r0);
    const q1 = 2 * (h * hStep - square * (o[0] * sx + o[1] * sy + o[2] * sz));
    const q2 = hStep * hStep - square * (sx * sx + sy * sy + sz * sz);
    const inverse = 1 / square;
    for (let at = first, i = 0; at <= last; at++, i++) {
      const root = q + i * (q1 + i * q2);
      if (root < 0 || depth[at]! <= nearest) continue;
      const t = (-h - i * hStep - Math.sqrt(root)) * inverse;
      if (t >= depth[at]!) continue;
      depth[at] = t;
      front[at] = index;
    }
  };
}

/**
 * The hull's side is the cone a²(x² + z²) = m² with m = r0 − b·y, b = (r0 − r1)/height and a² = 1 − b²; it holds where
 * k = a·y − b·√(x² + z²) lies in [0, a·height], the balls hold beyond (the regions of the signed distance of a round
 * cone, I. Quilez). Cone and balls are met as {@link ballFiller} tells, with numbers of their own: `side…`, `ball…` for
 * the one at 0, `far…` for the other.
 */
function capsuleFiller(solid: Solid, index: number, { depth, front }: FrontMaps): FillRow {
  const { toLocal, height, r0, r1, open } = solid;
  const nearest = nearestDepth(solid);
  return (first, last, x, y, step) => {
    const o = toSolid(solid, x, y);
    const ox = o[0];
    const oy = o[1];
    const oz = o[2];
    const sx = toLocal[0][0] * step;
    const sy = toLocal[1][0] * step;
    const sz = toLocal[2][0] * step;
    const dx = toLocal[0][2];
    const dy = toLocal[1][2];
    const dz = toLocal[2][2];
    const b = (r0 - r1) / height;
    const a2 = 1 - b * b;
    const a = Math.sqrt(a2);

    const cone = a2 * (dx * dx + dz * dz) - b * b * dy * dy;
    const m = r0 - b * oy;
    const sideH = a2 * (ox * dx + oz * dz) + m * b * dy;
    const sideHStep = a2 * (sx * dx + sz * dz) - b * b * sy * dy;
    const side = sideH * sideH - cone * (a2 * (ox * ox + oz * oz) - m * m);
    const side1 = 2 * (sideH * sideHStep - cone * (a2 * (ox * sx + oz * sz) + m * b * sy));
    const side2 = sideHStep * sideHStep - cone * (a2 * (sx * sx + sz * sz) - b * b * sy * sy);
    const perCone = Math.abs(cone) > 1e-12 ? 1 / cone : Number.NaN; // NaN: nothing is on the side
    const perA = 1 / a;
    const end = open ? height : a * height;

    const square = dx * dx + dy * dy + dz * dz;
    const ballH = ox * dx + oy * dy + oz * dz;
    const ballHStep = sx * dx + sy * dy + sz * dz;
    const away = ox * ox + oy * oy + oz * oz;
    const awayStep = ox * sx + oy * sy + oz * sz;
    const ball = ballH * ballH - square * (away - r0 * r0);
    const ball1 = 2 * (ballH * ballHStep - square * awayStep);
    const ball2 = ballHStep * ballHStep - square * (sx * sx + sy * sy + sz * sz);
    const farH = ballH - height * dy;
    const far = farH * farH - square * (away - 2 * height * oy + height * height - r1 * r1);
    const far1 = 2 * (farH * ballHStep - square * (awayStep - height * sy));
    const perSquare = 1 / square;

    for (let at = first, i = 0; at <= last; at++, i++) {
      const before = depth[at]!;
      if (before <= nearest) continue;
      let t = Number.POSITIVE_INFINITY;
      const root = side + i * (side1 + i * side2);
      if (root >= 0) {
        const meets = (-sideH - i * sideHStep - Math.sqrt(root)) * perCone;
        const level = oy + i * sy + meets * dy;
        const k = (level - b * r0) * perA; // with √(x² + z²) = (r0 − b·y)/a put in
        if (r0 - b * level > 0 && k >= 0 && (open ? level : k) <= end) t = meets;
      }
      if (t === Number.POSITIVE_INFINITY) {
        const ballRoot = ball + i * (ball1 + i * ball2);
        if (ballRoot >= 0) t = (-ballH - i * ballHStep - Math.sqrt(ballRoot)) * perSquare;
        const farRoot = open ? -1 : far + i * (far1 + i * ball2);
        if (farRoot >= 0) t = Math.min(t, (-farH - i * ballHStep - Math.sqrt(farRoot)) * perSquare);
      }
      if (t >= before) continue;
      depth[at] = t;
      front[at] = index;
    }
  };
}

/** Where the line of sight enters the last of the three pairs of planes, if before it leaves the first. */
function boxFiller(solid: Solid, index: number, { depth, front }: FrontMaps): FillRow {
  const { toLocal } = solid;
  // Planes that the line of sight runs along are met far away.
  const inverse = toLocal.map((row) => 1 / (Math.abs(row[2]) > 1e-9 ? row[2] : 1e-9)) as [
    number,
    number,
    number,
  ];
  const [ix, iy, iz] = inverse;
  const [hx, hy, hz] = inverse.map(Math.abs) as [number, number, number];
  return (first, last, x, y, step) => {
    const start = toSolid(solid, x, y);
    // Middle between the planes of a pair, and half the way between them, along the line of sight.
    let mx = -start[0] * ix;
    let my = -start[1] * iy;
    let mz = -start[2] * iz;
    const sx = -toLocal[0][0] * step * ix;
    const sy = -toLocal[1][0] * step * iy;
    const sz = -toLocal[2][0] * step * iz;
    for (let at = first; at <= last; at++, mx += sx, my += sy, mz += sz) {
      const enter = Math.max(mx - hx, my - hy, mz - hz);
      if (enter >= depth[at]! || enter > Math.min(mx + hx, my + hy, mz + hz)) continue;
      depth[at] = enter;
      front[at] = index;
    }
  };
}

/** The point (x, y, 0) of the picture's space in the solid's. */
function toSolid({ origin, toLocal }: Solid, x: number, y: number): Vec3 {
  const px = x - origin[0];
  const py = y - origin[1];
  const pz = -origin[2];
  const m0 = toLocal[0];
  const m1 = toLocal[1];
  const m2 = toLocal[2];
  return [
    m0[0] * px + m0[1] * py + m0[2] * pz,
    m1[0] * px + m1[1] * py + m1[2] * pz,
    m2[0] * px + m2[1] * py + m2[2] * pz,
  ];
}

/** Unit vector out of the surface at a point of the picture's space, into `out`. No arrays are made: it runs per sample. */
export function surfaceNormal(
  { kind, origin, toLocal, height, r0, r1, open }: Solid,
  x: number,
  y: number,
  z: number,
  out: Float64Array,
): void {
  const m0 = toLocal[0];
  const m1 = toLocal[1];
  const m2 = toLocal[2];
  const px = x - origin[0];
  const py = y - origin[1];
  const pz = z - origin[2];
  let nx = m0[0] * px + m0[1] * py + m0[2] * pz;
  let ny = m1[0] * px + m1[1] * py + m1[2] * pz;
  let nz = m2[0] * px + m2[1] * py + m2[2] * pz;
  if (kind === "box") {
    const u = Math.abs(nx);
    const v = Math.abs(ny);
    const w = Math.abs(nz);
    const most = Math.max(u, v, w);
    if (u < most) nx = 0;
    if (v < most) ny = 0;
    if (w < most) nz = 0;
  } else if (height > 0) {
    const b = (r0 - r1) / height;
    const a = Math.sqrt(1 - b * b);
    const radius = Math.sqrt(nx * nx + nz * nz);
    const along = a * ny - b * radius;
    if (along >= a * height && !open) ny -= height;
    else if (along > 0) {
      nx *= a / radius;
      nz *= a / radius;
      ny = b;
    }
  }
  // A direction across a surface goes through the transposed matrix.
  const wx = m0[0] * nx + m1[0] * ny + m2[0] * nz;
  const wy = m0[1] * nx + m1[1] * ny + m2[1] * nz;
  const wz = m0[2] * nx + m1[2] * ny + m2[2] * nz;
  const scaled = 1 / Math.sqrt(wx * wx + wy * wy + wz * wz);
  out[0] = wx * scaled;
  out[1] = wy * scaled;
  out[2] = wz * scaled;
}
