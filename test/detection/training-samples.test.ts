// Samples of a detector: boxes move with the pixels, whatever is drawn; crops, mirrors, crowds, padding.
import { expect, test } from "vitest";
import { fcosLevels, placesOf } from "../../src/detection/fcos-places.ts";
import { createDetectionSampleMaker } from "../../src/detection/training-samples.ts";
import type { DetectionAugmentation, SampleObject } from "../../src/detection/vary-picture.ts";
import { rgbImage } from "../../src/image/rgb-image.ts";
import { hashSeed, uniformRandom } from "../../src/random/random.ts";

const INPUT: readonly [number, number] = [128, 192];
const [HEIGHT, WIDTH] = INPUT;
const PLACES = placesOf(fcosLevels(...INPUT));

/** A sample's arrays. */
interface DetectionSampleArrays {
  readonly image: Uint8Array;
  readonly classes: Float32Array;
  readonly distances: Float32Array;
  readonly centerness: Float32Array;
}

const TARGETS = { kind: "places" } as const;

const arrays = (): DetectionSampleArrays => ({
  image: new Uint8Array(3 * HEIGHT * WIDTH),
  classes: new Float32Array(PLACES),
  distances: new Float32Array(4 * PLACES),
  centerness: new Float32Array(PLACES),
});

/** Each place's centre. */
const places = fcosLevels(HEIGHT, WIDTH).flatMap(({ height, width, stride }) =>
  Array.from({ length: height * width }, (_, i) => ({
    x: Math.floor(stride / 2) + (i % width) * stride,
    y: Math.floor(stride / 2) + Math.floor(i / width) * stride,
  })),
);

const OBJECTS: readonly SampleObject[] = [
  { box: [30, 20, 40, 50], class: 0, ignored: false },
  { box: [150, 60, 60, 30], class: 2, ignored: false },
  { box: [20, 120, 70, 30], class: 1, ignored: true },
];
/** Red in the first object, green in the second, blue in the third. */
function picture() {
  const image = rgbImage(240, 160);
  OBJECTS.forEach(({ box: [x, y, w, h] }, c) => {
    for (let row = y; row < y + h; row++)
      for (let column = x; column < x + w; column++) image.data[3 * (row * 240 + column) + c] = 255;
  });
  return image;
}

const augmentation = (more: Partial<DetectionAugmentation> = {}): DetectionAugmentation => ({
  scales: [1, 1],
  flipProbability: 0,
  minVisible: 0.3,
  ...more,
});

function sample(
  seed: number,
  more: Partial<DetectionAugmentation> = {},
  objects = OBJECTS,
): DetectionSampleArrays {
  const into = arrays();
  const random = uniformRandom(hashSeed(7, seed));
  createDetectionSampleMaker({ input: INPUT, augmentation: augmentation(more), targets: TARGETS }).make(
    picture(),
    objects,
    random,
    { ...into },
  );
  return into;
}

/** The box around the pixels of a colour. */
function boxOf(
  { image }: DetectionSampleArrays,
  channel: number,
): [number, number, number, number] | undefined {
  let [x1, y1, x2, y2] = [WIDTH, HEIGHT, -1, -1];
  for (let i = 0; i < HEIGHT * WIDTH; i++) {
    // Padding has all three channels.
    const padded = image[i] === 124 && image[HEIGHT * WIDTH + i] === 116;
    if (padded || image[channel * HEIGHT * WIDTH + i]! < 128) continue;
    const [x, y] = [i % WIDTH, Math.floor(i / WIDTH)];
    [x1, y1, x2, y2] = [Math.min(x1, x), Math.min(y1, y), Math.max(x2, x + 1), Math.max(y2, y + 1)];
  }
  return x2 < 0 ? undefined : [x1, y1, x2, y2];
}

test("boxes lie around the pixels of their objects, in every variation", () => {
  let seen = 0;
  for (let seed = 0; seed < 40; seed++) {
    const into = sample(seed, { scales: [0.6, 2.2], flipProbability: 0.5, minVisible: 0 });
    places.forEach(({ x, y }, place) => {
      const label = into.classes[place]!;
      if (label < 0) return;
      const [l, t, r, b] = into.distances.subarray(4 * place, 4 * place + 4) as unknown as [
        number,
        number,
        number,
        number,
      ];
      const drawn = boxOf(into, label === 0 ? 0 : 1)!;
      [x - l, y - t, x + r, y + b].forEach((side, i) => {
        expect(Math.abs(side - drawn[i]!), `seed ${seed}, place ${place}, side ${i}`).toBeLessThan(1.1);
      });
      expect(into.centerness[place]).toBeGreaterThan(0);
      seen++;
    });
  }
  expect(seen).toBeGreaterThan(500);
});

test("nothing is asked in crowds, and of objects that the crop leaves little of", () => {
  const whole = sample(1);
  const crowd = boxOf(whole, 2)!;
  const within = places.map(
    ({ x, y }) => x > crowd[0] + 1 && x < crowd[2] - 1 && y > crowd[1] + 1 && y < crowd[3] - 1,
  );
  expect(within.filter(Boolean).length).toBeGreaterThan(5);
  within.forEach((inside, place) => {
    if (inside) expect(whole.classes[place]).toBe(-2);
  });
  // With everything that is cut off left out, no label is of an object at the border.
  for (let seed = 0; seed < 20; seed++) {
    const into = sample(seed, { scales: [2, 2], minVisible: 1 });
    places.forEach(({ x, y }, place) => {
      if (into.classes[place]! < 0) return;
      const [l, t, r, b] = into.distances.subarray(4 * place, 4 * place + 4) as unknown as [
        number,
        number,
        number,
        number,
      ];
      expect(x - l).toBeGreaterThanOrEqual(-1e-3);
      expect(y - t).toBeGreaterThanOrEqual(-1e-3);
      expect(x + r).toBeLessThanOrEqual(WIDTH + 1e-3);
      expect(y + b).toBeLessThanOrEqual(HEIGHT + 1e-3);
    });
  }
});

test("a picture without objects has nothing to find; arrays are written anew", () => {
  const into = sample(3);
  expect(into.classes.some((label) => label >= 0)).toBe(true);
  const random = uniformRandom(1);
  createDetectionSampleMaker({ input: INPUT, augmentation: augmentation(), targets: TARGETS }).make(
    picture(),
    [],
    random,
    { ...into },
  );
  expect(new Set(into.classes)).toEqual(new Set([-1]));
  expect(Math.max(...into.distances, ...into.centerness)).toBe(0);
});

test("beyond the picture there is the mean colour, on whichever side it ends", () => {
  for (const flipProbability of [0, 1]) {
    const { image } = sample(4, { scales: [0.5, 0.5], flipProbability });
    const at = (x: number, y: number) => [0, 1, 2].map((c) => image[(c * HEIGHT + y) * WIDTH + x]);
    expect(at(flipProbability === 1 ? 2 : WIDTH - 2, 5)).toEqual([124, 116, 104]);
    expect(at(flipProbability === 1 ? WIDTH - 2 : 2, 5)).toEqual([0, 0, 0]);
    expect(at(90, HEIGHT - 2)).toEqual([124, 116, 104]);
  }
});

test("the same stream gives the same sample", () => {
  const more = { scales: [0.5, 2] as [number, number], flipProbability: 0.5 };
  expect(sample(9, more)).toEqual(sample(9, more));
  expect(sample(9, more)).not.toEqual(sample(10, more));
});
