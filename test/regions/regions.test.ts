// Boxes, proposals, features and detections of graphs against plain code.
import { describe, expect, test } from "vitest";
import { ANCHORS, anchorBoxes, anchorLevels } from "../../src/detection/anchors.ts";
import { encodeBox, STAGE_STDS } from "../../src/detection/box-coding.ts";
import { pairwiseIou } from "../../src/detection/boxes.ts";
import { suppress } from "../../src/detection/nms.ts";
import { createGraph } from "../../src/graph/graph.ts";
import { graphToModel } from "../../src/graph/onnx.ts";
import { encodeModel } from "../../src/graph/onnx-proto.ts";
import { roiAlign } from "../../src/graph/ops/roi-align.ts";
import { constant, input, type Value } from "../../src/graph/value.ts";
import { uniformRandom } from "../../src/random/random.ts";
import {
  anchorGrid,
  decodeBoxes,
  encodeBoxes,
  pairwiseOverlaps,
  pictureLimit,
} from "../../src/regions/boxes.ts";
import { finalDetections } from "../../src/regions/detections.ts";
import { proposals } from "../../src/regions/proposals.ts";
import { pyramidFeatures } from "../../src/regions/pyramid-features.ts";
import { sampleRegions } from "../../src/regions/sampling.ts";
import { openSession } from "../../src/runtime/node.ts";
import { type Tensor, tensor } from "../../src/tensor/tensor.ts";

const EXTENTS = ["continuous", "pixels"] as const;

async function run(
  outputs: Readonly<Record<string, Value>>,
  feeds: Readonly<Record<string, Tensor>> = {},
  inputs: readonly Value[] = [],
): Promise<Record<string, Tensor>> {
  const model = graphToModel(createGraph(inputs, outputs), { name: "regions" });
  await using session = await openSession(encodeModel(model), { device: "cpu", threads: 1 });
  return await session.run(feeds);
}

const floats = (shape: readonly number[], values: ArrayLike<number>): Tensor =>
  tensor("float32", shape, Float32Array.from(values));
const fixed = (shape: readonly number[], values: ArrayLike<number>): Value => constant(floats(shape, values));

/** Boxes of 10 to 90 pixels in a picture of 320×240. */
function randomBoxes(count: number, random: () => number): number[] {
  return Array.from({ length: count }, () => {
    const [w, h] = [10 + 80 * random(), 10 + 80 * random()];
    const [x, y] = [(320 - w) * random(), (240 - h) * random()];
    return [x, y, x + w, y + h];
  }).flat();
}

const numbers = ({ data }: Tensor): number[] => Array.from(data as Float32Array);

