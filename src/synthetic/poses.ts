// Poses as data: the range of every joint angle per kind of pose, within what human joints allow, and how one is drawn.

import type { Random } from "../random/random.ts";
import { between, chance, pick, pickWeighted, type Range } from "./choose.ts";

/** Angles of an arm, in degrees. */
interface ArmAngles<T> {
  /** Direction the upper arm is lifted to: 0 forwards, 90 to its own side, 180 backwards, below 0 across the chest. */
  readonly azimuth: T;
  /** 0 hanging, 90 level, 180 straight up. */
  readonly elevation: T;
  /** About the upper arm: above 0 the forearm bends inwards, below 0 outwards. */
  readonly twist: T;
  /** 0 straight. */
  readonly elbow: T;
  /** Of the hand, towards the palm. */
  readonly wrist: T;
}

/** Angles of a leg, in degrees. */
interface LegAngles<T> {
  /** Of the thigh: 0 straight down, 90 forwards, below 0 backwards. */
  readonly flexion: T;
  /** Of the thigh, outwards. */
  readonly abduction: T;
  /** About the thigh: above 0 the knee points outwards. */
  readonly twist: T;
  /** 0 straight. */
  readonly knee: T;
  /** Of the foot: 0 square to the shank, above 0 toes down. */
  readonly ankle: T;
}

/** A pose: angles in degrees; arms and legs left, then right. */
export interface Pose {
  readonly name: PoseName;
  /** Of the whole body: forwards, and to its left. */
  readonly pitch: number;
  readonly roll: number;
  /** Of the chest against the pelvis: forwards, to its left, turned to its left. */
  readonly bend: number;
  readonly lean: number;
  readonly turn: number;
  /** Of the head against the chest: down, to its left, turned to its left. */
  readonly nod: number;
  readonly tilt: number;
  readonly look: number;
  readonly arms: readonly [ArmAngles<number>, ArmAngles<number>];
  readonly legs: readonly [LegAngles<number>, LegAngles<number>];
}

const ARM = {
  hanging: { azimuth: [-20, 100], elevation: [6, 24], twist: [-20, 40], elbow: [0, 40], wrist: [-10, 30] },
  forwards: { azimuth: [0, 30], elevation: [15, 50], twist: [-10, 30], elbow: [10, 100], wrist: [-20, 30] },
  backwards: {
    azimuth: [140, 190],
    elevation: [10, 40],
    twist: [-10, 20],
    elbow: [10, 95],
    wrist: [-20, 30],
  },
  onHip: { azimuth: [85, 125], elevation: [30, 50], twist: [60, 85], elbow: [85, 110], wrist: [0, 60] },
  up: { azimuth: [20, 110], elevation: [125, 175], twist: [-70, 70], elbow: [0, 80], wrist: [-30, 30] },
  sideways: { azimuth: [60, 110], elevation: [50, 110], twist: [-90, 60], elbow: [0, 110], wrist: [-40, 40] },
  reaching: { azimuth: [-10, 40], elevation: [50, 105], twist: [-30, 40], elbow: [0, 90], wrist: [-40, 40] },
  folded: { azimuth: [10, 35], elevation: [20, 40], twist: [60, 85], elbow: [85, 115], wrist: [0, 30] },
  atFace: { azimuth: [15, 60], elevation: [35, 80], twist: [0, 45], elbow: [115, 145], wrist: [0, 50] },
  inLap: { azimuth: [0, 25], elevation: [15, 40], twist: [15, 50], elbow: [40, 85], wrist: [0, 40] },
} as const satisfies Record<string, ArmAngles<Range>>;

const LEG = {
  straight: { flexion: [-8, 10], abduction: [1, 11], twist: [0, 25], knee: [0, 12], ankle: [-5, 10] },
  relaxed: { flexion: [5, 25], abduction: [3, 16], twist: [0, 40], knee: [10, 40], ankle: [0, 20] },
  wide: { flexion: [-5, 20], abduction: [14, 34], twist: [5, 35], knee: [0, 35], ankle: [-5, 15] },
  stepFront: { flexion: [10, 35], abduction: [0, 7], twist: [-5, 12], knee: [2, 25], ankle: [-15, 10] },
  stepBack: { flexion: [-25, -5], abduction: [0, 7], twist: [-5, 15], knee: [8, 50], ankle: [10, 40] },
  runFront: { flexion: [35, 85], abduction: [0, 10], twist: [-8, 10], knee: [40, 110], ankle: [0, 25] },
  runBack: { flexion: [-30, 5], abduction: [0, 10], twist: [-5, 12], knee: [20, 105], ankle: [15, 50] },
  seated: { flexion: [72, 100], abduction: [2, 22], twist: [-8, 20], knee: [55, 110], ankle: [-10, 20] },
  crouched: { flexion: [90, 125], abduction: [5, 30], twist: [0, 25], knee: [105, 145], ankle: [-15, 10] },
  kneeling: { flexion: [-5, 20], abduction: [2, 14], twist: [-5, 10], knee: [80, 110], ankle: [20, 50] },
  kicking: { flexion: [45, 95], abduction: [0, 30], twist: [-5, 30], knee: [0, 40], ankle: [0, 40] },
  crossLegged: {
    flexion: [75, 100],
    abduction: [25, 42],
    twist: [45, 70],
    knee: [105, 130],
    ankle: [10, 40],
  },
  tucked: { flexion: [20, 95], abduction: [0, 25], twist: [0, 20], knee: [30, 125], ankle: [15, 50] },
} as const satisfies Record<string, LegAngles<Range>>;

type ArmName = keyof typeof ARM;
type LegName = keyof typeof LEG;

