// Which solid is in front at every sample of a picture, and what light makes of it: four samples a pixel.

import type { RgbImage } from "../image/rgb-image.ts";
import type { Vec3 } from "./linear.ts";
import { colorAt } from "./material.ts";
import { CLUTTER, nearestDepth, rowFiller, type Solid, spanInRow, surfaceNormal } from "./solids.ts";

/** Samples per pixel and direction. */
const FINE = 2;

/** Pixels from a pixel's centre to the centres of its samples, each way. */
const OFF = 0.5 / FINE;

/** Where the centre of sample `i` lies, in pixels; pixel centres are whole numbers. */
const positionOf = (i: number): number => (i + 0.5) / FINE - 0.5;

/** The inverse of {@link positionOf}. */
const sampleOf = (position: number): number => (position + 0.5) * FINE - 0.5;

/** What is in front, sample by sample. */
export interface Samples {
  /** Of the picture, in pixels. */
  readonly width: number;
  readonly height: number;
  readonly solids: readonly Solid[];
  /** (2H)×(2W): index into `solids`, −1 where there is none. */
  readonly front: Int16Array;
  /** (2H)×(2W): distance into the picture. */
  readonly depth: Float32Array;
}

/** Finds the front of all solids. */
export function sampleSolids(width: number, height: number, solids: readonly Solid[]): Samples {
  const columns = width * FINE;
  const rows = height * FINE;
  const front = new Int16Array(columns * rows).fill(-1);
  const depth = new Float32Array(columns * rows).fill(Number.POSITIVE_INFINITY);
  // From front to back, so that most of what is hidden need not be worked out.
  const order = solids.map((solid, index) => ({ solid, index, nearest: nearestDepth(solid) }));
  order.sort((a, b) => a.nearest - b.nearest || a.index - b.index);
  for (const { solid, index } of order) {
    const fill = rowFiller(solid, index, { depth, front });
    const lastRow = Math.min(rows - 1, Math.floor(sampleOf(solid.bounds[3])));
    for (let row = Math.max(0, Math.ceil(sampleOf(solid.bounds[1]))); row <= lastRow; row++) {
      const y = positionOf(row);
      const span = spanInRow(solid, y);
      const first = Math.max(0, Math.ceil(sampleOf(span[0])));
      const last = Math.min(columns - 1, Math.floor(sampleOf(span[1])));
      if (first <= last) fill(row * columns + first, row * columns + last, positionOf(first), y, 1 / FINE);
    }
  }
  return { width, height, solids, front, depth };
}

/** A light far away, and the light from all around. */
export interface Light {
  /** Unit vector towards the light. */
  readonly direction: Vec3;
  /** Of red, green and blue. */
  readonly diffuse: Vec3;
  readonly ambient: Vec3;
}

/** Surfaces turn this much darker where they turn away from the viewer, as light gets there from fewer sides. */
const RIM = 0.3;
/** And this much where they face the ground. */
const UNDER = 0.12;

/** Draws the samples over `image`: each a quarter of its pixel, all four at once where one solid fills the pixel. */
export function shadeSamples(samples: Samples, light: Light, image: RgbImage): void {
  const { width, height, front, depth } = samples;
  const columns = width * FINE;
  const { data } = image;
  const sum = new Float64Array(3);
  const shade = shader(samples.solids, light, sum);
  for (let y = 0; y < height; y++) {
    let corner = y * FINE * columns;
    for (let x = 0; x < width; x++, corner += FINE) {
      const below = corner + columns;
      const index = front[corner]!;
      const right = front[corner + 1]!;
      const left2 = front[below]!;
      const right2 = front[below + 1]!;
      const whole = index === right && index === left2 && index === right2;
      if (whole && index < 0) continue;
      sum[0] = 0;
      sum[1] = 0;
      sum[2] = 0;
      let under = 0;
      if (whole) {
        const z = depth[corner]! + depth[corner + 1]! + depth[below]! + depth[below + 1]!;
        shade(index, x, y, z / 4, 1);
      } else {
        const west = x - OFF;
        const east = x + OFF;
        const north = y - OFF;
        const south = y + OFF;
        if (index >= 0) shade(index, west, north, depth[corner]!, 0.25);
        else under += 0.25;
        if (right >= 0) shade(right, east, north, depth[corner + 1]!, 0.25);
        else under += 0.25;
        if (left2 >= 0) shade(left2, west, south, depth[below]!, 0.25);
        else under += 0.25;
        if (right2 >= 0) shade(right2, east, south, depth[below + 1]!, 0.25);
        else under += 0.25;
      }
      const at = (y * width + x) * 3;
      for (let c = 0; c < 3; c++) data[at + c] = Math.min(255, data[at + c]! * under + sum[c]! + 0.5);
    }
  }
}

type Shade = (index: number, x: number, y: number, z: number, weight: number) => void;

