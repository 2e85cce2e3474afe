// Drawn objects: masks where they are, texts where they hide nothing.
import { expect, test } from "vitest";
import { type DrawnObject, drawnDetections, drawObjects } from "../../src/detection/draw-detections.ts";
import { rgbImage } from "../../src/image/rgb-image.ts";
import { encodeMask } from "../../src/masks/run-length.ts";

const changed = (objects: readonly DrawnObject[]): number => {
  const image = rgbImage(400, 300);
  drawObjects(image, objects);
  let count = 0;
  for (let i = 0; i < image.data.length; i += 3)
    if (image.data[i]! + image.data[i + 1]! + image.data[i + 2]! > 0) count++;
  return count;
};
const small = (count: number, text?: string): DrawnObject[] =>
  Array.from({ length: count }, (_, i) => ({
    box: [10 + 25 * (i % 14), 30 + 40 * Math.floor(i / 14), 12, 12] as const,
    color: [200, 40, 40] as const,
    text,
  }));

test("few objects have all their texts, many small ones none", () => {
  expect(changed(small(8, "nucleus 98"))).toBeGreaterThan(2 * changed(small(8)));
  expect(changed(small(40, "nucleus 98"))).toBe(changed(small(40)));
  // Large ones keep theirs, as long as none hides another.
  const large = Array.from({ length: 20 }, () => ({
    box: [20, 40, 200, 100] as const,
    color: [90, 200, 90] as const,
    text: "cell 9",
  }));
  const one = changed([large[0]!]);
  expect(changed(large)).toBe(one);
});

test("a mask colours its pixels and no others; neighbours have colours of their own", () => {
  const image = rgbImage(60, 40);
  const pixels = Uint8Array.from({ length: 60 * 40 }, (_, i) => (i % 60 < 20 && i < 60 * 10 ? 1 : 0));
  const mask = encodeMask(pixels, 60, 40);
  const detection = { box: [0, 0, 20, 10] as const, label: "cell", score: 0.9, class: 0, mask };
  const [second, first] = drawnDetections([detection, detection], [[255, 0, 0]]);
  expect(first!.color).not.toEqual(second!.color);
  drawObjects(image, [{ box: [50, 30, 2, 2], color: first!.color, mask }]);
  const lit = (x: number, y: number): boolean =>
    image.data.subarray(3 * (60 * y + x), 3 * (60 * y + x) + 3).some((value) => value > 0);
  expect([lit(0, 0), lit(19, 9), lit(20, 9), lit(10, 10)]).toEqual([true, true, false, false]);
  expect(() => drawObjects(rgbImage(10, 10), [{ box: [0, 0, 5, 5], color: [1, 2, 3], mask }])).toThrow(
    /60×40/,
  );
});
