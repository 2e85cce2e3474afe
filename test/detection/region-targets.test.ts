// Samples of two-stage detectors: anchors by definition, masks on the pixels of their objects whatever is drawn.
import { expect, test } from "vitest";
import { ANCHORS, anchorBoxes, anchorLevels } from "../../src/detection/anchors.ts";
import { type BoxExtent, pairwiseIou } from "../../src/detection/boxes.ts";
import { MASK_CELLS } from "../../src/detection/region-targets.ts";
import type { SampleArrays } from "../../src/detection/target-writer.ts";
import { createDetectionSampleMaker, type MaskedObject } from "../../src/detection/training-samples.ts";
import { rgbImage } from "../../src/image/rgb-image.ts";
import { uniformRandom } from "../../src/random/random.ts";

const [HEIGHT, WIDTH] = [128, 192];
const SIZE = { width: 240, height: 160 };
const OBJECTS = 4;

/** A disc in its box: red. Crowds have no mask of their own. */
function disc(x: number, y: number, side: number, label: number): MaskedObject & { mask: () => Uint8Array } {
  return {
    box: [x, y, side, side],
    class: label,
    ignored: false,
    mask: () =>
      Uint8Array.from({ length: SIZE.width * SIZE.height }, (_, i) => {
        const [dx, dy] = [
          (i % SIZE.width) + 0.5 - x - side / 2,
          Math.floor(i / SIZE.width) + 0.5 - y - side / 2,
        ];
        return dx * dx + dy * dy < (side / 2) ** 2 ? 1 : 0;
      }),
  };
}
const discs = [disc(20, 30, 70, 1), disc(150, 60, 50, 0)];
const crowd: MaskedObject = { box: [100, 0, 60, 50], class: 0, ignored: true };

function picture() {
  const image = rgbImage(SIZE.width, SIZE.height);
  for (const { mask } of discs)
    mask().forEach((inside, i) => {
      if (inside === 1) image.data[3 * i] = 255;
    });
  return image;
}

const makerOf = (extent: BoxExtent) =>
  createDetectionSampleMaker({
    input: [HEIGHT, WIDTH],
    augmentation: { scales: [0.8, 1.4], flipProbability: 0.5, minVisible: 0.3 },
    targets: {
      kind: "regions",
      levels: 5,
      extent,
      anchors: 64,
      anchorPositives: 32,
      objects: OBJECTS,
      draws: 10,
      masks: true,
      semantic: true,
    },
  });

const maker = makerOf("continuous");

function sample(seed: number, objects: readonly MaskedObject[], { fields, make } = maker): SampleArrays {
  const into: Record<string, Float32Array | Uint8Array> = { image: new Uint8Array(3 * HEIGHT * WIDTH) };
  for (const { name, dtype, shape } of fields) {
    const count = shape.reduce((product, size) => product * size, 1);
    into[name] = dtype === "uint8" ? new Uint8Array(count) : new Float32Array(count);
  }
  make(picture(), objects, uniformRandom(seed), into);
  return into;
}

const anchors = anchorBoxes(anchorLevels(HEIGHT, WIDTH, 5), { ...ANCHORS, extent: "continuous" });

test("masks and classes of pixels lie on the pixels of their objects", () => {
  for (let seed = 1; seed <= 12; seed++) {
    const { image, objectBoxes, objectClasses, objectMasks, pixelClasses } = sample(seed, discs) as Record<
      string,
      Float32Array
    >;
    const inner = MASK_CELLS - 2;
    let wrong = 0;
    let cells = 0;
    for (let g = 0; g < OBJECTS; g++) {
      if (objectClasses![g]! === -1) continue;
      const [x1, y1, x2, y2] = Array.from(objectBoxes!.slice(4 * g, 4 * g + 4)) as [
        number,
        number,
        number,
        number,
      ];
      for (let i = 0; i < inner * inner; i++) {
        const [row, column] = [Math.floor(i / inner), i % inner];
        const x = Math.floor(x1 + ((column + 0.5) / inner) * (x2 - x1));
        const y = Math.floor(y1 + ((row + 0.5) / inner) * (y2 - y1));
        const red = image![y * WIDTH + x]! > 127 && image![HEIGHT * WIDTH + y * WIDTH + x]! < 100;
        const cell = objectMasks![(g * MASK_CELLS + row + 1) * MASK_CELLS + column + 1]! > 127;
        cells++;
        if (red !== cell) wrong++;
      }
      // Around the box there is nothing.
      expect(
        objectMasks!.slice(g * MASK_CELLS ** 2, g * MASK_CELLS ** 2 + MASK_CELLS).every((v) => v === 0),
      ).toBe(true);
    }
    if (cells > 0) expect(wrong / cells).toBeLessThan(0.04); // the discs' edges
    const columns = WIDTH / 8;
    let disagreeing = 0;
    pixelClasses!.forEach((label, i) => {
      const [x, y] = [8 * (i % columns) + 4, 8 * Math.floor(i / columns) + 4];
      const red = image![y * WIDTH + x]! > 127 && image![HEIGHT * WIDTH + y * WIDTH + x]! < 100;
      if (red !== (label === 1 || label === 2)) disagreeing++;
    });
    expect(disagreeing).toBeLessThan(8);
  }
});

