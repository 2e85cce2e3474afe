// Drawn scenes: repeatable, and true in every pixel: masks, boxes, parts and keypoints agree with each other.
import { describe, expect, test } from "vitest";
import { COCO_17 } from "../../src/skeleton/skeletons.ts";
import { PART_CLASSES, PART_ID } from "../../src/synthetic/part-classes.ts";
import { POSE_NAMES } from "../../src/synthetic/poses.ts";
import { type SyntheticSceneOptions, syntheticScene } from "../../src/synthetic/scene.ts";

const SIZE = { width: 160, height: 120 };
const CROWDS = Array.from({ length: 24 }, (_, seed) =>
  syntheticScene({ width: 128 + (seed % 3) * 32, height: 128, seed, people: [1, 4] }),
);
const index = (name: string): number => COCO_17.keypoints.indexOf(name);

test("the same seed draws the same scene, another one another", () => {
  const options: SyntheticSceneOptions = { ...SIZE, seed: 7, people: [1, 3] };
  expect(syntheticScene(options)).toEqual(syntheticScene(options));
  expect(syntheticScene(options).image).not.toEqual(syntheticScene({ ...options, seed: 8 }).image);
});

test("masks share no pixel, part labels lie where masks do, boxes and areas are the masks'", () => {
  for (const { persons, partLabels, image } of CROWDS) {
    const { width, height } = image;
    const covered = new Uint8Array(width * height);
    for (const { mask, area, box } of persons) {
      let [count, left, top, right, bottom] = [0, width, height, -1, -1];
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) {
          if (mask[y * width + x] === 0) continue;
          covered[y * width + x]!++;
          count++;
          [left, right] = [Math.min(left, x), Math.max(right, x)];
          [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
        }
      }
      expect(area).toBe(count);
      expect(box).toEqual([left, top, right + 1 - left, bottom + 1 - top]);
    }
    expect(Math.max(...covered)).toBeLessThanOrEqual(1);
    expect(partLabels.every((part, i) => part < PART_CLASSES.length && part > 0 === covered[i]! > 0)).toBe(
      true,
    );
  }
});

/** The parts that a keypoint which can be seen lies on. */
function partsOf(name: string): string[] {
  const [side, joint] = name.split("_") as [string, string | undefined];
  const table: Record<string, string[]> = {
    shoulder: ["torso", `${side}_upper_arm`],
    elbow: [`${side}_upper_arm`, `${side}_lower_arm`],
    wrist: [`${side}_lower_arm`, `${side}_hand`],
    hip: ["torso", `${side}_upper_leg`],
    knee: [`${side}_upper_leg`, `${side}_lower_leg`],
    ankle: [`${side}_lower_leg`, `${side}_foot`],
  };
  return table[joint ?? ""] ?? ["head"];
}

test("a keypoint that can be seen lies within a pixel of its own person's part", () => {
  let seen = 0;
  for (const { persons, partLabels, image } of CROWDS) {
    for (const { keypoints, mask } of persons) {
      keypoints.forEach(([x, y, v], k) => {
        if (v !== 2) return;
        seen++;
        const wanted = partsOf(COCO_17.keypoints[k]!).map((part) => PART_ID[part as "torso"]);
        const around = [-1, 0, 1].flatMap((dy) =>
          [-1, 0, 1].map((dx) => (Math.round(y) + dy) * image.width + Math.round(x) + dx),
        );
        const found = around.some((at) => mask[at] === 1 && wanted.includes(partLabels[at]!));
        expect(found, COCO_17.keypoints[k]).toBe(true);
      });
    }
  }
  expect(seen).toBeGreaterThan(200);
});

test("a keypoint off its own person's mask is hidden, one outside the picture is 0", () => {
  const counts = [0, 0, 0];
  for (const { persons, image } of CROWDS) {
    const { width, height } = image;
    for (const { keypoints, mask } of persons) {
      for (const [x, y, v] of keypoints) {
        counts[v]!++;
        if (v === 0) expect([x, y]).toEqual([0, 0]);
        else expect(x >= 0 && y >= 0 && x <= width - 1 && y <= height - 1).toBe(true);
        const near = [-1, 0, 1].some((dy) =>
          [-1, 0, 1].some((dx) => mask[(Math.round(y) + dy) * width + Math.round(x) + dx] === 1),
        );
        if (!near) expect(v).not.toBe(2);
      }
    }
  }
  expect(Math.min(...counts)).toBeGreaterThan(20); // all three kinds are there
});

