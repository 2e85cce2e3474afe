// Shapes: coverage, clipping, opacity and rims, checked pixel by pixel.
import { describe, expect, test } from "vitest";
import { drawBox, drawCapsule, drawDisc } from "../../src/image/draw.ts";
import { type RgbImage, rgbImage } from "../../src/image/rgb-image.ts";

const RED = [255, 0, 0] as const;
const pixel = ({ data, width }: RgbImage, x: number, y: number) => [
  ...data.slice((y * width + x) * 3, (y * width + x) * 3 + 3),
];
const sumRed = ({ data }: RgbImage) =>
  data.reduce((sum, value, i) => (i % 3 === 0 ? sum + value / 255 : sum), 0);

test("the area painted is the shape's area", () => {
  const disc = rgbImage(64, 64);
  drawDisc(disc, 31.3, 30.8, 20, { color: RED });
  expect(sumRed(disc) / (Math.PI * 400)).toBeCloseTo(1, 2);
  const line = rgbImage(64, 64);
  drawCapsule(line, 10, 12, 50, 42, 5, { color: RED }); // 50 long
  expect(sumRed(line) / (Math.PI * 25 + 50 * 10)).toBeCloseTo(1, 2);
});

test.each([
  ["slanted", 5.2, 22.7, 33.1, 6.4, 3.3],
  ["steep", 20.1, 3.2, 22.4, 26.9, 2.1],
  ["level", 6.5, 14.25, 31.5, 14.25, 4],
  ["upright", 12.75, 6, 12.75, 25, 1.6],
  ["a disc", 19.4, 15.1, 19.4, 15.1, 7.7],
  ["thinner than a pixel", 8, 8, 30, 20, 0.3],
])("every pixel holds the coverage of its distance: %s", (_, x0, y0, x1, y1, radius) => {
  const rim = 1.5;
  const image = rgbImage(40, 30);
  const paint = { color: RED, outlineWidth: rim, outlineColor: [0, 0, 255] } as const;
  drawCapsule(image, x0, y0, x1, y1, radius, paint);
  const within = (value: number) => Math.min(1, Math.max(0, value));
  const length2 = (x1 - x0) ** 2 + (y1 - y0) ** 2;
  for (let y = 0; y < 30; y++) {
    for (let x = 0; x < 40; x++) {
      const t = length2 === 0 ? 0 : within(((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / length2);
      const distance = Math.hypot(x - x0 - t * (x1 - x0), y - y0 - t * (y1 - y0));
      const core = within(radius - distance + 0.5);
      const whole = within(radius + rim - distance + 0.5);
      const [red, , blue] = pixel(image, x, y);
      expect(Math.abs(red! - 255 * whole * core)).toBeLessThanOrEqual(0.51);
      expect(Math.abs(blue! - 255 * whole * (1 - core))).toBeLessThanOrEqual(0.51);
    }
  }
});

test("opacity blends, a rim surrounds", () => {
  const image = rgbImage(40, 40);
  image.data.fill(100);
  drawDisc(image, 20, 20, 6, { color: [200, 0, 50], opacity: 0.5, outlineWidth: 4, outlineColor: [0, 0, 0] });
  expect(pixel(image, 20, 20)).toEqual([150, 50, 75]);
  expect(pixel(image, 28, 20)).toEqual([50, 50, 50]);
  expect(pixel(image, 32, 20)).toEqual([100, 100, 100]);
});

describe("clipping", () => {
  test.each([
    [-100, 20, 200, 20],
    [20, -1e6, 20, 1e6],
    [-50, -50, -20, -20],
    [39, 39, 60, 60],
    [1e300, 0, -1e300, 0],
  ])("a line from (%d, %d) to (%d, %d) stays in bounds", (x0, y0, x1, y1) => {
    const image = rgbImage(40, 40);
    drawCapsule(image, x0, y0, x1, y1, 3, { color: RED });
    expect(image.data).toHaveLength(4800);
  });

  test("NaN, infinity and a radius of nothing draw nothing", () => {
    const image = rgbImage(8, 8);
    drawCapsule(image, Number.NaN, 1, 4, 4, 3, { color: RED });
    drawCapsule(image, 1, 1, Number.POSITIVE_INFINITY, 4, 3, { color: RED });
    drawDisc(image, 4, 4, 0, { color: RED });
    expect(image.data).toEqual(new Uint8Array(192));
  });
});

test("a box is its four sides", () => {
  const image = rgbImage(20, 20);
  drawBox(image, [4, 5, 10, 8], 1, { color: RED });
  for (const [x, y] of [
    [4, 9],
    [14, 9],
    [9, 5],
    [9, 13],
  ] as const)
    expect(pixel(image, x, y)).toEqual([255, 0, 0]);
  for (const [x, y] of [
    [9, 9],
    [1, 9],
    [17, 9],
  ] as const)
    expect(pixel(image, x, y)).toEqual([0, 0, 0]);
});
