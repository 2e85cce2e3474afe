// CenterNet's targets: the radius by its meaning, keypoints where the objects' corners and centres are.
import { expect, test } from "vitest";
import { pairwiseIou } from "../../src/detection/boxes.ts";
import type { SampleArrays } from "../../src/detection/target-writer.ts";
import { createDetectionSampleMaker, type MaskedObject } from "../../src/detection/training-samples.ts";
import { cornerRadius } from "../../src/detection/triplet-targets.ts";
import { rgbImage } from "../../src/image/rgb-image.ts";
import { uniformRandom } from "../../src/random/random.ts";

test("corners off by the radius leave an IoU of 0.7 or more; off by two more, not always", () => {
  for (const [w, h] of [
    [10, 10],
    [40, 12],
    [7, 50],
    [100, 90],
  ] as const) {
    const worst = (r: number): number => {
      const ious: number[] = [];
      for (const a of [-r, r])
        for (const b of [-r, r])
          for (const c of [-r, r])
            for (const d of [-r, r])
              ious.push(pairwiseIou(Float64Array.of(0, 0, w, h), Float64Array.of(a, b, w + c, h + d))[0]!);
      return Math.min(...ious);
    };
    const radius = cornerRadius(w, h);
    // The paper's three cases: shifted, shrunk, grown.
    expect(worst(radius)).toBeGreaterThan(0.69);
    expect(worst(radius + 2)).toBeLessThan(0.7);
  }
});

const [HEIGHT, WIDTH, CLASSES, OBJECTS] = [96, 128, 3, 4];
const [ROWS, COLUMNS] = [HEIGHT / 4, WIDTH / 4];
const AREA = ROWS * COLUMNS;
const maker = createDetectionSampleMaker({
  input: [HEIGHT, WIDTH],
  augmentation: { scales: [1, 1], flipProbability: 0, minVisible: 0.3 },
  targets: { kind: "triplets", classes: CLASSES, objects: OBJECTS },
});

function sample(objects: readonly MaskedObject[]): Record<string, Float32Array> {
  const into: Record<string, Float32Array | Uint8Array> = { image: new Uint8Array(3 * HEIGHT * WIDTH) };
  for (const { name, shape } of maker.fields)
    into[name] = new Float32Array(shape.reduce((product, size) => product * size, 1));
  maker.make(rgbImage(WIDTH, HEIGHT), objects, uniformRandom(3), into as SampleArrays);
  return into as Record<string, Float32Array>;
}

test("peaks, offsets and pairs of corners", () => {
  const boxes = [
    [10, 4, 90, 75],
    [70, 20, 51, 70],
  ] as const;
  const { heatmaps, offsets, marks, corners, asked } = sample([
    { box: boxes[0], class: 1, ignored: false },
    { box: boxes[1], class: 2, ignored: false },
    { box: [0, 60, 20, 20], class: 0, ignored: true },
  ]);
  const pairs = new Set<string>();
  boxes.forEach(([x, y, w, h], n) => {
    const points = [
      [x, y],
      [x + w, y + h],
      [x + w / 2, y + h / 2],
    ] as const;
    const cells = points.map(([px, py], kind) => {
      const [column, row] = [Math.floor(px / 4), Math.floor(py / 4)];
      const at = row * COLUMNS + column;
      expect(heatmaps![(kind * CLASSES + n + 1) * AREA + at]).toBe(1);
      expect(marks![kind * AREA + at]).toBe(1);
      expect(offsets![2 * kind * AREA + at]).toBeCloseTo(px / 4 - column, 5);
      expect(offsets![(2 * kind + 1) * AREA + at]).toBeCloseTo(py / 4 - row, 5);
      return at;
    });
    pairs.add(cells.slice(0, 2).join());
  });
  expect(marks!.reduce((sum, mark) => sum + mark, 0)).toBe(6);
  expect(Array.from(corners!.slice(4))).toEqual([-1, -1, -1, -1]);
  expect(new Set([corners!.slice(0, 2).join(), corners!.slice(2, 4).join()])).toEqual(pairs);
  // Of the crowd, a square of 5×5 cells, nothing is asked; its class has no peaks.
  expect(asked!.filter((value) => value === 0)).toHaveLength(25);
  for (const kind of [0, 1, 2])
    expect(
      heatmaps!.slice(kind * CLASSES * AREA, (kind * CLASSES + 1) * AREA).every((value) => value === 0),
    ).toBe(true);
  // Peaks fall off to all sides.
  const highest = heatmaps!.filter((value) => value > 0.999);
  expect(highest).toHaveLength(6);
  expect(heatmaps!.filter((value) => value > 0 && value < 1).length).toBeGreaterThan(20);
});