describe("left and right", () => {
  const LARGE = { width: 320, height: 240 };
  const standing = (yaw: number) =>
    Array.from({ length: 6 }, (_, seed) =>
      syntheticScene({ ...LARGE, seed, poses: ["standing"], yaw: [yaw, yaw], difficulty: 0 }),
    );
  const across = (yaw: number, joint: string) =>
    standing(yaw).map(({ persons }) => {
      const { keypoints } = persons[0]!;
      return keypoints[index(`left_${joint}`)]![0] - keypoints[index(`right_${joint}`)]![0];
    });

  test("from the front the person's left is on the right of the picture, from behind on the left", () => {
    expect(Math.min(...across(0, "shoulder"), ...across(0, "hip"))).toBeGreaterThan(3);
    expect(Math.max(...across(180, "shoulder"), ...across(180, "hip"))).toBeLessThan(-3);
  });

  test("facing right, the nose is right of the ears and the left arm's joints are the far, hidden ones", () => {
    for (const { persons } of standing(90)) {
      const { keypoints } = persons[0]!;
      const x = (name: string): number => keypoints[index(name)]![0];
      expect(x("nose")).toBeGreaterThan((x("left_ear") + x("right_ear")) / 2);
      expect(keypoints[index("left_hip")]![2]).toBe(1);
      expect(keypoints[index("right_hip")]![2]).toBeGreaterThanOrEqual(1);
    }
  });

  test("the middle of a limb between two joints that can be seen is labelled as that limb", () => {
    let checked = 0;
    let right = 0;
    for (const { persons, partLabels } of standing(0)) {
      const { keypoints } = persons[0]!;
      for (const side of ["left", "right"] as const) {
        const limbs = [
          ["shoulder", "elbow", "upper_arm"],
          ["elbow", "wrist", "lower_arm"],
          ["hip", "knee", "upper_leg"],
          ["knee", "ankle", "lower_leg"],
        ] as const;
        for (const [from, to, part] of limbs) {
          const [a, b] = [keypoints[index(`${side}_${from}`)]!, keypoints[index(`${side}_${to}`)]!];
          if (a[2] !== 2 || b[2] !== 2) continue;
          const at = Math.round((a[1] + b[1]) / 2) * LARGE.width + Math.round((a[0] + b[0]) / 2);
          checked++;
          if (partLabels[at] === PART_ID[`${side}_${part}`]) right++;
        }
      }
    }
    expect(checked).toBeGreaterThan(25);
    // Another limb may pass before the middle (a hand before a thigh), seldom.
    expect(right / checked).toBeGreaterThan(0.9);
  });

  test("from behind the face is hidden, from the front it can be seen", () => {
    const eyes = (yaw: number) =>
      standing(yaw).map(
        ({ persons }) => persons[0]!.keypoints.slice(0, 3).filter(([, , v]) => v === 2).length,
      );
    // A head turned far may show the outer eye.
    expect(eyes(180).reduce((sum, count) => sum + count)).toBeLessThanOrEqual(2);
    expect(eyes(0).filter((count) => count === 3).length).toBeGreaterThanOrEqual(4);
  });
});

test("whole persons: every keypoint of every pose is in the picture, every part is somewhere", () => {
  const found = new Set<number>();
  for (const pose of POSE_NAMES) {
    const { persons, partLabels } = syntheticScene({ ...SIZE, seed: 3, poses: [pose], difficulty: 0 });
    expect(
      persons[0]!.keypoints.every(([, , v]) => v > 0),
      pose,
    ).toBe(true);
    for (const part of partLabels) found.add(part);
  }
  expect(found.size).toBe(PART_CLASSES.length);
});

test("nobody at all is a scene too; the number of people is as asked where none is hidden", () => {
  const empty = syntheticScene({ ...SIZE, people: 0 });
  expect(empty.persons).toEqual([]);
  expect(empty.partLabels.every((part) => part === 0)).toBe(true);
  expect(syntheticScene({ ...SIZE, people: 2, difficulty: 0, seed: 4 }).persons).toHaveLength(2);
});

test("options out of range are refused", () => {
  for (const [options, message] of [
    [{ width: 31, height: 100 }, /32×32 .* not 31×100/],
    [{ width: 100_000, height: 100_000 }, /16 million/],
    [{ ...SIZE, people: 21 }, /0 to 20 people, not 21/],
    [{ ...SIZE, people: [3, 2] }, /not 3 to 2/],
    [{ ...SIZE, difficulty: 2 }, /difficulty from 0 to 1, not 2/],
    [{ ...SIZE, seed: 0.5 }, /whole number as seed, not 0.5/],
  ] as [SyntheticSceneOptions, RegExp][]) {
    expect(() => syntheticScene(options)).toThrow(message);
  }
});
