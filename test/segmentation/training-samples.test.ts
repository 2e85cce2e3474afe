// Segmentation samples: picture and classes stay together through scale, crop and mirror.
import { describe, expect, test } from "vitest";
import { rgbImage } from "../../src/image/rgb-image.ts";
import { uniformRandom } from "../../src/random/random.ts";
import { defineClassTable } from "../../src/segmentation/class-table.ts";
import {
  createSegmentationSampleMaker,
  segmentationAugmentationSchema,
} from "../../src/segmentation/training-samples.ts";

/** Columns of one class each, 16 pixels wide; the red value tells the class. */
const NAMES = ["background", "left-arm", "right-arm", "hat"];
const classes = defineClassTable({ name: "test", classes: NAMES });
const [WIDTH, HEIGHT] = [64, 48];
const labelAt = (x: number): number => Math.floor(x / 16);

function pair() {
  const image = rgbImage(WIDTH, HEIGHT);
  const data = new Uint8Array(WIDTH * HEIGHT);
  for (let i = 0; i < data.length; i++) {
    const label = labelAt(i % WIDTH);
    data[i] = label;
    image.data[3 * i] = 50 + 50 * label;
    image.data[3 * i + 1] = Math.floor(i / WIDTH);
  }
  return { image, labels: { width: WIDTH, height: HEIGHT, data } };
}

function sample(input: readonly [number, number], augmentation: object, seed: number) {
  const make = createSegmentationSampleMaker({
    classes,
    input,
    augmentation: segmentationAugmentationSchema.parse({ baseSize: WIDTH, ...augmentation }),
  });
  const area = input[0] * input[1];
  const into = { image: new Uint8Array(3 * area), labels: new Float32Array(area) };
  const { image, labels } = pair();
  make(image, labels, uniformRandom(seed), into);
  return into;
}

/** The class that a red value shows, where it is not between two columns. */
const shown = (red: number): number | undefined => (red >= 50 && red % 50 === 0 ? red / 50 - 1 : undefined);

describe("pixels show the class they are labelled with", () => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8])("seed %i", (seed) => {
    const { image, labels } = sample([40, 56], { flipProbability: 0.5 }, seed);
    let compared = 0;
    let mirrored: boolean | undefined;
    labels.forEach((label, at) => {
      const red = image[at]!;
      if (label === 255) {
        expect(red).toBe(0);
        return;
      }
      const truth = shown(red);
      if (truth === undefined) return; // between two columns
      compared++;
      // Left and right change places in a mirrored picture, the others do not.
      if (truth === 1 || truth === 2) {
        mirrored ??= label !== truth;
        expect(label).toBe(mirrored ? 3 - truth : truth);
      } else expect(label).toBe(truth);
    });
    expect(compared).toBeGreaterThan(500);
  });
});

test("scale 1 without a mirror is the picture itself, padded to the right and below", () => {
  const { image, labels } = sample([60, 80], { scales: [1, 1], flipProbability: 0 }, 1);
  for (let y = 0; y < 60; y++) {
    for (let x = 0; x < 80; x++) {
      const beyond = x >= WIDTH || y >= HEIGHT;
      expect(labels[y * 80 + x]).toBe(beyond ? 255 : labelAt(x));
      expect(image[60 * 80 + y * 80 + x]).toBe(beyond ? 0 : y);
    }
  }
});

test("the same random numbers give the same sample, others another", () => {
  expect(sample([40, 56], {}, 5)).toEqual(sample([40, 56], {}, 5));
  expect(sample([40, 56], {}, 5)).not.toEqual(sample([40, 56], {}, 6));
});

test("stretched first, as LIP", () => {
  const { labels } = sample(
    [32, 32],
    { baseSize: 32, scales: [1, 1], flipProbability: 0, stretch: [32, 32] },
    1,
  );
  expect(Array.from(labels.subarray(0, 32))).toEqual(Array.from({ length: 32 }, (_, x) => Math.floor(x / 8)));
});

test("refuses a label map of another size", () => {
  const make = createSegmentationSampleMaker({
    classes,
    input: [8, 8],
    augmentation: segmentationAugmentationSchema.parse({ baseSize: 16 }),
  });
  const { image } = pair();
  const labels = { width: 3, height: 3, data: new Uint8Array(9) };
  const into = { image: new Uint8Array(192), labels: new Float32Array(64) };
  expect(() => make(image, labels, uniformRandom(1), into)).toThrow(/64×48 has a label map of 3×3/);
});
