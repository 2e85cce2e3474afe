// Skeletons: validation messages, flip permutation, default colours, the published tables, and reading from JSON.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { HRNetError } from "../../src/errors.ts";
import { parseSkeleton } from "../../src/skeleton/parse-skeleton.ts";
import { flipPairsFromNames, sideOfName } from "../../src/skeleton/sides.ts";
import {
  DEFAULT_SIGMA,
  defineSkeleton,
  flipPermutation,
  type SkeletonInput,
} from "../../src/skeleton/skeleton.ts";
import { COCO_17, MPII_16, SKELETONS, skeletonByName } from "../../src/skeleton/skeletons.ts";
import { hasShared, shared } from "../helpers/shared.ts";

const FISH: SkeletonInput = {
  name: "fish",
  keypoints: ["mouth", "left_fin", "right_fin", "tail"],
  edges: [
    ["mouth", "tail"],
    [1, 3],
  ],
};

function messageFrom(input: unknown): string {
  try {
    defineSkeleton(input as SkeletonInput);
  } catch (error) {
    expect(error).toBeInstanceOf(HRNetError);
    expect((error as HRNetError).code).toBe("invalid-config");
    return (error as HRNetError).message;
  }
  throw new Error("expected defineSkeleton to refuse");
}

describe("defineSkeleton", () => {
  test("resolves names, guesses flip pairs, fills sigmas and colours", () => {
    const fish = defineSkeleton(FISH);
    expect(fish.edges).toEqual([
      [0, 3],
      [1, 3],
    ]);
    expect(fish.flipPairs).toEqual([[1, 2]]);
    expect(fish.sigmas).toEqual(Array(4).fill(DEFAULT_SIGMA));
    expect(flipPermutation(fish)).toEqual([0, 2, 1, 3]);
    expect(fish.edgeColors).toHaveLength(2);
    expect(fish.keypointColors[1]).not.toEqual(fish.keypointColors[2]);
    expect(Object.isFrozen(fish.edges[0])).toBe(true);
  });

  test("one keypoint is enough, and flip pairs can be switched off", () => {
    expect(flipPermutation(defineSkeleton({ name: "dot", keypoints: ["dot"] }))).toEqual([0]);
    expect(defineSkeleton({ ...FISH, flipPairs: [] }).flipPairs).toEqual([]);
  });

  test("survives JSON", () => {
    expect(parseSkeleton(JSON.stringify(COCO_17))).toEqual(COCO_17);
    expect(parseSkeleton(JSON.parse(JSON.stringify(defineSkeleton(FISH))))).toEqual(defineSkeleton(FISH));
  });

  test.each<[string, unknown, RegExp]>([
    ["no object", null, /\(unnamed\).*expected object/],
    ["no keypoints", { name: "x", keypoints: [] }, /"keypoints"/],
    ["unknown field", { ...FISH, edgse: [] }, /"fish".*edgse/],
    ["name used twice", { ...FISH, keypoints: ["mouth", "tail", "tail", "eye"] }, /"tail" twice/],
    ["index too large", { ...FISH, edges: [[0, 4]] }, /edges\[0\]\[1\] is 4.*below 4.*4 keypoints/],
    ["negative index", { ...FISH, edges: [[-1, 0]] }, /edges\[0\]\[0\] is -1/],
    ["fraction", { ...FISH, edges: [[0.5, 0]] }, /edges\[0\]\[0\] is 0.5/],
    ["unknown name", { ...FISH, edges: [["mouth", "gill"]] }, /"gill", which is no keypoint/],
    ["self edge", { ...FISH, edges: [[1, 1]] }, /joins "left_fin" with itself/],
    [
      "flip pairs overlap",
      {
        ...FISH,
        flipPairs: [
          [0, 1],
          [1, 2],
        ],
      },
      /"left_fin" twice/,
    ],
    ["too few sigmas", { ...FISH, sigmas: [0.1] }, /"sigmas" has 1 entries, expected 4/],
    ["sigma zero", { ...FISH, sigmas: [0.1, 0.1, 0, 0.1] }, /"sigmas\.2"/],
    ["sigma NaN", { ...FISH, sigmas: [0.1, 0.1, Number.NaN, 0.1] }, /"sigmas\.2"/],
    [
      "both halves",
      { ...FISH, upperBody: [0], lowerBody: [0] },
      /"mouth" is in "upperBody" and in "lowerBody"/,
    ],
    [
      "colour out of range",
      {
        ...FISH,
        edgeColors: [
          [0, 0, 256],
          [0, 0, 0],
        ],
      },
      /"edgeColors\.0\.2"/,
    ],
    ["colour missing", { ...FISH, edgeColors: [[0, 0, 0]] }, /"edgeColors" has 1 entries, expected 2/],
  ])("refuses %s", (_, input, message) => {
    expect(messageFrom(input)).toMatch(message);
  });
});

