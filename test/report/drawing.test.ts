// Pictures for the report: planes, heatmaps where they belong, truth beside prediction.
import { expect, test } from "vitest";
import { type RgbImage, rgbImage } from "../../src/image/rgb-image.ts";
import { comparePoses } from "../../src/report/compare-poses.ts";
import { drawHeatmaps, drawSample, imageFromPlanes, sideBySide } from "../../src/report/draw-sample.ts";
import { defineSkeleton } from "../../src/skeleton/skeleton.ts";

const skeleton = defineSkeleton({
  name: "two",
  keypoints: ["a", "b"],
  edges: [],
  keypointColors: [
    [255, 0, 0],
    [0, 0, 255],
  ],
});

function gray(width: number, height: number, value = 100): RgbImage {
  return rgbImage(width, height, new Uint8Array(width * height * 3).fill(value));
}
const pixel = ({ width, data }: RgbImage, x: number, y: number) => [
  ...data.subarray(3 * (y * width + x)).subarray(0, 3),
];

/** Mean position of the pixels that satisfy a condition on their colour. */
function middle(
  image: RgbImage,
  holds: (red: number, green: number, blue: number) => boolean,
): [number, number] {
  let [sumX, sumY, count] = [0, 0, 0];
  for (let y = 0; y < image.height; y++) {
    for (let x = 0; x < image.width; x++) {
      const [red, green, blue] = pixel(image, x, y);
      if (!holds(red!, green!, blue!)) continue;
      sumX += x;
      sumY += y;
      count++;
    }
  }
  return [sumX / count, sumY / count];
}
const isRed = (red: number, green: number, blue: number) => red > 120 && green < 90 && blue < 90;
const isBlue = (red: number, green: number, blue: number) => blue > 120 && green < 90 && red < 90;

test("planes become interleaved pixels", () => {
  const image = imageFromPlanes(Uint8Array.of(1, 2, 3, 4, 5, 6), 2, 1);
  expect([...image.data]).toEqual([1, 3, 5, 2, 4, 6]);
  expect(() => imageFromPlanes(new Uint8Array(5), 2, 1)).toThrow(
    expect.objectContaining({ code: "invalid-shape" }),
  );
});

test.each([
  ["stride", 4 * 5, 4 * 9],
  ["corners", (5 * 47) / 11, (9 * 63) / 15],
] as const)("a heatmap's peak lies where the grid says: %s", (grid, x, y) => {
  const data = new Float32Array(2 * 16 * 12);
  data[9 * 12 + 5] = 1;
  data[16 * 12 + 3 * 12 + 2] = 1;
  const image = gray(48, 64);
  const maps = { data, keypoints: 2, height: 16, width: 12, grid, weights: [1, 0] };
  const drawn = drawHeatmaps(image, maps, skeleton.keypointColors);
  const [middleX, middleY] = middle(drawn, isRed);
  expect(Math.abs(middleX - x)).toBeLessThan(0.6);
  expect(Math.abs(middleY - y)).toBeLessThan(0.6);
  // Weight 0: no blue. Elsewhere the picture is darkened, and the original is as it was.
  expect(middle(drawn, isBlue)).toEqual([Number.NaN, Number.NaN]);
  expect(pixel(drawn, 47, 0)).toEqual([45, 45, 45]);
  expect(pixel(image, 20, 36)).toEqual([100, 100, 100]);
});

test("of maps with offsets the first channel is drawn", () => {
  const data = new Float32Array(2 * 3 * 16 * 12);
  data[16 * 12 * 4 + 5] = 1; // an offset of the second keypoint
  data[16 * 12 * 3 + 9 * 12 + 5] = 1;
  const maps = { data, keypoints: 2, channels: 3, height: 16, width: 12 };
  const [x, y] = middle(drawHeatmaps(gray(48, 64), maps, skeleton.keypointColors), isBlue);
  expect([Math.round(x), Math.round(y)]).toEqual([20, 36]);
});

test("heatmaps that do not fit are refused", () => {
  const maps = { data: new Float32Array(7), keypoints: 2, height: 2, width: 2 };
  expect(() => drawHeatmaps(gray(4, 4), maps, skeleton.keypointColors)).toThrow(
    expect.objectContaining({ code: "invalid-shape" }),
  );
});

