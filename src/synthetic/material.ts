// What surfaces look like: a colour, a pattern of two colours laid through the body, creases.

import type { Color } from "../image/draw.ts";
import type { Random } from "../random/random.ts";
import { between, chance, pick } from "./choose.ts";
import type { Mat3, Vec3 } from "./linear.ts";
import { noise2 } from "./noise.ts";

/** Kinds of patterns. */
export type Pattern = "plain" | "stripes" | "columns" | "checks" | "dots" | "cloud" | "print";

/** Colour and pattern of something. */
export interface Look {
  readonly color: Color;
  /** The pattern's other colour. */
  readonly second: Color;
  readonly pattern: Pattern;
  /** Repeats of the pattern per body height. */
  readonly frequency: number;
  /** Strength of creases and grain, 0–1. */
  readonly creases: number;
  /** Chooses the noise. */
  readonly layer: number;
}

/** A look with the space that its pattern lies in. */
export interface Material extends Look {
  readonly origin: Vec3;
  /** Takes directions of the picture into that space; rows are its axes. */
  readonly axes: Mat3;
  /** Pixels of a body height. */
  readonly unit: number;
}

/** How much of the second colour (0–1) a pattern has at (u, v, w), in repeats. */
const PATTERNS: Readonly<Record<Pattern, (u: number, v: number, w: number, layer: number) => number>> = {
  plain: () => 0,
  stripes: (_u, v) => (v - Math.floor(v) < 0.45 ? 1 : 0),
  columns: (u) => (u - Math.floor(u) < 0.4 ? 1 : 0),
  checks: (u, v) => (u - Math.floor(u) < 0.5 ? 0.5 : 0) + (v - Math.floor(v) < 0.5 ? 0.5 : 0),
  dots: (u, v) => ((u - Math.floor(u) - 0.5) ** 2 + (v - Math.floor(v) - 0.5) ** 2 < 0.07 ? 1 : 0),
  cloud: (u, v, w, layer) => (noise2(u + 3 * w, v, layer) > 0.52 ? 1 : 0),
  print: (u, v, w, layer) =>
    w < 0 && Math.abs(u) < 0.5 && Math.abs(v + 1) < 0.45 ? noise2(u * 5, v * 5, layer) : 0,
};

/** Colour (each 0–255, before light) at a point of the picture's space, into `out`. */
export function colorAt(material: Material, x: number, y: number, z: number, out: Float64Array): void {
  const { origin, axes, unit, pattern, frequency, color, second, creases, layer } = material;
  const px = x - origin[0];
  const py = y - origin[1];
  const pz = z - origin[2];
  const s = 1 / unit;
  const u = (axes[0][0] * px + axes[0][1] * py + axes[0][2] * pz) * s;
  const v = (axes[1][0] * px + axes[1][1] * py + axes[1][2] * pz) * s;
  const w = (axes[2][0] * px + axes[2][1] * py + axes[2][2] * pz) * s;
  const t = pattern === "plain" ? 0 : PATTERNS[pattern](u * frequency, v * frequency, w * frequency, layer);
  // Creases run across, so the noise is stretched sideways.
  const shade = creases === 0 ? 1 : 1 + creases * (noise2(u * 14 + w * 9, v * 26 + w * 5, layer) - 0.5);
  for (let c = 0; c < 3; c++) out[c] = (color[c]! + (second[c]! - color[c]!) * t) * shade;
}

/** Any colour: hue 0–1, saturation and value 0–1. */
export function hsv(hue: number, saturation: number, value: number): Color {
  const channel = (offset: number): number => {
    const k = (offset + hue * 6) % 6;
    return 255 * value * (1 - saturation * Math.max(0, Math.min(k, 4 - k, 1)));
  };
  return [channel(5), channel(3), channel(1)];
}

/** A colour as things have it: most are grey, brown or muted, some bright. */
export function randomColor(random: Random): Color {
  const kind = random();
  if (kind < 0.3) return hsv(random(), 0.12 * random(), pick(random, [0.1, 0.18, 0.45, 0.7, 0.93]));
  if (kind < 0.5)
    return hsv(between(random, [0.04, 0.14]), between(random, [0.15, 0.6]), between(random, [0.2, 0.9]));
  const saturation = kind < 0.82 ? between(random, [0.12, 0.45]) : between(random, [0.5, 0.9]);
  return hsv(random(), saturation, between(random, [0.2, 0.95]));
}

const PATTERN_NAMES = Object.keys(PATTERNS) as Pattern[];

/** Looks of cloth. */
export function randomCloth(random: Random): Look {
  const pattern = chance(random, 0.5) ? "plain" : pick(random, PATTERN_NAMES);
  return {
    color: randomColor(random),
    second: randomColor(random),
    pattern,
    frequency: pattern === "print" ? between(random, [7, 12]) : between(random, [12, 42]),
    creases: between(random, [0.1, 0.5]),
    layer: Math.floor(random() * 1e6),
  };
}

/** One colour without a pattern. */
export function plainLook(color: Color, creases = 0.08, layer = 0): Look {
  return { color, second: color, pattern: "plain", frequency: 1, creases, layer };
}
