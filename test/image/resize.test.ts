// Resizing against OpenCV's, whole and in windows.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { type ResizeWindow, resizeImage, resizeIntoPlanes, resizeLabels } from "../../src/image/resize.ts";
import { rgbImage } from "../../src/image/rgb-image.ts";
import { fixture } from "../helpers/shared.ts";

interface Case {
  readonly source: readonly [number, number];
  readonly size: readonly [number, number];
  readonly linear: readonly number[];
  readonly nearest: readonly number[];
}

const { cases } = JSON.parse(readFileSync(fixture("image", "resize.json"), "utf8")) as { cases: Case[] };
const SAME = Array.from({ length: 256 }, (_, label) => label);

function picture([width, height]: readonly [number, number]) {
  const image = rgbImage(width, height);
  for (let i = 0; i < image.data.length; i++) {
    const [x, y, c] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width), i % 3];
    image.data[i] = (37 * x + 59 * y + 101 * c + 7 * x * y) % 256;
  }
  return image;
}

function labels([width, height]: readonly [number, number]) {
  const data = Uint8Array.from(
    { length: width * height },
    (_, i) => (5 * (i % width) + 3 * Math.floor(i / width)) % 11,
  );
  return { width, height, data };
}

describe.each(cases)("$source to $size", ({ source, size, linear, nearest }) => {
  const [width, height] = size;

  test("the whole picture", () => {
    expect(Array.from(resizeImage(picture(source), size).data)).toEqual(linear);
  });

  test("the whole label map", () => {
    const into = new Uint8Array(width * height);
    resizeLabels(labels(source), { size, x: 0, y: 0, width, height }, SAME, 255, into);
    expect(Array.from(into)).toEqual(nearest);
  });

  test.each([false, true])("a window that reaches beyond it, mirrored: %s", (mirrored) => {
    const window: ResizeWindow = { size, x: 3, y: 2, width: width - 1, height: height - 1, mirrored };
    const area = window.width * window.height;
    const planes = new Uint8Array(3 * area);
    const classes = new Float32Array(area);
    resizeIntoPlanes(picture(source), window, planes);
    resizeLabels(labels(source), window, SAME, 255, classes);
    for (let at = 0; at < area; at++) {
      const column = at % window.width;
      const x = window.x + (mirrored ? window.width - 1 - column : column);
      const y = window.y + Math.floor(at / window.width);
      const beyond = x >= width || y >= height;
      const place = y * width + x;
      const wanted = [0, 1, 2].map((c) => (beyond ? 0 : linear[3 * place + c]!));
      expect([0, 1, 2].map((c) => planes[c * area + at])).toEqual(wanted);
      expect(classes[at]).toBe(beyond ? 255 : nearest[place]);
    }
  });
});
