// Which solid is in front at every sample of a picture, and what light makes of it: four samples a pixel.

import type { RgbImage } from "../image/rgb-image.ts";
import type { Vec3 } from "./linear.ts";
import { colorAt } from "./material.ts";
import { CLUTTER, nearestDepth, rowFiller, type Solid, spanInRow, surfaceNormal } from "./solids.ts";

/** Samples per pixel and direction. */
const FINE = 2;

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
      const [left, right] = spanInRow(solid, y);
      const first = Math.max(0, Math.ceil(sampleOf(left)));
      const last = Math.min(columns - 1, Math.floor(sampleOf(right)));
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
  const shade = shader(samples.solids, light);
  const sum = new Float64Array(3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const corner = y * FINE * columns + x * FINE;
      const index = front[corner]!;
      const covered =
        Number(index >= 0) +
        Number(front[corner + 1]! >= 0) +
        Number(front[corner + columns]! >= 0) +
        Number(front[corner + columns + 1]! >= 0);
      if (covered === 0) continue;
      sum.fill(0);
      const whole =
        index === front[corner + 1] &&
        index === front[corner + columns] &&
        index === front[corner + columns + 1];
      if (whole) {
        const z =
          depth[corner]! + depth[corner + 1]! + depth[corner + columns]! + depth[corner + columns + 1]!;
        shade(index, x, y, z / 4, 1, sum);
      } else {
        for (let i = 0; i < FINE * FINE; i++) {
          const column = x * FINE + (i % FINE);
          const row = y * FINE + (i >> 1);
          const at = row * columns + column;
          if (front[at]! >= 0) shade(front[at]!, positionOf(column), positionOf(row), depth[at]!, 0.25, sum);
        }
      }
      const at = (y * width + x) * 3;
      const under = 1 - covered / (FINE * FINE);
      for (let c = 0; c < 3; c++) data[at + c] = Math.min(255, data[at + c]! * under + sum[c]! + 0.5);
    }
  }
}

/** Adds the light that comes from a point of a solid, times `weight`, to `sum`. */
function shader(solids: readonly Solid[], { direction, diffuse, ambient }: Light) {
  const color = new Float64Array(3);
  const normal = new Float64Array(3);
  return (index: number, x: number, y: number, z: number, weight: number, sum: Float64Array): void => {
    const solid = solids[index]!;
    surfaceNormal(solid, x, y, z, normal);
    colorAt(solid.material, x, y, z, color);
    const facing = normal[0]! * direction[0] + normal[1]! * direction[1] + normal[2]! * direction[2];
    const lit = Math.max(0, facing);
    const open = weight * (1 - RIM * (1 + normal[2]!) - UNDER * Math.max(0, normal[1]!));
    for (let c = 0; c < 3; c++) sum[c] = sum[c]! + color[c]! * (ambient[c]! + diffuse[c]! * lit) * open;
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
  const samples = FINE * FINE;
  const persons = new Int16Array(samples);
  const parts = new Int16Array(samples);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const corner = y * FINE * columns + x * FINE;
      if (
        front[corner]! < 0 &&
        front[corner + 1]! < 0 &&
        front[corner + columns]! < 0 &&
        front[corner + columns + 1]! < 0
      ) {
        continue;
      }
      for (let i = 0; i < samples; i++) {
        const index = front[corner + (i >> 1) * columns + (i % FINE)]!;
        persons[i] = index < 0 ? CLUTTER : solids[index]!.person;
        parts[i] = index < 0 ? 0 : solids[index]!.part;
      }
      const at = y * width + x;
      if (sameEverywhere(persons) && sameEverywhere(parts)) {
        person[at] = persons[0]!;
        part[at] = parts[0]!;
        continue;
      }
      const owner = mostFrequent(persons, () => true);
      person[at] = persons[owner]!;
      if (persons[owner] !== CLUTTER) {
        part[at] = parts[mostFrequent(parts, (i) => persons[i] === persons[owner])]!;
      }
    }
  }
  return { person, part };
}

function sameEverywhere(values: Int16Array): boolean {
  for (let i = 1; i < values.length; i++) if (values[i] !== values[0]) return false;
  return true;
}

/** Index of the first value that occurs most among those wanted. */
function mostFrequent(values: Int16Array, wanted: (i: number) => boolean): number {
  let best = 0;
  let most = 0;
  for (let i = 0; i < values.length; i++) {
    if (!wanted(i)) continue;
    let count = 0;
    for (let j = 0; j < values.length; j++) if (wanted(j) && values[j] === values[i]) count++;
    if (count > most) {
      most = count;
      best = i;
    }
  }
  return best;
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
