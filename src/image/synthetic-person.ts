// One drawn figure of a person with exactly known keypoints: a picture for the demo and for tests, free of any rights.

import { HRNetError } from "../errors.ts";
import { type Color, drawCapsule, drawDisc } from "./draw.ts";
import { type RgbImage, rgbImage } from "./rgb-image.ts";

/** A drawn figure and the truth about it. */
export interface SyntheticPerson {
  readonly image: RgbImage;
  /** The 17 keypoints of COCO in its order, in pixels: nose, eyes, ears, shoulders, … ankles, left before right. */
  readonly keypoints: readonly (readonly [x: number, y: number])[];
  /** What the figure covers, `[x, y, width, height]` in pixels. */
  readonly box: readonly [x: number, y: number, width: number, height: number];
}

type Vec = readonly [x: number, y: number];

/** A part to draw, in body units: a capsule between two points. */
interface Part {
  readonly from: Vec;
  readonly to: Vec;
  readonly radius: number;
  readonly color: Color;
}

const SMALLEST_SIDE = 32;
/** Part of the picture's width and height that is left free on each side. */
const MARGIN = 0.08;

const SKIN_TONES: readonly Color[] = [
  [241, 204, 177],
  [214, 162, 122],
  [160, 108, 74],
  [99, 64, 45],
];
const CLOTHES: readonly Color[] = [
  [176, 58, 46],
  [40, 90, 150],
  [60, 120, 80],
  [215, 180, 80],
  [120, 80, 140],
  [70, 75, 85],
];
const HAIR: readonly Color[] = [
  [40, 30, 25],
  [95, 60, 35],
  [190, 150, 90],
];
const SHOES: Color = [35, 33, 36];
const SHADING_STEPS = 6;

/**
 * Draws a standing figure seen from the front, in a pose, clothes and light given by `seed`. The same arguments give
 * the same picture. Proportions are those of an adult (body height 1: hips at 0.53, knees at 0.285).
 * @throws HRNetError `invalid-image` when a side is below 32 pixels.
 */
export function syntheticPerson(width: number, height: number, seed = 0): SyntheticPerson {
  if (!(width >= SMALLEST_SIDE && height >= SMALLEST_SIDE)) {
    throw new HRNetError("invalid-image", `A figure needs at least 32×32 pixels, not ${width}×${height}.`);
  }
  const random = randomNumbers(seed);
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)]!;
  const image = rgbImage(width, height);
  drawRoom(image, pick(CLOTHES), random);

  const joints = randomPose(random);
  const parts = figure(joints, pick(SKIN_TONES), pick(CLOTHES), pick(CLOTHES), pick(HAIR));
  const bounds = partBounds(parts);
  const scale = Math.min(
    (width * (1 - 2 * MARGIN)) / (bounds.right - bounds.left),
    (height * (1 - 2 * MARGIN)) / (bounds.bottom - bounds.top),
  );
  const shiftX = width / 2 - (scale * (bounds.left + bounds.right)) / 2;
  const shiftY = height * (1 - MARGIN) - scale * bounds.bottom;
  const place = ([x, y]: Vec): Vec => [shiftX + scale * x, shiftY + scale * y];

  for (let i = 4; i > 0; i--) {
    // a soft shadow on the floor, darkest in the middle
    const [x, y] = place([0, bounds.bottom - 0.01]);
    const reach = scale * 0.05 * i;
    const paint = { color: [0, 0, 0] as const, opacity: 0.12 };
    drawCapsule(image, x - reach, y, x + reach, y, scale * 0.012 * i, paint);
  }
  for (const part of parts)
    drawPart(image, place(part.from), place(part.to), scale * part.radius, part.color);
  return {
    image,
    keypoints: joints.map(place),
    box: [
      shiftX + scale * bounds.left,
      shiftY + scale * bounds.top,
      scale * (bounds.right - bounds.left),
      scale * (bounds.bottom - bounds.top),
    ],
  };
}

