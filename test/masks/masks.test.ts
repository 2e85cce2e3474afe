// Masks: run lengths against plain pixels, text against known strings, polygons on whole and halved pixels; COCO's own files.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { compressCounts, decompressCounts } from "../../src/masks/compressed-counts.ts";
import { polygonMask } from "../../src/masks/polygons.ts";
import {
  decodeMask,
  encodeMask,
  maskArea,
  maskBox,
  maskIou,
  type RunLengthMask,
  runLengthMask,
  sharedArea,
  uniteMasks,
} from "../../src/masks/run-length.ts";
import { uniformRandom } from "../../src/random/random.ts";
import { hasShared, shared } from "../helpers/shared.ts";

const [WIDTH, HEIGHT] = [23, 17];

/** Blocks of random pixels. */
function randomPixels(seed: number, share = 0.5, block = 3): Uint8Array {
  const random = uniformRandom(seed);
  const cells = Uint8Array.from({ length: 64 }, () => (random() < share ? 1 : 0));
  return Uint8Array.from({ length: WIDTH * HEIGHT }, (_, i) => {
    const [x, y] = [i % WIDTH, Math.floor(i / WIDTH)];
    return cells[(Math.floor(x / block) + 8 * Math.floor(y / block)) % 64]!;
  });
}

/** Pixels around which a box is drawn, counted one by one. */
function boxOf(pixels: Uint8Array): number[] {
  const inside = Array.from(pixels.keys()).filter((i) => pixels[i] === 1);
  if (inside.length === 0) return [0, 0, 0, 0];
  const xs = inside.map((i) => i % WIDTH);
  const ys = inside.map((i) => Math.floor(i / WIDTH));
  const [left, top] = [Math.min(...xs), Math.min(...ys)];
  return [left, top, Math.max(...xs) - left + 1, Math.max(...ys) - top + 1];
}

describe("run lengths", () => {
  test.each([
    ["random blocks", randomPixels(1)],
    ["single pixels", randomPixels(2, 0.4, 1)],
    ["nothing", new Uint8Array(WIDTH * HEIGHT)],
    ["everything", new Uint8Array(WIDTH * HEIGHT).fill(1)],
  ])("%s: pixels, area, box, text and back", (_, pixels) => {
    const mask = encodeMask(pixels, WIDTH, HEIGHT);
    expect(decodeMask(mask)).toEqual(pixels);
    expect(maskArea(mask)).toBe(pixels.reduce((sum, value) => sum + value, 0));
    const text = compressCounts(mask.counts);
    expect(decompressCounts(text)).toEqual(Array.from(mask.counts));
    const [, top, , height] = boxOf(pixels);
    // Runs over the end of a column reach from top to bottom.
    const spans = top === 0 && top! + height! === HEIGHT;
    if (!spans) expect(maskBox(mask)).toEqual(boxOf(pixels));
  });

  test("are counted down the columns, from outside", () => {
    const pixels = Uint8Array.of(0, 0, 1, 1, 0, 1); // 3 wide, 2 high: columns 01 00 11
    expect(Array.from(encodeMask(pixels, 3, 2).counts)).toEqual([1, 1, 2, 2]);
    expect(Array.from(encodeMask(Uint8Array.of(1, 0), 1, 2).counts)).toEqual([0, 1, 1]);
  });

  test("a run over the end of a column has a box from top to bottom, as in cocoapi", () => {
    const mask = runLengthMask(4, 5, [3, 4, 13]); // the end of column 0 and the beginning of column 1
    expect(maskBox(mask)).toEqual([0, 0, 2, 5]);
  });

  test("as text: the example of cocoapi's documentation, and numbers of every length", () => {
    const counts = [6, 1, 40, 4, 5, 4, 5, 4, 21];
    expect(compressCounts(counts)).toBe("61X13mN000`0");
    expect(decompressCounts("61X13mN000`0")).toEqual(counts);
    const large = [0, 1, 15, 16, 31, 32, 33, 1023, 1024, 5, 1_000_000, 3, 4_000_000_000, 2];
    expect(decompressCounts(compressCounts(large))).toEqual(large);
  });

  test("intersection, union and IoU against pixels", () => {
    for (let seed = 1; seed < 20; seed++) {
      const [a, b] = [randomPixels(seed), randomPixels(seed + 100, 0.3, 2)];
      const [maskA, maskB] = [encodeMask(a, WIDTH, HEIGHT), encodeMask(b, WIDTH, HEIGHT)];
      const both = a.reduce((sum, value, i) => sum + value * b[i]!, 0);
      const either = a.map((value, i) => value | b[i]!);
      const union = either.reduce((sum, value) => sum + value, 0);
      expect(sharedArea(maskA, maskB)).toBe(both);
      expect(decodeMask(uniteMasks([maskA, maskB]))).toEqual(either);
      expect(maskIou(maskA, maskB)).toBe(both / union);
      expect(maskIou(maskA, maskB, true)).toBe(both / maskArea(maskA));
    }
  });

  test("masks of different sizes, and empty ones", () => {
    const empty = encodeMask(new Uint8Array(6), 3, 2);
    expect(maskIou(empty, empty)).toBe(0);
    expect(maskIou(empty, encodeMask(new Uint8Array(6), 2, 3))).toBe(-1);
    expect(() => uniteMasks([empty, encodeMask(new Uint8Array(4), 2, 2)])).toThrow(/one size/);
    expect(() => uniteMasks([])).toThrow(/at least one/);
  });
});