describe.each(EXTENTS)("boxes counted as %s", (extent) => {
  test("anchors of a graph are those of the plain code", async () => {
    const levels = anchorLevels(96, 160, 5);
    const outputs = Object.fromEntries(
      levels.map(({ height, width, stride }, l) => {
        const map = fixed([1, 2, height, width], new Float32Array(2 * height * width));
        return [`a${l}`, anchorGrid(map, stride, { ...ANCHORS, extent })];
      }),
    );
    const found = await run(outputs);
    const ours = levels.flatMap((_, l) => numbers(found[`a${l}`]!));
    expect(ours).toEqual(Array.from(anchorBoxes(levels, { ...ANCHORS, extent })));
  });

  test("boxes decoded from their coding are the boxes; graph and plain code write the same", async () => {
    const random = uniformRandom(3);
    const [from, to] = [randomBoxes(40, random), randomBoxes(40, random)];
    const coding = { stds: STAGE_STDS[1], extent };
    const [a, b] = [fixed([40, 4], from), fixed([40, 4], to)];
    const coded = encodeBoxes(a, b, coding);
    const found = await run({ coded, back: decodeBoxes(a, coded, coding) });
    numbers(found["back"]!).forEach((side, i) => {
      expect(side).toBeCloseTo(to[i]!, 2);
    });
    const plain = Array.from({ length: 40 }, (_, i) =>
      encodeBox(from.slice(4 * i, 4 * i + 4), to.slice(4 * i, 4 * i + 4), coding),
    ).flat();
    numbers(found["coded"]!).forEach((value, i) => {
      expect(value).toBeCloseTo(plain[i]!, 3);
    });
  });

  test("overlaps", async () => {
    const random = uniformRandom(4);
    const [a, b] = [randomBoxes(30, random), randomBoxes(7, random)];
    const { iou } = pairwiseOverlaps(fixed([1, 30, 4], a), fixed([1, 7, 4], b), extent);
    const plain = pairwiseIou(Float32Array.from(a), Float32Array.from(b), extent);
    numbers((await run({ iou }))["iou"]!).forEach((value, i) => {
      expect(value).toBeCloseTo(plain[i]!, 5);
    });
  });

  test("detections: suppression within each class, the best of all", async () => {
    const random = uniformRandom(6);
    const [regions, classes] = [80, 3];
    const boxes = randomBoxes(regions, random);
    const scores = Array.from({ length: regions * classes }, () => random());
    const options = { minScore: 0.3, nms: 0.4, most: 25, extent };
    const found = await run({
      ...finalDetections(fixed([1, regions, 4], boxes), fixed([1, regions, classes], scores), options),
    });
    const rows = scores
      .map((score, i) => ({ score, region: Math.floor(i / classes), label: i % classes }))
      .filter(({ score }) => score > 0.3);
    const kept = suppress(
      Float64Array.from(rows.flatMap(({ region }) => boxes.slice(4 * region, 4 * region + 4))),
      rows.map(({ score }) => score),
      { threshold: 0.4, classes: rows.map(({ label }) => label), most: 25, extent },
    ).map((i) => rows[i]!);
    expect(kept).toHaveLength(25);
    kept.forEach(({ score, region, label }, i) => {
      expect(found["scores"]!.data[i]).toBeCloseTo(score, 6);
      expect(found["classes"]!.data[i]).toBe(label);
      const sides = numbers(found["boxes"]!).slice(4 * i, 4 * i + 4);
      expect(sides).toEqual(numbers(floats([4], boxes.slice(4 * region, 4 * region + 4))));
    });
  });

  test("proposals: the best of each level, without those that say the same; the rest has no score", async () => {
    const random = uniformRandom(8);
    const sizes = [60, 25];
    const levels = sizes.map((count) => ({
      boxes: randomBoxes(count, random),
      logits: Array.from({ length: count }, () => 4 * random() - 2),
    }));
    const picture = input("x", "float32", [1, 3, 240, 320]);
    const { boxes, scores } = proposals(
      levels.map(({ boxes: anchors, logits }, l) => ({
        anchors: fixed([sizes[l]!, 4], anchors),
        objectness: fixed([1, sizes[l]!], logits),
        differences: fixed([1, sizes[l]!, 4], new Float32Array(4 * sizes[l]!)),
      })),
      pictureLimit(picture, extent),
      { perLevel: 40, most: 70, nms: 0.5, extent },
    );
    const found = await run({ boxes, scores }, { x: tensor("float32", [1, 3, 240, 320]) }, [picture]);
    const wanted = levels
      .flatMap(({ boxes: all, logits }) => {
        const order = logits.map((_, i) => i).sort((a, b) => logits[b]! - logits[a]!);
        const best = order.slice(0, 40);
        const kept = suppress(
          Float64Array.from(best.flatMap((i) => all.slice(4 * i, 4 * i + 4))),
          best.map((i) => logits[i]!),
          { threshold: 0.5, extent },
        );
        return kept.map((k) => ({ score: 1 / (1 + Math.exp(-logits[best[k]!]!)), x1: all[4 * best[k]!]! }));
      })
      .sort((a, b) => b.score - a.score);
    const ours = numbers(found["scores"]!);
    expect(wanted.length).toBeLessThan(65);
    wanted.forEach(({ score, x1 }, i) => {
      expect(ours[i]).toBeCloseTo(score, 5);
      expect(found["boxes"]!.data[4 * i]).toBeCloseTo(x1, 3);
    });
    expect(ours.slice(wanted.length).every((score) => score < 0)).toBe(true);
  });
});

