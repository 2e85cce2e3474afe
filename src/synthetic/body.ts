// A body in a pose: proportions, and from them and the joint angles where every joint is and how every part is turned.

import type { Random } from "../random/random.ts";
import { between, chance } from "./choose.ts";
import {
  add,
  apply,
  type Mat3,
  multiply,
  rotationX,
  rotationY,
  rotationZ,
  scale,
  type Vec3,
} from "./linear.ts";
import type { Pose } from "./poses.ts";

/** What sets bodies apart, as factors of the average adult. */
export interface Build {
  /** Of the head against the body: about 1, more in children. */
  readonly head: number;
  readonly shoulders: number;
  readonly hips: number;
  readonly arms: number;
  readonly legs: number;
  readonly trunk: number;
  /** Of all thicknesses. */
  readonly girth: number;
  /** Of the belly alone. */
  readonly belly: number;
}

/**
 * Lengths as parts of the body's height, an adult's averages (Drillis & Contini 1966, as printed in D. Winter,
 * "Biomechanics and Motor Control of Human Movement", fig. 4.1). The shoulder and hip joints lie inside the outline.
 */
const LENGTH = {
  upperArm: 0.176,
  lowerArm: 0.146,
  hand: 0.085,
  thigh: 0.245,
  shank: 0.24,
  foot: 0.13,
  halfShoulders: 0.108,
  halfHips: 0.056,
  hipsToWaist: 0.1,
  waistToNeck: 0.2,
} as const;

/** An arm or a leg: its three joints and its end, and the rotations of its three pieces. */
export interface Limb {
  readonly joints: readonly [Vec3, Vec3, Vec3, Vec3];
  readonly frames: readonly [Mat3, Mat3, Mat3];
}

/**
 * A posed body in picture space (pixels; x to the right, y down, z away). Frames take the body's own axes there: x to
 * its left, y down, z to its back. Limbs are left, then right.
 */
export interface Body {
  /** Pixels per body height. */
  readonly size: number;
  readonly build: Build;
  readonly pelvis: Vec3;
  readonly pelvisFrame: Mat3;
  readonly waist: Vec3;
  readonly chestFrame: Mat3;
  readonly neck: Vec3;
  /** Middle of the head. */
  readonly head: Vec3;
  readonly headFrame: Mat3;
  readonly arms: readonly [Limb, Limb];
  readonly legs: readonly [Limb, Limb];
}

/** A child in one of six, else an adult, each part varied by itself. */
export function randomBuild(random: Random): Build {
  const child = chance(random, 1 / 6);
  const vary = (spread: number): number => between(random, [1 - spread, 1 + spread]);
  const girth = chance(random, 0.2) ? between(random, [1.2, 1.5]) : between(random, [0.82, 1.2]);
  return {
    head: vary(0.07) * (child ? between(random, [1.2, 1.45]) : 1),
    shoulders: vary(0.12) * (child ? 0.9 : 1),
    hips: vary(0.15),
    arms: vary(0.06) * (child ? 0.92 : 1),
    legs: vary(0.06) * (child ? 0.9 : 1),
    trunk: vary(0.06),
    girth,
    belly: girth > 1.15 ? between(random, [1, 1.5]) : between(random, [0.85, 1.1]),
  };
}

const radians = (degrees: number): number => (degrees * Math.PI) / 180;
const rx = (degrees: number): Mat3 => rotationX(radians(degrees));
const ry = (degrees: number): Mat3 => rotationY(radians(degrees));
const rz = (degrees: number): Mat3 => rotationZ(radians(degrees));

/**
 * Forward kinematics.
 * @param view turns the body's axes, upright and facing the viewer, into the picture's
 * @param at where the pelvis is
 */
