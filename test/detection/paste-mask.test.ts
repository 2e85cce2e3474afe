// Masks over boxes against a plain reading of every pixel.
import { expect, test } from "vitest";
import { pasteMask } from "../../src/detection/paste-mask.ts";
import { decodeMask, maskArea } from "../../src/masks/run-length.ts";
import { uniformRandom } from "../../src/random/random.ts";

const SIDE = 7;

/** Bilinear reading with zeros around, at the pixel's middle. */
function plain(mask: Float32Array, box: readonly number[], width: number, height: number): Uint8Array {
  const [x1, y1, x2, y2] = box as [number, number, number, number];
  const at = (row: number, column: number): number =>
    row < 0 || row >= SIDE || column < 0 || column >= SIDE ? 0 : mask[row * SIDE + column]!;
  return Uint8Array.from({ length: width * height }, (_, i) => {
    const [px, py] = [(i % width) + 0.5, Math.floor(i / width) + 0.5];
    if (px < Math.floor(x1) || px > Math.ceil(x2) || py < Math.floor(y1) || py > Math.ceil(y2)) return 0;
    const [u, v] = [((px - x1) / (x2 - x1)) * SIDE - 0.5, ((py - y1) / (y2 - y1)) * SIDE - 0.5];
    const [c, r] = [Math.floor(u), Math.floor(v)];
    const [b, a] = [u - c, v - r];
    const value =
      at(r, c) * (1 - a) * (1 - b) +
      at(r, c + 1) * (1 - a) * b +
      at(r + 1, c) * a * (1 - b) +
      at(r + 1, c + 1) * a * b;
    return value >= 0.5 ? 1 : 0;
  });
}

test("every pixel of a pasted mask is what its middle reads", () => {
  const random = uniformRandom(2);
  const [width, height] = [50, 40];
  for (let n = 0; n < 40; n++) {
    const mask = Float32Array.from({ length: SIDE * SIDE }, () =>
      random() < 0.6 ? 0.8 + 0.2 * random() : random(),
    );
    const [x, y] = [random() * 30 - 5, random() * 25 - 5];
    const box = [x, y, x + 4 + 40 * random(), y + 4 + 40 * random()] as const;
    const pasted = pasteMask(mask, box, { width, height });
    expect(pasted.counts.reduce((sum, run) => sum + run, 0)).toBe(width * height);
    const wanted = plain(mask, box, width, height);
    const wrong = decodeMask(pasted).reduce((sum, pixel, i) => sum + (pixel === wanted[i] ? 0 : 1), 0);
    expect(wrong).toBeLessThanOrEqual(1); // a value of one half to the last bit
  }
});

test("a mask of ones over the whole picture is the picture; one beside it is empty", () => {
  const ones = new Float32Array(SIDE * SIDE).fill(1);
  const size = { width: 31, height: 17 };
  expect(maskArea(pasteMask(ones, [-20, -20, 60, 40], size))).toBe(31 * 17);
  expect(maskArea(pasteMask(ones, [40, 3, 60, 9], size))).toBe(0);
});