test("drawn anchors show what overlaps them, their differences lead there; others are far from everything", () => {
  let positives = 0;
  for (let seed = 1; seed <= 12; seed++) {
    const { anchorLabels, anchorTargets, objectBoxes, objectClasses } = sample(seed, [
      ...discs,
      crowd,
    ]) as Record<string, Float32Array>;
    const asked = Array.from(objectClasses!, (label, g) => ({ label, g })).filter(({ label }) => label >= 0);
    const truth = Float32Array.from(
      asked.flatMap(({ g }) => Array.from(objectBoxes!.slice(4 * g, 4 * g + 4))),
    );
    const iou = pairwiseIou(anchors, truth);
    const count = asked.length;
    const bestOf = asked.map((_, n) => Math.max(...Array.from(anchorLabels!, (_, a) => iou[a * count + n]!)));
    const drawn = Array.from(anchorLabels!).filter((label) => label >= 0).length;
    expect(drawn).toBe(64);
    anchorLabels!.forEach((label, a) => {
      const overlaps = asked.map((_, n) => iou[a * count + n]!);
      const best = Math.max(0, ...overlaps);
      if (label === 0) expect(best).toBeLessThan(0.3);
      if (label !== 1) return;
      positives++;
      const own = overlaps.some((value, n) => value >= 0.7 || (value >= 0.3 && value === bestOf[n]));
      expect(own).toBe(true);
      const [x1, y1, x2, y2] = Array.from(anchors.slice(4 * a, 4 * a + 4)) as [
        number,
        number,
        number,
        number,
      ];
      const [dx, dy, dw, dh] = Array.from(anchorTargets!.slice(4 * a, 4 * a + 4)) as [
        number,
        number,
        number,
        number,
      ];
      const [w, h] = [(x2 - x1) * Math.exp(dw), (y2 - y1) * Math.exp(dh)];
      const [cx, cy] = [(x1 + x2) / 2 + dx * (x2 - x1), (y1 + y2) / 2 + dy * (y2 - y1)];
      const moved = Float32Array.of(cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2);
      expect(Math.max(...pairwiseIou(moved, truth))).toBeGreaterThan(0.999);
    });
    // Nothing is asked of the crowd.
    const [hidden] = Array.from(objectClasses!, (label, g) => ({ label, g })).filter(
      ({ label }) => label === -2,
    );
    if (!hidden) continue;
    const [x1, y1, x2, y2] = Array.from(objectBoxes!.slice(4 * hidden.g, 4 * hidden.g + 4)) as [
      number,
      number,
      number,
      number,
    ];
    anchorLabels!.forEach((label, a) => {
      if (label !== 0) return;
      const w = Math.min(anchors[4 * a + 2]!, x2) - Math.max(anchors[4 * a]!, x1);
      const h = Math.min(anchors[4 * a + 3]!, y2) - Math.max(anchors[4 * a + 1]!, y1);
      const area = (anchors[4 * a + 2]! - anchors[4 * a]!) * (anchors[4 * a + 3]! - anchors[4 * a + 1]!);
      expect((Math.max(0, w) * Math.max(0, h)) / area).toBeLessThan(0.5);
    });
  }
  expect(positives).toBeGreaterThan(30);
});

test("of more objects than there is room for, some are drawn by lot; the same stream gives the same", () => {
  const many = Array.from({ length: 9 }, (_, i) => disc(10 + 22 * i, 40, 20, i % 2));
  const { objectClasses } = sample(3, many);
  expect(objectClasses!.every((label) => label >= 0)).toBe(true);
  expect(sample(3, many)).toEqual(sample(3, many));
});

test("counted by pixels, a box ends with its last pixel", () => {
  const [edges, pixels] = [sample(5, discs), sample(5, discs, makerOf("pixels"))].map(
    ({ objectBoxes }) => objectBoxes!,
  );
  const present = edges!.findLastIndex((side) => side !== 0) + 1;
  expect(present).toBeGreaterThanOrEqual(4);
  for (let i = 0; i < present; i++) expect(edges![i]! - pixels![i]!).toBe(i % 4 < 2 ? 0 : 1);
});