/** What makes a kind of pose; sides are swapped at random. */
interface PoseKind {
  readonly weight: number;
  /** Pairs of arms to choose from; `any` is each arm by itself. */
  readonly arms: readonly (readonly [ArmName, ArmName])[] | "any";
  readonly legs: readonly (readonly [LegName, LegName])[];
  readonly pitch?: Range;
  /** Either way. */
  readonly roll?: Range;
  readonly bend?: Range;
}

const STILL_ARMS = [
  ["hanging", "hanging"],
  ["hanging", "hanging"],
  ["onHip", "hanging"],
  ["onHip", "onHip"],
  ["folded", "folded"],
  ["atFace", "hanging"],
  ["reaching", "hanging"],
  ["up", "hanging"],
  ["forwards", "forwards"],
  ["inLap", "inLap"],
] as const;

const KINDS = {
  standing: {
    weight: 5,
    arms: STILL_ARMS,
    legs: [
      ["straight", "straight"],
      ["straight", "relaxed"],
      ["wide", "straight"],
    ],
    bend: [-5, 12],
  },
  walking: {
    weight: 3,
    arms: [
      ["backwards", "forwards"],
      ["backwards", "atFace"],
      ["hanging", "forwards"],
    ],
    legs: [["stepFront", "stepBack"]],
    pitch: [0, 8],
  },
  running: {
    weight: 2,
    arms: [["backwards", "forwards"]],
    legs: [
      ["runFront", "runBack"],
      ["stepFront", "runBack"],
    ],
    pitch: [5, 22],
    roll: [0, 8],
  },
  sitting: {
    weight: 3,
    arms: [
      ["inLap", "inLap"],
      ["inLap", "atFace"],
      ["hanging", "inLap"],
      ["reaching", "reaching"],
      ["folded", "folded"],
      ["sideways", "inLap"],
    ],
    legs: [
      ["seated", "seated"],
      ["seated", "seated"],
      ["seated", "relaxed"],
      ["crossLegged", "crossLegged"],
    ],
    bend: [-12, 30],
  },
  crouching: {
    weight: 1.5,
    arms: "any",
    legs: [
      ["crouched", "crouched"],
      ["crouched", "kneeling"],
      ["seated", "kneeling"],
    ],
    pitch: [0, 25],
    bend: [0, 35],
  },
  bending: {
    weight: 1,
    arms: [
      ["reaching", "reaching"],
      ["reaching", "onHip"],
      ["forwards", "reaching"],
    ],
    legs: [
      ["relaxed", "relaxed"],
      ["stepFront", "straight"],
    ],
    pitch: [15, 40],
    bend: [20, 50],
  },
  "arms-up": {
    weight: 2,
    arms: [
      ["up", "up"],
      ["up", "sideways"],
      ["sideways", "sideways"],
      ["up", "reaching"],
    ],
    legs: [
      ["straight", "straight"],
      ["wide", "wide"],
      ["stepFront", "stepBack"],
    ],
    bend: [-15, 10],
    roll: [0, 10],
  },
  jumping: {
    weight: 1.5,
    arms: "any",
    legs: [
      ["tucked", "tucked"],
      ["wide", "tucked"],
      ["wide", "wide"],
    ],
    pitch: [-10, 15],
    roll: [0, 20],
    bend: [-15, 20],
  },
  kicking: { weight: 1, arms: "any", legs: [["kicking", "relaxed"]], pitch: [-25, 5], roll: [0, 15] },
  lying: {
    weight: 1,
    arms: "any",
    legs: [
      ["straight", "straight"],
      ["relaxed", "seated"],
      ["tucked", "relaxed"],
    ],
    pitch: [-12, 12],
    roll: [70, 110],
  },
} as const satisfies Record<string, PoseKind>;

/** Names of the kinds of poses. */
export type PoseName = keyof typeof KINDS;

/** Every kind of pose. */
export const POSE_NAMES = Object.keys(KINDS) as readonly PoseName[];

/** A pose of one of the kinds, by their weights. */
export function randomPose(random: Random, names: readonly PoseName[] = POSE_NAMES): Pose {
  const name = pickWeighted(
    random,
    names.map((key) => [key, KINDS[key].weight] as const),
  );
  const kind: PoseKind = KINDS[name];
  const draw = (range: Range): number => between(random, range);
  const sign = (): number => (chance(random, 0.5) ? 1 : -1);
  const armNames = Object.keys(ARM) as ArmName[];
  const arms =
    kind.arms === "any" ? [pick(random, armNames), pick(random, armNames)] : pick(random, kind.arms);
  // Legs and arms swap together: in walking and running the arm goes with the other side's leg.
  const swap = chance(random, 0.5) ? 1 : 0;
  const [leftArm, rightArm] = [arms[swap]!, arms[1 - swap]!].map((key) => drawAll(ARM[key], draw));
  const legs = pick(random, kind.legs);
  const [leftLeg, rightLeg] = [legs[swap]!, legs[1 - swap]!].map((key) => drawAll(LEG[key], draw));
  return {
    name,
    pitch: draw(kind.pitch ?? [-4, 4]),
    roll: sign() * draw(kind.roll ?? [0, 4]),
    bend: draw(kind.bend ?? [-5, 10]),
    lean: draw([-10, 10]),
    turn: draw([-22, 22]),
    nod: draw([-18, 28]),
    tilt: draw([-14, 14]),
    look: sign() * draw([0, chance(random, 0.3) ? 50 : 25]),
    arms: [leftArm as ArmAngles<number>, rightArm as ArmAngles<number>],
    legs: [leftLeg as LegAngles<number>, rightLeg as LegAngles<number>],
  };
}

function drawAll(ranges: Readonly<Record<string, Range>>, draw: (range: Range) => number) {
  return Object.fromEntries(Object.entries(ranges).map(([key, range]) => [key, draw(range)])) as unknown;
}
