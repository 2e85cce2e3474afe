// Evidence that left and right of a person are exchanged, from geometry alone. Heuristics, each with a confidence.

import { sideOfName } from "../skeleton/sides.ts";

/** Where the parts of a body are among the keypoints; a part that the set lacks is absent. */
export interface BodyParts {
  /** Index by name. */
  readonly middle: ReadonlyMap<string, number>;
  /** Indices of left and right by name without side. */
  readonly pairs: ReadonlyMap<string, readonly [left: number, right: number]>;
}

type Point = readonly [x: number, y: number];
type Pair = readonly [left: Point, right: Point];

/** What speaks for exchanged sides. */
export interface SideEvidence {
  /** `face`: eyes against the nose; `body`: trunk against the face; `trunk`: crossed; `elbows`, `knees`: exchanged. */
  readonly kind: "face" | "body" | "trunk" | "elbows" | "knees";
  /** 0–1. */
  readonly confidence: number;
}

/** What one person says about its sides. */
export interface SideReading {
  /** Whether the face says which way it looks, and says it of rightly named sides. */
  readonly face: "right" | "exchanged" | "unknown";
  /** Which side of the body is seen, if the names are right. */
  readonly trunk: "front" | "back" | "unknown";
  readonly evidence: readonly SideEvidence[];
}

/**
 * Finds the parts: `nose` in the middle, `shoulder` on both sides. Names may be written `left_shoulder`, `LShoulder`,
 * `shoulder-l`; names with more in them (`medial_left_shoulder`) are no match.
 */
export function bodyParts(names: readonly string[]): BodyParts {
  const found = {
    left: new Map<string, number>(),
    right: new Map<string, number>(),
    center: new Map<string, number>(),
  };
  names.forEach((name, k) => {
    const bare = name
      .replace(/left|right/gi, "")
      .replace(/^[LR](?=[A-Z])/, "")
      .replace(/(?<![A-Za-z])[lr](?![A-Za-z])/gi, "")
      .replace(/[^A-Za-z]/g, "")
      .toLowerCase();
    found[sideOfName(name)].set(bare, k);
  });
  const both = [...found.left].filter(([part]) => found.right.has(part));
  return {
    middle: found.center,
    pairs: new Map(both.map(([part, k]) => [part, [k, found.right.get(part)!]])),
  };
}

/** Smallest distances in pixels between two points of which an angle is taken: below, annotation noise decides. */
const MIN_EYES = 4;
const MIN_TRUNK = 16;

/** Joints that can be exchanged, with what they hang on. */
const LIMBS = [
  { kind: "elbows", from: "shoulder", joint: "elbow", to: "wrist" },
  { kind: "knees", from: "hip", joint: "knee", to: "ankle" },
] as const;

/** What a person's labelled keypoints (K×3) say. */
export function readSides(keypoints: readonly number[], parts: BodyParts): SideReading {
  const point = (k: number | undefined): Point | undefined =>
    k !== undefined && keypoints[3 * k + 2]! > 0 ? [keypoints[3 * k]!, keypoints[3 * k + 1]!] : undefined;
  const pair = (part: string): Pair | undefined => {
    const both = parts.pairs.get(part);
    const [left, right] = [point(both?.[0]), point(both?.[1])];
    return left && right && [left, right];
  };
  const [shoulders, hips] = [pair("shoulder"), pair("hip")];
  const face = readFace(pair("eye"), point(parts.middle.get("nose")));
  const trunk = shoulders && hips && readTrunk(shoulders, hips);
  const evidence: SideEvidence[] = [];
  if (face && face.facing < 0) evidence.push({ kind: "face", confidence: face.confidence });
  // A face that is seen, on a body that by its names is seen from behind: it would have to look over its shoulder.
  if (face && face.facing > 0 && trunk?.side === "back")
    evidence.push({ kind: "body", confidence: Math.min(face.confidence, trunk.confidence) });
  if (trunk?.side === "crossed") evidence.push({ kind: "trunk", confidence: trunk.confidence });
  for (const { kind, from, joint, to } of LIMBS) {
    const confidence = readLimbs(pair(from), pair(joint), pair(to));
    if (confidence > 0) evidence.push({ kind, confidence });
  }
  return {
    face: face === undefined ? "unknown" : face.facing > 0 ? "right" : "exchanged",
    trunk: trunk === undefined || trunk.side === "crossed" ? "unknown" : trunk.side,
    evidence,
  };
}

