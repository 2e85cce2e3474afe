// The drawn figure: repeatable, inside its picture, and with keypoints where they are said to be.
import { expect, test } from "vitest";
import { syntheticPerson } from "../../src/image/synthetic-person.ts";

test("the same seed draws the same picture, another one another", () => {
  expect(syntheticPerson(120, 160, 7)).toEqual(syntheticPerson(120, 160, 7));
  expect(syntheticPerson(120, 160, 7).keypoints).not.toEqual(syntheticPerson(120, 160, 8).keypoints);
});

test("keypoints lie in the box, the box in the picture, at any shape of picture", () => {
  for (const [width, height] of [
    [32, 32],
    [640, 480],
    [100, 900],
    [900, 100],
  ] as const) {
    for (let seed = 0; seed < 20; seed++) {
      const { keypoints, box, image } = syntheticPerson(width, height, seed);
      const [x, y, w, h] = box;
      expect([image.width, image.height]).toEqual([width, height]);
      expect(Math.min(x, y, width - x - w, height - y - h)).toBeGreaterThanOrEqual(0);
      expect(keypoints).toHaveLength(17);
      for (const [px, py] of keypoints) {
        expect(px > x && px < x + w && py > y && py < y + h).toBe(true);
      }
    }
  }
});

test("the person's left is on the right of the picture, and eyes are white around a dark pupil", () => {
  for (let seed = 0; seed < 10; seed++) {
    const { image, keypoints } = syntheticPerson(600, 800, seed);
    for (const left of [1, 3, 5, 11]) expect(keypoints[left]![0]).toBeGreaterThan(keypoints[left + 1]![0]);
    const at = (x: number, y: number) => image.data[(Math.round(y) * 600 + Math.round(x)) * 3]!;
    const [x, y] = keypoints[1]!;
    expect(at(x, y)).toBeLessThan(60);
    const scale = keypoints[1]![0] - keypoints[2]![0]; // eyes are 0.044 of the body's height apart
    expect(at(x + 0.16 * scale, y)).toBeGreaterThan(150);
  }
});

test("too small a picture is refused", () => {
  expect(() => syntheticPerson(31, 100)).toThrow(/32×32 pixels, not 31×100/);
});
