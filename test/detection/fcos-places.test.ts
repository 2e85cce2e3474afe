// FCOS's places: what they are to find by definition, and that perfect answers decode to the objects again.
import { describe, expect, test } from "vitest";
import { pairwiseIou } from "../../src/detection/boxes.ts";
import { type FcosLevel, fcosLevels, fcosTargets, placesOf } from "../../src/detection/fcos-places.ts";
import { uniformRandom } from "../../src/random/random.ts";
import { decodeFcos, FCOS_DECODING, type FcosOutputs } from "../helpers/decode-fcos.ts";

const [HEIGHT, WIDTH] = [320, 480];
const CLASSES = 3;
const levels = fcosLevels(HEIGHT, WIDTH);

/** Objects of all sizes, some within others. */
function objects(seed: number): { boxes: Float64Array; classes: number[] } {
  const random = uniformRandom(seed);
  const sides = [20, 45, 90, 110, 200, 300];
  const boxes = sides.flatMap((side) => {
    const [w, h] = [side * (0.8 + 0.4 * random()), side * (0.8 + 0.2 * random())];
    const [x, y] = [random() * Math.max(1, WIDTH - w), random() * Math.max(1, HEIGHT - h)];
    return [x, y, x + w, y + h];
  });
  return { boxes: Float64Array.from(boxes), classes: sides.map((_, i) => i % CLASSES) };
}

/** Centre and level of each place, in order. */
const places = levels.flatMap((level: FcosLevel) =>
  Array.from({ length: level.height * level.width }, (_, i) => {
    const half = Math.floor(level.stride / 2);
    return {
      level,
      x: half + (i % level.width) * level.stride,
      y: half + Math.floor(i / level.width) * level.stride,
    };
  }),
);

test("levels: strides 8 to 128, maps rounded up", () => {
  expect(levels.map(({ stride, height, width }) => [stride, height, width])).toEqual([
    [8, 40, 60],
    [16, 20, 30],
    [32, 10, 15],
    [64, 5, 8],
    [128, 3, 4],
  ]);
  expect(placesOf(levels)).toBe(places.length);
});

test("each place finds the smallest object around it that its level answers for", () => {
  for (let seed = 1; seed <= 5; seed++) {
    const { boxes, classes } = objects(seed);
    const targets = fcosTargets(levels, boxes, classes);
    let positives = 0;
    places.forEach(({ x, y, level }, place) => {
      const fitting = classes
        .map((label, n) => {
          const [x1, y1, x2, y2] = Array.from(boxes.subarray(4 * n, 4 * n + 4)) as [
            number,
            number,
            number,
            number,
          ];
          const sides = [x - x1, y - y1, x2 - x, y2 - y] as const;
          return { label, sides, area: (x2 - x1) * (y2 - y1) };
        })
        .filter(({ sides }) => Math.min(...sides) > 0)
        .filter(({ sides }) => Math.max(...sides) > level.range[0] && Math.max(...sides) <= level.range[1])
        .sort((a, b) => a.area - b.area);
      const [wanted] = fitting;
      expect(targets.classes[place]).toBe(wanted?.label ?? -1);
      if (!wanted) return;
      positives++;
      const [l, t, r, b] = wanted.sides;
      wanted.sides.forEach((side, i) => {
        expect(targets.distances[4 * place + i]).toBeCloseTo(side, 3);
      });
      const ratio = (p: number, q: number): number => Math.min(p, q) / Math.max(p, q);
      expect(targets.centerness[place]).toBeCloseTo(Math.sqrt(ratio(l, r) * ratio(t, b)), 5);
    });
    expect(targets.positives).toBe(positives);
    expect(positives).toBeGreaterThan(20);
  }
});

/** Outputs of a network that answers what it should, or nothing. */
function perfect(boxes: Float64Array, classes: number[]): FcosOutputs {
  const targets = fcosTargets(levels, boxes, classes);
  let first = 0;
  const outputs = {
    classes: [] as Float32Array[],
    distances: [] as Float32Array[],
    centerness: [] as Float32Array[],
  };
  for (const { height, width } of levels) {
    const area = height * width;
    const own = Array.from({ length: area }, (_, i) => first + i);
    outputs.classes.push(
      Float32Array.from({ length: CLASSES * area }, (_, i) =>
        targets.classes[own[i % area]!] === Math.floor(i / area) ? 4 : -12,
      ),
    );
    outputs.distances.push(
      Float32Array.from(
        { length: 4 * area },
        (_, i) => targets.distances[4 * own[i % area]! + Math.floor(i / area)]!,
      ),
    );
    outputs.centerness.push(
      Float32Array.from(own, (place) => {
        const c = Math.min(0.999, Math.max(0.001, targets.centerness[place]!));
        return Math.log(c / (1 - c));
      }),
    );
    first += area;
  }
  return outputs;
}

describe("detections", () => {
  test("perfect answers give the objects again, each once, with their classes", () => {
    for (let seed = 1; seed <= 5; seed++) {
      const { boxes, classes } = objects(seed);
      // An object that all of its places leave to smaller ones cannot be found.
      const told = new Set(fcosTargets(levels, boxes, classes).classes);
      expect(told.size).toBeGreaterThan(1);
      const found = decodeFcos(perfect(boxes, classes), levels, [HEIGHT, WIDTH]);
      expect(found.length).toBeGreaterThanOrEqual(4);
      for (const { box, class: label } of found) {
        const ious = pairwiseIou(Float64Array.from(box), boxes);
        const best = ious.indexOf(Math.max(...ious));
        expect(ious[best]).toBeGreaterThan(0.99);
        expect(classes[best]).toBe(label);
      }
      expect(new Set(found.map(({ box }) => box.map(Math.round).join())).size).toBe(found.length);
      expect(found.map(({ score }) => score)).toEqual(found.map(({ score }) => score).sort((a, b) => b - a));
    }
  });

  test("boxes end at the picture; limits are kept", () => {
    const { boxes, classes } = objects(2);
    const outputs = perfect(boxes, classes);
    for (const { box } of decodeFcos(outputs, levels, [100, 120])) {
      expect(Math.max(box[0], box[2])).toBeLessThanOrEqual(120);
      expect(Math.max(box[1], box[3])).toBeLessThanOrEqual(100);
    }
    expect(decodeFcos(outputs, levels, [HEIGHT, WIDTH], { ...FCOS_DECODING, most: 2 })).toHaveLength(2);
    expect(decodeFcos(outputs, levels, [HEIGHT, WIDTH], { ...FCOS_DECODING, minScore: 0.99 })).toEqual([]);
    // One place of each level at most.
    expect(
      decodeFcos(outputs, levels, [HEIGHT, WIDTH], { ...FCOS_DECODING, perLevel: 1 }).length,
    ).toBeLessThanOrEqual(levels.length);
  });
});