test("pictures side by side keep their pixels", () => {
  const row = sideBySide([gray(4, 6, 10), gray(3, 2, 20)]);
  expect([row.width, row.height]).toEqual([4 + 4 + 3, 6]);
  expect(pixel(row, 3, 5)).toEqual([10, 10, 10]);
  expect(pixel(row, 8, 2)).toEqual([20, 20, 20]);
  expect(pixel(row, 10, 3)).toEqual([20, 20, 20]);
  expect(pixel(row, 8, 4)).toEqual([128, 128, 128]);
});

test("a sample shows keypoints on the left and targets on the right, and leaves the crop alone", () => {
  const crop = gray(48, 64);
  const data = new Float32Array(2 * 16 * 12);
  data[9 * 12 + 5] = 1;
  const keypoints = [
    { x: 20, y: 36, score: 1 },
    { x: 40, y: 10, score: 0 },
  ];
  const image = drawSample(crop, { data, keypoints: 2, height: 16, width: 12 }, { skeleton, keypoints });
  expect([image.width, image.height]).toEqual([100, 64]);
  expect(isRed(...(pixel(image, 20, 36) as [number, number, number]))).toBe(true);
  expect(pixel(image, 40, 10)).toEqual([100, 100, 100]);
  expect(isRed(...(pixel(image, 52 + 20, 36) as [number, number, number]))).toBe(true);
  expect(new Set(crop.data)).toEqual(new Set([100]));
});

test("truth and prediction are cut out and drawn where the picture shows them", async () => {
  const image = gray(400, 300);
  // A green mark at the truth, a magenta one at the prediction: the drawn keypoints must cover them.
  const truth = [
    { x: 220, y: 120, score: 1 },
    { x: 260, y: 200, score: 1 },
  ];
  const prediction = [
    { x: 220, y: 120, score: 0.9 },
    { x: 240, y: 200, score: 0.1 },
  ];
  const box = [200, 100, 80, 120] as const;
  const result = await comparePoses(image, { skeleton, truth, prediction, box, height: 300 });
  expect(result.height).toBe(300);
  const half = (result.width - 4) / 2;
  // The region: the box and 12 % of its height around it, in whole pixels.
  const region = { left: 185, top: 85, width: 295 + 1 - 185, height: 235 + 1 - 85 };
  expect(Math.abs(half - (300 * region.width) / region.height)).toBeLessThan(3);
  const scale = 300 / region.height;
  const expected = (x: number, y: number) => [
    (x - region.left + 0.5) * scale,
    (y - region.top + 0.5) * scale,
  ];
  const left = rgbImage(half, 300);
  const right = rgbImage(half, 300);
  for (let y = 0; y < 300; y++) {
    left.data.set(result.data.subarray(3 * y * result.width, 3 * (y * result.width + half)), 3 * y * half);
    right.data.set(
      result.data.subarray(3 * (y * result.width + half + 4), 3 * (y + 1) * result.width),
      3 * y * half,
    );
  }
  const near = ([x, y]: readonly number[], [u, v]: readonly number[]) => Math.hypot(x! - u!, y! - v!) < 2.5;
  expect(near(middle(left, isRed), expected(220, 120))).toBe(true);
  expect(near(middle(left, isBlue), expected(260, 200))).toBe(true);
  expect(near(middle(right, isRed), expected(220, 120))).toBe(true);
  // Half of the disc is under the line to the truth, which ends there.
  const isWhite = (r: number, g: number, b: number) => r > 220 && g > 220 && b > 220;
  expect(near(middle(right, isWhite), expected(250, 200))).toBe(true);
  const without = await comparePoses(image, { skeleton, truth, prediction, box, minScore: 0.5, height: 300 });
  expect(middle(without, isWhite)).toEqual([Number.NaN, Number.NaN]);
});

test.each([
  ["outside the picture", { x: -500, y: -500, score: 1 }],
  ["not labelled", { x: 0, y: 0, score: 0 }],
  ["no number", { x: Number.NaN, y: 3, score: 1 }],
])("keypoints %s still give a picture", async (_, keypoint) => {
  const keypoints = [keypoint, keypoint];
  const result = await comparePoses(gray(40, 30), { skeleton, truth: keypoints, prediction: keypoints });
  expect(result.height).toBe(360);
});