/**
 * Nose and eyes are seen from the front only, and then go round in one direction, however the head is turned in the
 * picture: standing, the left eye is on the viewer's right and the nose below. The other direction means exchanged names.
 * Left out: side views (eyes close together) and heads thrown back or bowed (nose near the line of the eyes).
 */
function readFace(eyes: Pair | undefined, nose: Point | undefined) {
  if (!eyes || !nose) return undefined;
  const across = minus(eyes[0], eyes[1]);
  const up = minus(middle(eyes), nose);
  const [width, height] = [length(across), length(up)];
  if (width < MIN_EYES || width < 0.5 * height || height < 0.35 * width) return undefined;
  const sine = -cross(across, up) / (width * height); // 1: level eyes, straight nose, names right
  if (Math.abs(sine) < 0.6) return undefined;
  return { facing: Math.sign(sine), confidence: Math.abs(sine) * Math.min(1, width / (0.9 * height)) };
}

/** Which way the trunk faces by the names of shoulders and hips. */
function readTrunk(
  shoulders: Pair,
  hips: Pair,
): { side: "front" | "back" | "crossed"; confidence: number } | undefined {
  const up = minus(middle(shoulders), middle(hips));
  const tall = length(up);
  if (tall < MIN_TRUNK) return undefined;
  const turn = ([left, right]: Pair): number => -cross(minus(left, right), up) / (tall * tall); // width in trunk heights
  const [upper, lower] = [turn(shoulders), turn(hips)];
  // Hips are about half as wide as shoulders, and both 0.6 and 0.3 of the trunk's height from the front.
  if (Math.sign(upper) !== Math.sign(lower)) {
    // Nobody turns the shoulders by half a turn against the hips: both wide and opposed means one pair is exchanged.
    const wide = Math.min(Math.abs(upper) / 0.4, Math.abs(lower) / 0.2);
    return wide >= 1 ? { side: "crossed", confidence: Math.min(1, wide / 1.5) } : undefined;
  }
  if (Math.abs(upper) < 0.35) return undefined;
  return { side: upper > 0 ? "front" : "back", confidence: Math.min(1, Math.abs(upper) / 0.7) };
}

/**
 * Elbows (or knees) exchanged: both upper and both lower limbs cross, and with the joints changed back all four become
 * shorter. Crossed arms or legs cross once.
 * @returns confidence, 0 if they are not
 */
function readLimbs(from: Pair | undefined, joint: Pair | undefined, to: Pair | undefined): number {
  if (!from || !joint || !to) return 0;
  const upperCross = segmentsCross(from[0], joint[0], from[1], joint[1]);
  const lowerCross = segmentsCross(joint[0], to[0], joint[1], to[1]);
  if (!upperCross || !lowerCross) return 0;
  const span = (a: Point, b: Point): number => length(minus(a, b));
  const written =
    span(from[0], joint[0]) + span(from[1], joint[1]) + span(joint[0], to[0]) + span(joint[1], to[1]);
  const changed =
    span(from[0], joint[1]) + span(from[1], joint[0]) + span(joint[1], to[0]) + span(joint[0], to[1]);
  const saved = 1 - changed / written;
  return saved < 0.15 ? 0 : Math.min(1, saved / 0.4);
}

const minus = (a: Point, b: Point): Point => [a[0] - b[0], a[1] - b[1]];
const middle = ([a, b]: Pair): Point => [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
const length = (v: Point): number => Math.sqrt(v[0] * v[0] + v[1] * v[1]); // hypot is many times slower
/** Above 0 when b is clockwise of a on the screen (y down). */
const cross = (a: Point, b: Point): number => a[0] * b[1] - a[1] * b[0];

/** Whether the segments a–b and c–d cross at an inner point. */
function segmentsCross(a: Point, b: Point, c: Point, d: Point): boolean {
  const side = (p: Point, q: Point, r: Point): number => cross(minus(q, p), minus(r, p));
  return side(a, b, c) * side(a, b, d) < 0 && side(c, d, a) * side(c, d, b) < 0;
}