test("left and right are read from the spellings that are in use", () => {
  const pairs: [string, string][] = [
    ["left_eye", "right_eye"],
    ["LeftEye", "RightEye"],
    ["eyeLeft", "eyeRight"],
    ["l_eye", "r_eye"],
    ["L_Eye", "R_Eye"],
    ["paw-l", "paw-r"],
    ["LEye", "REye"],
    ["LEFT EYE", "RIGHT EYE"],
  ];
  for (const [left, right] of pairs) {
    expect(flipPairsFromNames([right, "nose", left])).toEqual([[2, 0]]);
    expect([sideOfName(left), sideOfName(right)]).toEqual(["left", "right"]);
  }
  expect(flipPairsFromNames(["nail", "lens", "rear", "left_only"])).toEqual([]);
  expect(["nose", "Rump", "ear", "pelvis"].map(sideOfName)).toEqual(Array(4).fill("center"));
});

describe("published skeletons", () => {
  test.each([...SKELETONS.values()])("$name has every left/right name in one flip pair", (skeleton) => {
    const paired = new Set(skeleton.flipPairs.flat());
    skeleton.keypoints.forEach((name, index) => {
      expect([name, paired.has(index)]).toEqual([name, sideOfName(name) !== "center"]);
    });
    expect(skeleton.upperBody.length + skeleton.lowerBody.length).toBe(skeleton.keypoints.length);
    expect(skeleton.keypoints).toHaveLength(Number(skeleton.name.split("-")[1]));
    expect(new Set(skeleton.edges.flat()).size).toBeGreaterThan(skeleton.keypoints.length - 3);
  });

  test("COCO's edges are those of its annotation files", () => {
    const official = [
      ...[16, 14, 14, 12, 17, 15, 15, 13, 12, 13, 6, 12, 7, 13, 6, 7, 6, 8, 7, 9, 8, 10, 9, 11, 2, 3],
      ...[1, 2, 1, 3, 2, 4, 3, 5, 4, 6, 5, 7],
    ];
    const key = (a: number, b: number) => `${Math.min(a, b)}-${Math.max(a, b)}`;
    const expected = new Set<string>();
    for (let i = 0; i < official.length; i += 2) expected.add(key(official[i]! - 1, official[i + 1]! - 1));
    expect(new Set(COCO_17.edges.map(([a, b]) => key(a, b)))).toEqual(expected);
    expect(COCO_17.sigmas.map((sigma) => Math.round(sigma * 1000))).toEqual([
      26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89,
    ]);
    expect(COCO_17.upperBody).toEqual([...Array(11).keys()]);
    expect(flipPermutation(COCO_17)).toEqual([0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]);
  });

  test("MPII's order and halves", () => {
    expect(MPII_16.keypoints[9]).toBe("head_top");
    expect(MPII_16.keypoints[13]).toBe("left_shoulder");
    expect([...MPII_16.lowerBody].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect([...MPII_16.upperBody].sort((a, b) => a - b)).toEqual([7, 8, 9, 10, 11, 12, 13, 14, 15]);
  });

  test("an unknown name lists the known ones", () => {
    expect(() => skeletonByName("coco")).toThrow(/"coco".*coco-17.*mpii-16/);
  });
});

describe("parseSkeleton", () => {
  const bee = {
    name: "bee",
    keypoints: ["head", "wing_left", "wing_right"],
    skeleton: [
      [1, 2],
      [1, 3],
    ],
  }; // prettier-ignore

  test("a COCO category counts from 1", () => {
    const skeleton = parseSkeleton(bee);
    expect(skeleton.edges).toEqual([
      [0, 1],
      [0, 2],
    ]);
    expect(skeleton.flipPairs).toEqual([[1, 2]]);
  });

  test("a file that holds a 0 counts from 0", () => {
    expect(parseSkeleton({ ...bee, skeleton: [[0, 1]] }).edges).toEqual([[0, 1]]);
  });

  test("edges beyond the keypoints are an error that says so", () => {
    expect(() => parseSkeleton({ ...bee, skeleton: [[1, 4]] })).toThrow(
      /keypoint 4.*3 keypoints, counted from 1/,
    );
  });

  test("a dataset's categories: one list shared, or an error", () => {
    const fly = { ...bee, name: "fly" };
    expect(parseSkeleton({ images: [], categories: [{ id: 1, name: "stone" }, bee, fly] }).keypoints).toEqual(
      bee.keypoints,
    );
    const other = { ...bee, keypoints: ["a", "b", "c"] };
    expect(() => parseSkeleton({ categories: [bee, other] })).toThrow(/2 different lists in 2 categories/);
    expect(() => parseSkeleton({ categories: [] })).toThrow(/0 different lists/);
  });

  test("text that is no JSON, and values that are no skeleton", () => {
    expect(() => parseSkeleton("{")).toThrow(/not JSON/);
    expect(() => parseSkeleton(3)).toThrow(/expected object/);
    expect(() => parseSkeleton({ name: "x", keypoints: ["a"], skeleton: [[1]] })).toThrow(/skeleton\.0/);
  });

  test.skipIf(!hasShared("data", "mpii-sample"))("annotation files as published", () => {
    const read = (...path: string[]) =>
      parseSkeleton(readFileSync(shared("data", "mpii-sample", ...path), "utf8"));
    expect(read("coco", "test_coco.json")).toBe(COCO_17);
    expect(read("crowdpose", "test_crowdpose.json").name).toBe("crowdpose-14");
    expect(read("posetrack18", "annotations", "test_posetrack18_val.json").name).toBe("posetrack18-17");
  });
});