describe("refuses", () => {
  test.each([
    ["runs that do not fill the picture", () => runLengthMask(4, 4, [3, 4]), /7 pixels in all/],
    ["negative runs", () => runLengthMask(2, 2, [-1, 5]), /a run of -1/],
    ["parts of pixels", () => runLengthMask(2, 2, [1.5, 2.5]), /a run of 1.5/],
    ["sizes that are none", () => runLengthMask(0, 4, [0]), /0×4/],
    ["characters that do not belong there", () => decompressCounts("61 X"), /no compressed run lengths/],
    ["a text that ends within a number", () => decompressCounts("61X"), /no compressed run lengths/],
    ["numbers without end", () => decompressCounts("o".repeat(40)), /no compressed run lengths/],
    ["text of negative runs", () => decompressCounts("O"), /a run of -1/],
  ])("%s", (_, call, message) => {
    expect(call).toThrowError(
      expect.objectContaining({ code: "invalid-data", message: expect.stringMatching(message) }),
    );
  });
});

describe("polygons", () => {
  const pixelsOf = (polygon: readonly number[]): number[][] => {
    const pixels = decodeMask(polygonMask(polygon, WIDTH, HEIGHT));
    return Array.from(pixels.keys())
      .filter((i) => pixels[i] === 1)
      .map((i) => [i % WIDTH, Math.floor(i / WIDTH)]);
  };
  const rectangle = (x: number, y: number, w: number, h: number): number[] => [
    x,
    y,
    x + w,
    y,
    x + w,
    y + h,
    x,
    y + h,
  ];

  test.each([
    [2, 3, 5, 4],
    [0, 0, WIDTH, HEIGHT],
    [20, 10, 3, 7],
  ])("a rectangle on whole pixels holds these: %i %i %i %i", (x, y, w, h) => {
    const mask = polygonMask(rectangle(x, y, w, h), WIDTH, HEIGHT);
    expect(maskArea(mask)).toBe(w * h);
    expect(maskBox(mask)).toEqual(h === HEIGHT ? [x, 0, w, HEIGHT] : [x, y, w, h]);
  });

  test("the order of vertices and where it begins do not matter", () => {
    const polygon = [3.2, 2.1, 12.7, 4.4, 15.1, 12.9, 7.3, 14.2, 2.4, 9.6];
    const expected = pixelsOf(polygon);
    const points = Array.from({ length: 5 }, (_, i) => polygon.slice(2 * i, 2 * i + 2));
    expect(pixelsOf([...points].reverse().flat())).toEqual(expected);
    expect(pixelsOf([...points.slice(2), ...points.slice(0, 2)].flat())).toEqual(expected);
    // The polygon's area, and a pixel for the rounding of each part of its outline.
    expect(expected.length).toBeGreaterThan(100);
    expect(expected.length).toBeLessThan(121);
  });

  test("what lies beyond the picture is cut off", () => {
    expect(pixelsOf(rectangle(-5, -4, 8, 7))).toEqual(pixelsOf(rectangle(0, 0, 3, 3)));
    expect(pixelsOf(rectangle(20, 14, 50, 50))).toEqual(pixelsOf(rectangle(20, 14, 3, 3)));
    expect(pixelsOf(rectangle(40, 5, 5, 5))).toEqual([]);
  });

  test("crossing outlines leave what they enclose twice outside; vertices may be there twice", () => {
    const twice = pixelsOf([2, 2, 10, 2, 10, 10, 2, 10, 2, 2, 10, 2, 10, 10, 2, 10]);
    expect(twice).toEqual([]);
    expect(pixelsOf([2, 2, 2, 2, 10, 2, 10, 10, 2, 10])).toEqual(pixelsOf(rectangle(2, 2, 8, 8)));
  });
});

test.skipIf(!hasShared("data", "dsb2018") || !hasShared("data", "coco-sample"))(
  "masks of COCO's files: lengths and text as they were written, polygons near the annotated area",
  () => {
    const nuclei = shared("data", "dsb2018", "annotations", "instances_train.json");
    const coco = shared("data", "coco-sample", "annotations", "instances_val2017.json");
    const written = JSON.parse(readFileSync(nuclei, "utf8")) as {
      annotations: {
        area: number;
        bbox: number[];
        segmentation: { size: [number, number]; counts: string };
      }[];
    };
    for (const { area, bbox, segmentation } of written.annotations) {
      const [height, width] = segmentation.size;
      const mask = runLengthMask(width, height, decompressCounts(segmentation.counts));
      expect(maskArea(mask)).toBe(area);
      expect(maskBox(mask)).toEqual(bbox);
      expect(compressCounts(mask.counts)).toBe(segmentation.counts);
    }
    const { images, annotations } = JSON.parse(readFileSync(coco, "utf8")) as {
      images: { id: number; width: number; height: number }[];
      annotations: { image_id: number; area: number; iscrowd: number; segmentation: number[][] }[];
    };
    const sizes = new Map(images.map((image) => [image.id, image]));
    for (const { image_id, area, iscrowd, segmentation } of annotations) {
      if (iscrowd === 1) continue;
      const { width, height } = sizes.get(image_id)!;
      const parts = segmentation.map((polygon): RunLengthMask => polygonMask(polygon, width, height));
      // Pixels are counted here, the polygons' own area there.
      expect(Math.abs(maskArea(uniteMasks(parts)) - area)).toBeLessThan(2 * Math.sqrt(area));
    }
  },
);
