// Vectors and rotations in three dimensions: x to the right, y down, z away from the viewer, as in the picture.

/** A point or a direction. */
export type Vec3 = readonly [x: number, y: number, z: number];

/** A 3×3 matrix by rows. */
export type Mat3 = readonly [Vec3, Vec3, Vec3];

export const dot = (a: Vec3, b: Vec3): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
export const add = (a: Vec3, b: Vec3): Vec3 => [a[0] + b[0], a[1] + b[1], a[2] + b[2]];
export const scale = (a: Vec3, s: number): Vec3 => [a[0] * s, a[1] * s, a[2] * s];
export const subtract = (a: Vec3, b: Vec3): Vec3 => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
export const mix = (a: Vec3, b: Vec3, t: number): Vec3 => add(scale(a, 1 - t), scale(b, t));
export const length = (a: Vec3): number => Math.sqrt(dot(a, a));
export const normalize = (a: Vec3): Vec3 => scale(a, 1 / length(a));
export const cross = (a: Vec3, b: Vec3): Vec3 => [
  a[1] * b[2] - a[2] * b[1],
  a[2] * b[0] - a[0] * b[2],
  a[0] * b[1] - a[1] * b[0],
];

/** M·v. */
export const apply = (m: Mat3, v: Vec3): Vec3 => [dot(m[0], v), dot(m[1], v), dot(m[2], v)];

export const transpose = (m: Mat3): Mat3 => [
  [m[0][0], m[1][0], m[2][0]],
  [m[0][1], m[1][1], m[2][1]],
  [m[0][2], m[1][2], m[2][2]],
];

/** The product of all, from left to right: the last acts first. */
export function multiply(first: Mat3, ...rest: readonly Mat3[]): Mat3 {
  return rest.reduce(product, first);
}

function product(a: Mat3, b: Mat3): Mat3 {
  return [rowTimes(a[0], b), rowTimes(a[1], b), rowTimes(a[2], b)];
}

/** vᵀ·M. */
const rowTimes = (v: Vec3, m: Mat3): Vec3 => [
  v[0] * m[0][0] + v[1] * m[1][0] + v[2] * m[2][0],
  v[0] * m[0][1] + v[1] * m[1][1] + v[2] * m[2][1],
  v[0] * m[0][2] + v[1] * m[1][2] + v[2] * m[2][2],
];

/** Turns y towards z by `angle` radians. */
export function rotationX(angle: number): Mat3 {
  const [c, s] = [Math.cos(angle), Math.sin(angle)];
  return [
    [1, 0, 0],
    [0, c, -s],
    [0, s, c],
  ];
}

/** Turns z towards x by `angle` radians. */
export function rotationY(angle: number): Mat3 {
  const [c, s] = [Math.cos(angle), Math.sin(angle)];
  return [
    [c, 0, s],
    [0, 1, 0],
    [-s, 0, c],
  ];
}

/** Turns x towards y by `angle` radians. */
export function rotationZ(angle: number): Mat3 {
  const [c, s] = [Math.cos(angle), Math.sin(angle)];
  return [
    [c, -s, 0],
    [s, c, 0],
    [0, 0, 1],
  ];
}

/** A rotation whose second column (where it takes the y axis) is `axis`, its first as near to `side` as may be. */
export function frameAlong(axis: Vec3, side: Vec3): Mat3 {
  const y = normalize(axis);
  const rest = subtract(side, scale(y, dot(side, y)));
  const x =
    length(rest) > 1e-6 ? normalize(rest) : normalize(cross(y, Math.abs(y[0]) < 0.9 ? [1, 0, 0] : [0, 1, 0]));
  return transpose([x, y, cross(x, y)]);
}