/** The 17 keypoints in body units: x to the right, y down, the ground near 0, the top of the head near −1. */
function randomPose(random: () => number): Vec[] {
  const between = (low: number, high: number) => low + (high - low) * random();
  const lean = between(-0.05, 0.05);
  const hipY = -0.53;
  const shoulderY = -0.82;
  const trunkX = lean * 0.8;
  const headX = trunkX + lean * 0.6 + between(-0.01, 0.01);
  const headY = -0.925;

  // side: +1 for the person's left, which is on the right of the picture.
  const arm = (side: number): [Vec, Vec, Vec] => {
    const shoulder: Vec = [trunkX + side * 0.115, shoulderY];
    const upper = between(0.15, 1.5); // from hanging, outwards, in radians
    const elbow = along(shoulder, side * upper, 0.165);
    const wrist = along(elbow, side * (upper + between(-0.5, 1.4)), 0.15);
    return [shoulder, elbow, wrist];
  };
  const leg = (side: number): [Vec, Vec, Vec] => {
    const hip: Vec = [side * 0.075, hipY];
    const thigh = between(0.02, 0.32);
    const knee = along(hip, side * thigh, 0.245);
    const ankle = along(knee, side * (thigh - between(0, 0.3)), 0.245);
    return [hip, knee, ankle];
  };
  const [leftArm, rightArm, leftLeg, rightLeg] = [arm(1), arm(-1), leg(1), leg(-1)];
  const face: Vec[] = [
    [headX, headY + 0.012],
    [headX + 0.022, headY - 0.012],
    [headX - 0.022, headY - 0.012],
    [headX + 0.052, headY],
    [headX - 0.052, headY],
  ];
  const limbs = [0, 1, 2].flatMap((i) => [leftArm[i]!, rightArm[i]!]);
  return [...face, ...limbs, ...[0, 1, 2].flatMap((i) => [leftLeg[i]!, rightLeg[i]!])];
}

/** `length` away from `from`, `angle` radians off straight down, towards the right when positive. */
function along(from: Vec, angle: number, length: number): Vec {
  return [from[0] + Math.sin(angle) * length, from[1] + Math.cos(angle) * length];
}

/** The parts of the figure from back to front. */
function figure(joints: readonly Vec[], skin: Color, shirt: Color, trousers: Color, hair: Color): Part[] {
  const [nose, leftEye, rightEye, leftEar, rightEar, ls, rs, le, re, lw, rw, lh, rh, lk, rk, la, ra] =
    joints as Vec[];
  const part = (from: Vec, to: Vec, radius: number, color: Color): Part => ({ from, to, radius, color });
  const disc = (at: Vec, radius: number, color: Color) => part(at, at, radius, color);
  const mix = (a: Vec, b: Vec, t: number): Vec => [a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t];
  const offset = ([x, y]: Vec, dx: number, dy: number): Vec => [x + dx, y + dy];
  const neck = mix(ls!, rs!, 0.5);
  const headCentre = offset(nose!, 0, -0.018);
  const legs = [
    [lh, lk, la, 0.02],
    [rh, rk, ra, -0.02],
  ].flatMap(([hip, knee, ankle, toe]) => [
    part(offset(ankle as Vec, 0, 0.022), offset(ankle as Vec, toe as number, 0.03), 0.024, SHOES),
    part(knee as Vec, ankle as Vec, 0.034, trousers),
    part(hip as Vec, knee as Vec, 0.046, trousers),
  ]);
  // The outer strips of the trunk first, so that the shading falls off to both sides.
  const trunk = [0, 1, 0.12, 0.88, 0.24, 0.76, 0.36, 0.64, 0.5].map((t) =>
    part(mix(ls!, rs!, t), mix(lh!, rh!, t), 0.036 + 0.05 * (0.5 - Math.abs(t - 0.5)), shirt),
  );
  const arms = [
    [ls, le, lw],
    [rs, re, rw],
  ].flatMap(([shoulder, elbow, wrist]) => [
    part(elbow!, wrist!, 0.022, skin),
    disc(mix(elbow!, wrist!, 1.12), 0.026, skin),
    part(shoulder!, elbow!, 0.032, shirt),
  ]);
  return [
    ...legs,
    part(neck, headCentre, 0.03, skin),
    part(lh!, rh!, 0.046, trousers),
    ...trunk,
    ...arms,
    part(offset(headCentre, 0, -0.022), offset(headCentre, 0, -0.008), 0.06, hair),
    disc(leftEar!, 0.012, skin),
    disc(rightEar!, 0.012, skin),
    part(offset(headCentre, 0, -0.002), offset(headCentre, 0, 0.03), 0.05, skin),
    ...[leftEye!, rightEye!].flatMap((eye) => [
      disc(eye, 0.0095, [245, 245, 245]),
      disc(eye, 0.005, [30, 30, 35]),
    ]),
    part(offset(nose!, 0, -0.012), nose!, 0.006, shade(skin, 0.82)),
    part(offset(nose!, -0.014, 0.026), offset(nose!, 0.014, 0.026), 0.0035, [150, 60, 60]),
  ];
}

