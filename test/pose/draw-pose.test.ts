// Drawn poses: colours on the limbs, nothing for low scores, safe with anything that is no number.
import { describe, expect, test } from "vitest";
import { type RgbImage, rgbImage } from "../../src/image/rgb-image.ts";
import { drawPoses } from "../../src/pose/draw-pose.ts";
import { defineSkeleton } from "../../src/skeleton/skeleton.ts";
import { COCO_17 } from "../../src/skeleton/skeletons.ts";

const LINE = defineSkeleton({
  name: "line",
  keypoints: ["a", "b", "c"],
  edges: [
    ["a", "b"],
    ["b", "c"],
  ],
  edgeColors: [
    [255, 0, 0],
    [0, 0, 255],
  ],
  keypointColors: [
    [0, 255, 0],
    [0, 255, 0],
    [0, 255, 0],
  ],
});
const pixel = ({ data, width }: RgbImage, x: number, y: number) => [
  ...data.slice((y * width + x) * 3, (y * width + x) * 3 + 3),
];
const grey = (width: number, height: number): RgbImage =>
  rgbImage(width, height, new Uint8Array(width * height * 3).fill(128));
const person = (scores: [number, number, number], xs = [20, 100, 180]) => ({
  keypoints: scores.map((score, i) => ({ x: xs[i]!, y: 50, score })),
});

test("limbs and discs have the skeleton's colours", () => {
  const image = grey(200, 100);
  drawPoses(image, [person([1, 1, 1])], LINE, { opacity: 1 });
  expect(pixel(image, 60, 50)).toEqual([255, 0, 0]);
  expect(pixel(image, 140, 50)).toEqual([0, 0, 255]);
  expect(pixel(image, 100, 50)).toEqual([0, 255, 0]);
  expect(pixel(image, 60, 20)).toEqual([128, 128, 128]);
});

test("keypoints below minScore vanish with their limbs; the threshold itself counts", () => {
  const image = grey(200, 100);
  drawPoses(image, [person([1, 1, 0.29])], LINE, { opacity: 1 });
  expect(pixel(image, 60, 50)).toEqual([255, 0, 0]);
  expect(pixel(image, 140, 50)).toEqual([128, 128, 128]);
  expect(pixel(image, 180, 50)).toEqual([128, 128, 128]);
  drawPoses(image, [person([0, 1, 0.29])], LINE, { opacity: 1, minScore: 0.29 });
  expect(pixel(image, 140, 50)).toEqual([0, 0, 255]);
});

describe("nothing to draw leaves the picture as it was", () => {
  test.each<[string, Parameters<typeof drawPoses>[1]]>([
    ["no person", []],
    ["low scores", [person([0, 0.1, 0.2])]],
    ["NaN scores", [person([Number.NaN, Number.NaN, Number.NaN])]],
    ["NaN coordinates", [person([1, 1, 1], [Number.NaN, Number.NaN, Number.NaN])]],
    ["far outside", [person([1, 1, 1], [-900, -800, -700])]],
    ["NaN box", [{ ...person([0, 0, 0]), box: [Number.NaN, 0, 5, 5] }]],
  ])("%s", (_, persons) => {
    const image = grey(200, 100);
    drawPoses(image, persons, LINE, { boxes: true });
    expect(image).toEqual(grey(200, 100));
  });
});

test("one keypoint that is no number takes nothing else with it, nor the line's width", () => {
  const image = grey(2000, 100);
  drawPoses(image, [person([1, 1, 1], [200, 1000, Number.NaN])], LINE, { opacity: 1 });
  expect(pixel(image, 600, 50)).toEqual([255, 0, 0]);
  expect(pixel(image, 600, 55)).toEqual([255, 0, 0]); // 800 px of person: a line of 14 px
  expect(pixel(image, 1400, 50)).toEqual([128, 128, 128]);
});

test("one keypoint outside is clipped, the limb towards it drawn", () => {
  const image = grey(200, 100);
  drawPoses(image, [person([1, 1, 1], [-5000, 100, 5000])], LINE, { opacity: 1, lineWidth: 4 });
  expect(pixel(image, 0, 50)).toEqual([255, 0, 0]);
  expect(pixel(image, 199, 50)).toEqual([0, 0, 255]);
});

test("lines grow with the person and the picture, and never vanish", () => {
  const thickness = (width: number, height: number, length: number) => {
    const image = grey(width, height);
    const x = width / 2 - length / 2;
    drawPoses(
      image,
      [person([1, 1, 0], [x, x + length, 0])].map(({ keypoints }) => ({
        keypoints: keypoints.map((one) => ({ ...one, y: height / 2 })),
      })),
      LINE,
      { opacity: 1 },
    ); // prettier-ignore
    const rows = Array.from({ length: height }, (_, y) => pixel(image, Math.round(width / 2), y));
    return rows.filter(([red, green]) => red! > 190 && green! < 100).length;
  };
  expect(thickness(200, 150, 60)).toBeGreaterThanOrEqual(1);
  expect(thickness(2000, 1500, 1000)).toBeGreaterThan(thickness(2000, 1500, 200));
  expect(thickness(4000, 3000, 100)).toBeGreaterThanOrEqual(5);
  expect(thickness(4000, 3000, 3000)).toBeLessThanOrEqual(41);
});

test("a person of another skeleton is refused", () => {
  expect(() => drawPoses(grey(10, 10), [person([1, 1, 1])], COCO_17)).toThrow(/3 keypoints.*"coco-17" of 17/);
});
