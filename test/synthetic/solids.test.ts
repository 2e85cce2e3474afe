// Solids: the analytic front against marching along the line of sight through the shape's definition.
import { expect, test } from "vitest";
import { uniformRandom } from "../../src/random/random.ts";
import {
  add,
  apply,
  type Mat3,
  multiply,
  rotationX,
  rotationY,
  rotationZ,
  subtract,
  type Vec3,
} from "../../src/synthetic/linear.ts";
import { plainLook } from "../../src/synthetic/material.ts";
import {
  box,
  capsule,
  ellipsoid,
  rowFiller,
  type Solid,
  spanInRow,
  surfaceNormal,
} from "../../src/synthetic/solids.ts";

const UPRIGHT: Mat3 = [
  [1, 0, 0],
  [0, 1, 0],
  [0, 0, 1],
];
const TAG = {
  person: 0,
  part: 1,
  material: { ...plainLook([9, 9, 9]), origin: [0, 0, 0] as Vec3, axes: UPRIGHT, unit: 1 },
};
const random = uniformRandom(5);
const within = (low: number, high: number): number => low + (high - low) * random();
const point = (): Vec3 => [within(-9, 9), within(-9, 9), within(-9, 9)];

/** Whether a point is in the hull of two balls: in one of the balls between them. */
function inHull(p: Vec3, a: Vec3, b: Vec3, ra: number, rb: number): boolean {
  for (let i = 0; i <= 60; i++) {
    const t = i / 60;
    const centre = add(a, subtract(b, a).map((v) => v * t) as unknown as Vec3);
    if (Math.hypot(...subtract(p, centre)) <= ra + (rb - ra) * t) return true;
  }
  return false;
}

function march(inside: (p: Vec3) => boolean, x: number, y: number): number {
  for (let z = -20; z < 20; z += 0.1) if (inside([x, y, z])) return z;
  return Number.POSITIVE_INFINITY;
}

/** Depth of a solid's front at a point: a row of three samples around it, each as the others would find it. */
function depthFunction(solid: Solid): (x: number, y: number) => number {
  return (x, y) => {
    const maps = {
      depth: new Float32Array(5).fill(Number.POSITIVE_INFINITY),
      front: new Int16Array(5).fill(-1),
    };
    rowFiller(solid, 7, maps)(1, 3, x - 0.5, y, 0.5);
    const [before, , at, , after] = maps.depth;
    expect([before, after]).toEqual([Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]);
    expect(maps.front[2]).toBe(at === Number.POSITIVE_INFINITY ? -1 : 7);
    return at!;
  };
}

function compare(solid: Solid, inside: (p: Vec3) => boolean): void {
  const depthAt = depthFunction(solid);
  let [hits, wrong] = [0, 0];
  for (let n = 0; n < 40; n++) {
    const [x, y] = point();
    const [found, wanted] = [depthAt(x, y), march(inside, x, y)];
    if (wanted === Number.POSITIVE_INFINITY && found === wanted) continue;
    hits++;
    if (!(Math.abs(found - wanted) < 0.2)) wrong++; // steps of marching; grazing lines may differ
    const [first, last] = spanInRow(solid, y);
    expect(x >= first && x <= last && y >= solid.bounds[1] && y <= solid.bounds[3]).toBe(true);
  }
  expect(wrong).toBeLessThanOrEqual(0.1 * hits + 1);
}

test("a tapered capsule is the hull of its two balls", () => {
  for (let n = 0; n < 4; n++) {
    const [a, b] = [point(), point()];
    const [ra, rb] = [within(1, 3), within(1, 3)];
    compare(capsule({ from: a, to: b, radii: [ra, rb] }, TAG), (p) => inHull(p, a, b, ra, rb));
  }
});

test("boxes and ellipsoids are what their half sides say, any way round", () => {
  const frame = multiply(rotationX(0.5), rotationY(1.1), rotationZ(-0.4));
  const half: Vec3 = [3, 5, 2];
  const centre: Vec3 = [1, -1, 2];
  const local = (p: Vec3): number[] => {
    const d = subtract(p, centre);
    return [0, 1, 2].map((i) => (frame[0][i]! * d[0] + frame[1][i]! * d[1] + frame[2][i]! * d[2]) / half[i]!);
  };
  compare(box(centre, frame, half, TAG), (p) => Math.max(...local(p).map(Math.abs)) <= 1);
  compare(ellipsoid(centre, frame, half, TAG), (p) => Math.hypot(...local(p)) <= 1);
});

test("the normal is how depth changes from pixel to pixel", () => {
  const from: Vec3 = [-3, -2, 1];
  const solid = capsule(
    { from, to: add(from, apply(rotationZ(0.3), [0, 7, 2])), radii: [3, 2], flatness: 0.6 },
    TAG,
  );
  const depthAt = depthFunction(solid);
  const normal = new Float64Array(3);
  for (const [x, y] of [
    [-3, -3],
    [-2.5, 0],
    [-4, 2],
    [-5, 4],
    [-4, 5.5],
  ] as const) {
    const z = depthAt(x, y);
    surfaceNormal(solid, x, y, z, normal);
    const step = 1e-4;
    const [sx, sy] = [(depthAt(x + step, y) - z) / step, (depthAt(x, y + step) - z) / step];
    expect(normal[2]).toBeLessThan(0); // towards the viewer
    expect(normal[0]! / normal[2]!).toBeCloseTo(-sx, 2);
    expect(normal[1]! / normal[2]!).toBeCloseTo(-sy, 2);
  }
});
