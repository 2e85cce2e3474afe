// Augmentation against the rules of the official code, drawn many times and with chosen random numbers.
import { describe, expect, test } from "vitest";
import {
  type AugmentationContext,
  type AugmentationInput,
  augmentationSchema,
  augmentPerson,
  halfBodyRegion,
  type PersonGeometry,
} from "../../src/pose/augment.ts";
import { hashSeed, uniformRandom } from "../../src/random/random.ts";
import { flipPermutation } from "../../src/skeleton/skeleton.ts";
import { COCO_17, MPII_16 } from "../../src/skeleton/skeletons.ts";
import { expectNear } from "../helpers/near.ts";

const random = uniformRandom(11);
const person: PersonGeometry = {
  center: [150, 120],
  scale: [90, 120],
  keypoints: Float64Array.from(
    { length: 34 },
    (_, i) => (i % 2 === 0 ? 100 : 60) + Math.floor(100 * random()),
  ),
  visibility: new Float32Array(17).fill(1),
};
const context: AugmentationContext = {
  imageWidth: 320,
  aspect: 0.75,
  flipPermutation: flipPermutation(COCO_17),
  upperBody: COCO_17.upperBody,
};
const drawMany = (options: AugmentationInput, count = 4000, of = person) =>
  Array.from({ length: count }, (_, n) =>
    augmentPerson(of, augmentationSchema.parse(options), context, uniformRandom(hashSeed(5, n))),
  );
const share = (values: readonly boolean[]): number => values.filter(Boolean).length / values.length;
/** 5σ of a share of 4000. */
const NEAR = 0.04;

test("no options change nothing", () => {
  expect(drawMany({}, 1)[0]).toEqual({ ...person, rotation: 0, mirrored: false });
});

test("the groups of the upper body are the official ones", () => {
  const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
  expect([...COCO_17.upperBody].sort((a, b) => a - b)).toEqual(range(0, 10));
  expect([...MPII_16.upperBody].sort((a, b) => a - b)).toEqual(range(7, 15));
});

describe("scale and rotation", () => {
  test("normal: clipped at ±factor and ±2·factor, 32 % and 5 % at the ends, 40 % not rotated", () => {
    const drawn = drawMany({ scaleFactor: 0.35, rotationFactor: 45 });
    const scales = drawn.map(({ scale }) => scale[0] / 90);
    expectNear(
      drawn[0]!.scale.map((side, i) => side / person.scale[i]!),
      [scales[0]!, scales[0]!],
      1e-12,
    );
    expect(Math.min(...scales)).toBeCloseTo(0.65, 10);
    expect(Math.max(...scales)).toBeCloseTo(1.35, 10);
    expect(Math.abs(share(scales.map((s) => Math.abs(s - 1) > 0.35 - 1e-9)) - 0.317)).toBeLessThan(NEAR);
    const angles = drawn.map(({ rotation }) => rotation);
    expect(Math.max(...angles)).toBe(90);
    expect(Math.min(...angles)).toBe(-90);
    expect(Math.abs(share(angles.map((a) => a === 0)) - 0.4)).toBeLessThan(NEAR);
    const turned = angles.filter((a) => a !== 0);
    expect(Math.abs(share(turned.map((a) => Math.abs(a) === 90)) - 0.0455)).toBeLessThan(NEAR / 2);
    expect(Math.abs(share(turned.map((a) => Math.abs(a) < 45)) - 0.6827)).toBeLessThan(NEAR);
    expect(drawn.every(({ center }) => center === person.center)).toBe(true);
  });

  test("a base size of the region: the scale varies about it, half bodies have it as well", () => {
    for (const halfBody of [undefined, { probability: 1 }]) {
      const whole = drawMany({ scaleFactor: 0.35, halfBody }, 200);
      const part = drawMany({ scale: 0.75, scaleFactor: 0.35, halfBody }, 200);
      const ratios = part.map(({ scale }, i) => scale[1] / whole[i]!.scale[1]);
      expectNear(ratios, new Array(200).fill(0.75), 1e-12);
    }
    expectNear(drawMany({ scale: 0.75 }, 1)[0]!.scale, [0.75 * 90, 0.75 * person.scale[1]], 1e-12);
  });

  test("truncated normal: within ±factor, nothing at the ends", () => {
    const drawn = drawMany({
      distribution: "truncated-normal",
      scaleFactor: 0.5,
      rotationFactor: 80,
      shift: { factor: 0.16, probability: 0.3 },
    });
    const scales = drawn.map(({ scale }) => scale[0] / 90);
    expect(share(scales.map((s) => s > 0.5001 && s < 1.4999))).toBeGreaterThan(0.99);
    expect(Math.max(...scales)).toBeGreaterThan(1.45);
    // P(|t| < ½) of a normal number within ±1
    expect(Math.abs(share(scales.map((s) => Math.abs(s - 1) < 0.25)) - 0.3829 / 0.6827)).toBeLessThan(NEAR);
    expect(Math.max(...drawn.map(({ rotation }) => Math.abs(rotation)))).toBeLessThanOrEqual(80);
    const moved = drawn.filter(({ center }) => center[0] !== 150);
    expect(Math.abs(moved.length / 4000 - 0.3)).toBeLessThan(NEAR);
    expect(Math.max(...moved.map(({ center }) => Math.abs(center[0] - 150)))).toBeLessThanOrEqual(0.16 * 90);
    expect(Math.max(...moved.map(({ center }) => Math.abs(center[1] - 120)))).toBeGreaterThan(0.16 * 110);
  });
});