export function poseBody(pose: Pose, build: Build, view: Mat3, size: number, at: Vec3): Body {
  const along = (from: Vec3, frame: Mat3, offset: Vec3): Vec3 => add(from, scale(apply(frame, offset), size));
  const pelvisFrame = multiply(view, rx(pose.pitch), rz(pose.roll));
  const spine = multiply(rx(pose.bend), rz(pose.lean), ry(-pose.turn));
  const chestFrame = multiply(pelvisFrame, spine);
  const waist = along(at, pelvisFrame, [0, -LENGTH.hipsToWaist * build.trunk, 0]);
  const neck = along(waist, chestFrame, [0, -LENGTH.waistToNeck * build.trunk, 0]);
  const headFrame = multiply(chestFrame, ry(-pose.look), rx(pose.nod), rz(pose.tilt));
  const throat = along(neck, chestFrame, [0, -0.026, -0.006]);
  const head = along(throat, headFrame, [0, -0.07 * build.head, -0.012 * build.head]);

  const arm = (index: 0 | 1): Limb => {
    const side = index === 0 ? 1 : -1;
    const { azimuth, elevation, twist, elbow, wrist } = pose.arms[index];
    const [shoulderX, lift] = [
      side * LENGTH.halfShoulders * build.shoulders,
      Math.max(0, elevation - 60) / 120,
    ];
    const shoulder = along(neck, chestFrame, [shoulderX * (1 - 0.12 * lift), 0.02 - 0.035 * lift, 0.004]);
    const swing = multiply(ry(-side * azimuth), rx(-elevation), ry(side * azimuth));
    const upper = multiply(chestFrame, swing, ry(side * twist));
    const lower = multiply(upper, rx(-elbow));
    // The palm faces the body: bending the wrist turns the hand towards the inside.
    const hand = multiply(lower, rz(side * wrist * 0.6));
    const at1 = along(shoulder, upper, [0, LENGTH.upperArm * build.arms, 0]);
    const at2 = along(at1, lower, [0, LENGTH.lowerArm * build.arms, 0]);
    const at3 = along(at2, hand, [0, LENGTH.hand * build.arms, 0]);
    return { joints: [shoulder, at1, at2, at3], frames: [upper, lower, hand] };
  };
  const leg = (index: 0 | 1): Limb => {
    const side = index === 0 ? 1 : -1;
    const { flexion, abduction, twist, knee, ankle } = pose.legs[index];
    const hip = along(at, pelvisFrame, [side * LENGTH.halfHips * build.hips, 0, 0]);
    const upper = multiply(pelvisFrame, rz(-side * abduction), rx(-flexion), ry(-side * twist));
    const lower = multiply(upper, rx(knee));
    const foot = multiply(lower, rx(ankle));
    const at1 = along(hip, upper, [0, LENGTH.thigh * build.legs, 0]);
    const at2 = along(at1, lower, [0, LENGTH.shank * build.legs, 0]);
    const at3 = along(at2, foot, [0, 0.022, -LENGTH.foot * 0.78]);
    return { joints: [hip, at1, at2, at3], frames: [upper, lower, foot] };
  };
  return {
    size,
    build,
    pelvis: at,
    pelvisFrame,
    waist,
    chestFrame,
    neck,
    head,
    headFrame,
    arms: [arm(0), arm(1)],
    legs: [leg(0), leg(1)],
  };
}

/** Where on the head, in heights of the body from its middle, x to the person's left. */
const FACE = {
  nose: [0, 0.014, -0.06],
  eye: [0.0185, -0.009, -0.0475],
  ear: [0.0445, 0.003, 0.006],
} as const satisfies Record<string, Vec3>;

/** A place on the head, given as in {@link FACE}. */
export function onHead({ head, headFrame, size, build }: Body, offset: Vec3): Vec3 {
  return add(head, scale(apply(headFrame, offset), size * build.head));
}

/** COCO's 17 keypoints in its order: nose, eyes, ears, shoulders, elbows, wrists, hips, knees, ankles; left before right. */
export function keypointsOf(body: Body): Vec3[] {
  const { eye, ear, nose } = FACE;
  const sides = ([x, y, z]: Vec3): Vec3[] => [onHead(body, [x, y, z]), onHead(body, [-x, y, z])];
  const joints = (limbs: readonly [Limb, Limb]): Vec3[] =>
    ([0, 1, 2] as const).flatMap((i) => limbs.map(({ joints }) => joints[i]));
  return [onHead(body, nose), ...sides(eye), ...sides(ear), ...joints(body.arms), ...joints(body.legs)];
}