/** Adds the light that comes from a point of a solid, times `weight`, to `sum`. */
function shader(solids: readonly Solid[], { direction, diffuse, ambient }: Light, sum: Float64Array): Shade {
  const color = new Float64Array(3);
  const normal = new Float64Array(3);
  const [lightX, lightY, lightZ] = direction;
  const [red, green, blue] = diffuse;
  const [dimRed, dimGreen, dimBlue] = ambient;
  return (index, x, y, z, weight) => {
    const solid = solids[index]!;
    surfaceNormal(solid, x, y, z, normal);
    colorAt(solid.material, x, y, z, color);
    const facing = normal[0]! * lightX + normal[1]! * lightY + normal[2]! * lightZ;
    const lit = Math.max(0, facing);
    const open = weight * (1 - RIM * (1 + normal[2]!) - UNDER * Math.max(0, normal[1]!));
    sum[0] = sum[0]! + color[0]! * (dimRed + red * lit) * open;
    sum[1] = sum[1]! + color[1]! * (dimGreen + green * lit) * open;
    sum[2] = sum[2]! + color[2]! * (dimBlue + blue * lit) * open;
  };
}

/** Whose each pixel is. */
export interface PixelOwners {
  /** H×W: index of the person, −1 for none. */
  readonly person: Int16Array;
  /** H×W: part class, 0 where there is no person. */
  readonly part: Uint8Array;
}

/**
 * A pixel belongs to the person (or to none) that has most of its four samples, of equals to the one of the first
 * sample; its part is the one with most samples of that person.
 */
export function pixelOwners({ width, height, solids, front }: Samples): PixelOwners {
  const person = new Int16Array(width * height).fill(CLUTTER);
  const part = new Uint8Array(width * height);
  const columns = width * FINE;
  // By index into the solids, counted from 1: what is in no solid comes first, as clutter of part 0.
  const owners = Int32Array.from([CLUTTER, ...solids.map(({ person }) => person)]);
  const parts = Int32Array.from([0, ...solids.map(({ part }) => part)]);
  for (let y = 0, at = 0; y < height; y++) {
    let corner = y * FINE * columns;
    for (let x = 0; x < width; x++, at++, corner += FINE) {
      const a = front[corner]! + 1;
      const b = front[corner + 1]! + 1;
      const c = front[corner + columns]! + 1;
      const d = front[corner + columns + 1]! + 1;
      if (a === 0 && b === 0 && c === 0 && d === 0) continue;
      const owner = mostFrequent(owners[a]!, owners[b]!, owners[c]!, owners[d]!);
      person[at] = owner;
      if (owner === CLUTTER) continue;
      part[at] = mostFrequent(
        owners[a] === owner ? parts[a]! : NOBODY,
        owners[b] === owner ? parts[b]! : NOBODY,
        owners[c] === owner ? parts[c]! : NOBODY,
        owners[d] === owner ? parts[d]! : NOBODY,
      );
    }
  }
  return { person, part };
}

/** What does not count in {@link mostFrequent}. */
const NOBODY = -2;

/** Of four the one that occurs most, the first of equals. */
function mostFrequent(a: number, b: number, c: number, d: number): number {
  if (a === b && a === c && a === d) return a;
  const ofA = a === NOBODY ? 0 : 1 + Number(b === a) + Number(c === a) + Number(d === a);
  const ofB = b === NOBODY ? 0 : 1 + Number(a === b) + Number(c === b) + Number(d === b);
  const ofC = c === NOBODY ? 0 : 1 + Number(a === c) + Number(b === c) + Number(d === c);
  const most = Math.max(ofA, ofB, ofC, d === NOBODY ? 0 : 1);
  return most === ofA ? a : most === ofB ? b : most === ofC ? c : d;
}

/**
 * Whether a point inside a person can be seen: a sample at most one pixel off shows one of the person's `parts` no
 * more than `cover` pixels nearer than the point, in a pixel that is labelled so.
 */
export function isVisible(
  { width, height, solids, front, depth }: Samples,
  owners: PixelOwners,
  [x, y, z]: Vec3,
  person: number,
  { parts, cover }: { readonly parts: readonly number[]; readonly cover: number },
): boolean {
  const columns = width * FINE;
  const [column, row] = [Math.round((x + 0.5) * FINE - 0.5), Math.round((y + 0.5) * FINE - 0.5)];
  for (let dy = -1; dy <= 1; dy++) {
    for (let dx = -1; dx <= 1; dx++) {
      const [c, r] = [column + dx, row + dy];
      if (c < 0 || r < 0 || c >= columns || r >= height * FINE) continue;
      const at = r * columns + c;
      const solid = solids[front[at]!];
      if (solid?.person !== person || !parts.includes(solid.part) || z - depth[at]! > cover) continue;
      const pixel = (r >> 1) * width + (c >> 1);
      if (owners.person[pixel] === person && parts.includes(owners.part[pixel]!)) return true;
    }
  }
  return false;
}