describe("mirror", () => {
  test("half of the samples; centre and keypoints at W − x − 1, sides swapped", () => {
    const drawn = drawMany({ flipProbability: 0.5 });
    const mirrored = drawn.filter((one) => one.mirrored);
    expect(Math.abs(mirrored.length / 4000 - 0.5)).toBeLessThan(NEAR);
    expect(mirrored[0]!.center).toEqual([320 - 150 - 1, 120]);
    const leftWrist = COCO_17.keypoints.indexOf("left_wrist");
    const rightWrist = COCO_17.keypoints.indexOf("right_wrist");
    expect(mirrored[0]!.keypoints[2 * leftWrist]).toBe(319 - person.keypoints[2 * rightWrist]!);
    expect(mirrored[0]!.keypoints[2 * leftWrist + 1]).toBe(person.keypoints[2 * rightWrist + 1]!);
  });

  test("both orders mirror what they cut out: same regions, mirrored", () => {
    for (const order of ["official", "mmpose"] as const) {
      const regions = new Set(
        drawMany({ order, flipProbability: 0.5, halfBody: { probability: 1 } }, 200).map((one) =>
          [one.mirrored ? 319 - one.center[0] : one.center[0], one.center[1], ...one.scale]
            .map((value) => value.toFixed(6))
            .join(),
        ),
      );
      expect(regions.size).toBe(2); // upper and lower body
    }
  });
});

describe("half body", () => {
  const drawn = drawMany({ halfBody: { probability: 0.3 } });
  /** The official formula, written out. */
  const expected = (joints: readonly number[]) => {
    const xs = joints.map((j) => person.keypoints[2 * j]!);
    const ys = joints.map((j) => person.keypoints[2 * j + 1]!);
    let [w, h] = [Math.max(...xs) - Math.min(...xs), Math.max(...ys) - Math.min(...ys)];
    if (w > 0.75 * h) h = w / 0.75;
    else if (w < 0.75 * h) w = h * 0.75;
    const average = (values: number[]) => values.reduce((sum, v) => sum + v) / values.length;
    return [average(xs), average(ys), (w / 200) * 1.5, (h / 200) * 1.5];
  };
  const flat = ({ center, scale }: Pick<PersonGeometry, "center" | "scale">) => [
    ...center,
    ...scale.map((side) => side / 200),
  ];
  const upper = Array.from({ length: 11 }, (_, j) => j);
  const lower = [11, 12, 13, 14, 15, 16];

  test("30 % of the samples, of them 69 % upper (randn() < 0.5), each as the official formula", () => {
    const halves = drawn.filter(({ center }) => center !== person.center);
    expect(Math.abs(halves.length / 4000 - 0.3)).toBeLessThan(NEAR);
    const isUpper = halves.map((one) => Math.abs(one.center[0] - expected(upper)[0]!) < 1e-9);
    expect(Math.abs(share(isUpper) - 0.6915)).toBeLessThan(0.07);
    for (const [i, one] of halves.entries()) {
      expectNear(flat(one), expected(isUpper[i] ? upper : lower), 1e-9);
    }
  });

  test("upperProbability replaces the quirk", () => {
    const halves = drawMany({ halfBody: { probability: 1, upperProbability: 0.2 } }, 2000);
    expect(
      Math.abs(share(halves.map((one) => one.center[0] === halves[0]!.center[0])) - 0.5),
    ).toBeGreaterThan(0.2);
  });

  test.each([
    ["more than 8 labelled keypoints are needed", 8, 0],
    ["9 are enough", 9, 1],
  ])("%s", (_name, labelled, expectedShare) => {
    const visibility = Float32Array.from({ length: 17 }, (_, j) => Number(j < labelled));
    const some = drawMany({ halfBody: { probability: 1 } }, 50, { ...person, visibility });
    expect(share(some.map(({ center }) => center !== person.center))).toBe(expectedShare);
  });

  const region = (visible: readonly number[], preferUpper: boolean) =>
    halfBodyRegion(
      { ...person, visibility: Float32Array.from({ length: 17 }, (_, j) => Number(visible.includes(j))) },
      preferUpper,
      context,
      1.5,
    );
  test.each([
    ["two upper joints are too few to be preferred", [0, 1, 11, 12, 13], true, [11, 12, 13]],
    ["two lower joints are too few: upper", [0, 1, 2, 11, 12], false, [0, 1, 2]],
    ["neither is enough: what there is of the upper", [0, 1, 11, 12], false, [0, 1]],
  ] as const)("%s", (_name, visible, preferUpper, chosen) => {
    expectNear(flat(region(visible, preferUpper)!), expected(chosen), 1e-9);
  });

  test("a single joint, or joints on one point, leave the person whole", () => {
    expect(region([0, 11, 12], true)).toBeUndefined();
    const keypoints = new Float64Array(34).fill(7);
    expect(halfBodyRegion({ ...person, keypoints }, true, context, 1.5)).toBeUndefined();
  });
});

test("options out of range are refused, unknown ones too", () => {
  for (const wrong of [{ scaleFactor: 1 }, { flipProbability: 2 }, { rotationFactor: -1 }, { flip: 0.5 }]) {
    expect(augmentationSchema.safeParse(wrong).success).toBe(false);
  }
});