test("each region has the features of the level that fits its size", async () => {
  const random = uniformRandom(9);
  const maps = [0, 1, 2, 3].map((l) => {
    const [height, width] = [64 / 2 ** l, 96 / 2 ** l];
    return fixed([1, 2, height, width], Float32Array.from({ length: 2 * height * width }, random));
  });
  // Sides that belong to levels 0, 0, 1, 2, 3, 3.
  const sides = [20, 111, 113, 230, 450, 2000];
  const boxes = sides.flatMap((side) => [3, 5, 3 + side, 5 + side]);
  const pictures = (count: number): Value => constant(tensor("int64", [count], new BigInt64Array(count)));
  for (const samples of [0, 2]) {
    const regions = fixed([1, sides.length, 4], boxes);
    const all = pyramidFeatures(maps, regions, { bins: 7, samples, extent: "continuous" });
    const alone = sides.map((_, i) => {
      const level = [0, 0, 1, 2, 3, 3][i]!;
      return roiAlign(maps[level]!, fixed([1, 4], boxes.slice(4 * i, 4 * i + 4)), pictures(1), {
        output: [7, 7],
        spatialScale: 1 / (4 * 2 ** level),
        samples,
        aligned: true,
      });
    });
    const found = await run({ all, ...Object.fromEntries(alone.map((value, i) => [`r${i}`, value])) });
    expect(numbers(found["all"]!)).toEqual(sides.flatMap((_, i) => numbers(found[`r${i}`]!)));
  }
});

describe("regions drawn to learn from", () => {
  const random = uniformRandom(12);
  const [count, objects] = [120, 5];
  const truth = randomBoxes(objects, random);
  const classes = [2, 0, -2, 1, -1]; // the third is not asked, the fifth none
  // Some proposals around each object, others anywhere.
  const around = Array.from({ length: 60 }, (_, i) => {
    const box = truth.slice(4 * (i % 5), 4 * (i % 5) + 4);
    return box.map((side) => side + 16 * (random() - 0.5));
  }).flat();
  const boxes = [...around, ...randomBoxes(60, random)];
  const valid = Array.from({ length: count }, (_, i) => (i % 10 === 9 ? 0 : 1));

  async function draw(positives: number, seed: number) {
    const next = uniformRandom(seed);
    const regions = sampleRegions(
      { boxes: fixed([1, count, 4], boxes), valid: fixed([1, count], valid) },
      { boxes: fixed([1, objects, 4], truth), classes: fixed([1, objects], classes) },
      fixed([1, count + objects], Float32Array.from({ length: count + objects }, next)),
      { positiveIou: 0.5, count: 64, positives, extent: "continuous" },
    );
    const found = await run({ ...regions });
    const rows = Array.from({ length: 64 }, (_, i) => ({
      box: numbers(found["boxes"]!).slice(4 * i, 4 * i + 4),
      positive: found["positive"]!.data[i],
      weight: found["weights"]!.data[i],
      label: found["classes"]!.data[i],
      object: Number(found["objects"]!.data[i]),
    }));
    return rows;
  }
  const iouWith = (box: number[], object: number): number =>
    pairwiseIou(Float32Array.from(box), Float32Array.from(truth.slice(4 * object, 4 * object + 4)))[0]!;

  test("positives overlap their object, negatives none that is asked, and nothing of what nobody knows", async () => {
    const rows = await draw(16, 1);
    expect(rows.filter(({ positive }) => positive === 1)).toHaveLength(16);
    expect(rows.slice(0, 16).every(({ positive }) => positive === 1)).toBe(true);
    for (const { box, positive, weight, label, object } of rows) {
      if (weight === 0) continue;
      const best = Math.max(...[0, 1, 3].map((g) => iouWith(box, g)));
      if (positive === 1) {
        expect(iouWith(box, object)).toBeGreaterThanOrEqual(0.5);
        expect(iouWith(box, object)).toBe(best);
        expect(label).toBe(classes[object]);
      } else {
        expect(best).toBeLessThan(0.5);
        expect(iouWith(box, 2)).toBeLessThan(0.9);
      }
    }
  });

  test("without positives enough, negatives make up the number; draws decide", async () => {
    const many = await draw(60, 1);
    const shown = many.filter(({ positive }) => positive === 1).length;
    expect(shown).toBeGreaterThan(20);
    expect(shown).toBeLessThan(60);
    expect(many.filter(({ weight }) => weight === 1)).toHaveLength(64);
    const boxesOf = (rows: typeof many): string => rows.map(({ box }) => box.join()).join(";");
    expect(boxesOf(await draw(16, 1))).toBe(boxesOf(await draw(16, 1)));
    expect(boxesOf(await draw(16, 1))).not.toBe(boxesOf(await draw(16, 2)));
  });
});