/** A capsule with a darker rim and a lighter core towards the light at the upper left: it reads as round. */
function drawPart(image: RgbImage, from: Vec, to: Vec, radius: number, color: Color): void {
  drawCapsule(image, from[0], from[1], to[0], to[1], radius, { color: shade(color, 0.72) });
  for (let step = 1; step <= SHADING_STEPS; step++) {
    const depth = step / SHADING_STEPS;
    const shift = -0.2 * depth * radius;
    const paint = { color: shade(color, 0.75 + 0.35 * depth), opacity: 0.5 };
    const inner = radius * (1 - 0.65 * depth);
    drawCapsule(image, from[0] + shift, from[1] + shift, to[0] + shift, to[1] + shift, inner, paint);
  }
}

/** A wall with a gradient and a few soft discs, and a floor. */
function drawRoom(image: RgbImage, tint: Color, random: () => number): void {
  const { width, height, data } = image;
  const horizon = Math.round(height * (0.72 + 0.08 * random()));
  for (let y = 0; y < height; y++) {
    const wall = y < horizon;
    const light = wall ? 1.12 - (0.3 * y) / horizon : 0.62 + (0.25 * (y - horizon)) / (height - horizon);
    for (let x = 0; x < width; x++) {
      const at = (y * width + x) * 3;
      const glow = light * (1 - 0.18 * Math.abs(x / width - 0.4));
      const grain = ((x * 7 + y * 13) % 5) - 2;
      for (let c = 0; c < 3; c++) {
        const base = wall ? 150 + 0.25 * tint[c]! : 128 + [10, 0, -14][c]!;
        data[at + c] = Math.max(0, Math.min(255, base * glow + grain));
      }
    }
  }
  for (let i = 0; i < 5; i++) {
    const radius = Math.min(width, height) * (0.04 + 0.08 * random());
    const color = shade(tint, 0.8 + 0.5 * random());
    drawDisc(image, random() * width, random() * horizon * 0.8, radius, { color, opacity: 0.18 });
  }
}

function shade([red, green, blue]: Color, factor: number): Color {
  return [Math.min(255, red * factor), Math.min(255, green * factor), Math.min(255, blue * factor)];
}

function partBounds(parts: readonly Part[]) {
  const xs = parts.flatMap(({ from, to, radius }) => [from, to].flatMap(([x]) => [x - radius, x + radius]));
  const ys = parts.flatMap(({ from, to, radius }) => [from, to].flatMap(([, y]) => [y - radius, y + radius]));
  return { left: Math.min(...xs), right: Math.max(...xs), top: Math.min(...ys), bottom: Math.max(...ys) };
}

/** Mulberry32: 32 bits of state, enough for a drawing, and the same on every machine. Values in [0, 1). */
function randomNumbers(seed: number): () => number {
  let state = (seed ^ 0x9e3779b9) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
