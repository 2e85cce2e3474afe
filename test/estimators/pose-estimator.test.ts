// PoseEstimator: pictures and boxes in, persons out; streams, failures, endings; real weights where they are.

import { readFileSync } from "node:fs";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PoseEstimator, type PoseEstimatorOptions } from "../../src/estimators/pose-estimator.ts";
import { type RunnableModel, toOnnx } from "../../src/model-file/onnx-model.ts";
import { randomPoseModel } from "../helpers/pose-model.ts";
import { hasShared, shared } from "../helpers/shared.ts";
import { drawnPerson } from "../helpers/synthetic-data.ts";

const model: RunnableModel = toOnnx(randomPoseModel());
const { image } = drawnPerson(120, 160);
const BOXES = [
  [10, 10, 50, 90],
  [30, 40, 80, 100],
  [5, 60, 60, 60],
] as const;

let estimator: PoseEstimator;
beforeAll(async () => {
  estimator = await PoseEstimator.load(model, { detector: null });
});
afterAll(() => estimator.dispose());

async function withOptions<T>(
  options: PoseEstimatorOptions,
  use: (other: PoseEstimator) => Promise<T>,
): Promise<T> {
  await using other = await PoseEstimator.load(model, options);
  return await use(other);
}

describe("estimate", () => {
  test("one person per box in their order; without boxes or detector the whole picture", async () => {
    const persons = await estimator.estimate(image, { boxes: BOXES });
    expect(persons.map(({ box }) => box)).toEqual(BOXES);
    expect(persons[0]!.keypoints.map(({ name }) => name)).toEqual(estimator.skeleton.keypoints);
    const [whole] = await estimator.estimate(image);
    expect(whole).toEqual((await estimator.estimate(image, { boxes: [[0, 0, 120, 160]] }))[0]);
    expect(await estimator.estimate(image, { boxes: [] })).toEqual([]);
  });

  test("encoded pictures, paths' bytes and raw pixels give the same", async () => {
    const { width, height, data } = image;
    const png = await sharp(data, { raw: { width, height, channels: 3 } })
      .png()
      .toBuffer();
    expect(await estimator.estimate(png)).toEqual(await estimator.estimate(image));
  });

  test("sessions side by side give the same persons in the same order", async () => {
    const expected = await estimator.estimate(image, { boxes: BOXES });
    const shared = await withOptions({ sessions: 3, threads: 3 }, (other) =>
      other.estimate(image, { boxes: BOXES }),
    );
    expect(shared.map(({ box }) => box)).toEqual(BOXES);
    shared.forEach(({ keypoints }, n) => {
      keypoints.forEach(({ x, y }, k) => {
        expect([x, y]).toEqual([expected[n]!.keypoints[k]!.x, expected[n]!.keypoints[k]!.y]);
      });
    });
  });

  test("batches of any size give the same persons", async () => {
    const expected = await estimator.estimate(image, { boxes: BOXES });
    const batched = await withOptions({ batchSize: 2 }, (other) => other.estimate(image, { boxes: BOXES }));
    batched.forEach(({ keypoints }, n) => {
      keypoints.forEach(({ x, y, score }, k) => {
        const wanted = expected[n]!.keypoints[k]!;
        expect([x, y]).toEqual([wanted.x, wanted.y]);
        expect(score).toBeCloseTo(wanted.score, 5);
      });
    });
  });

  test("with the flip test a mirrored picture gives the mirrored person", async () => {
    // By UDP, whose crops and flips are exactly symmetric about the middle of this box; unrefined, as maxima of random
    // heatmaps have no curvature to rely on.
    const udp = {
      ...model,
      description: { ...model.description, codec: { name: "udp", refinement: "none" } as const },
    };
    const raw = { width: 120, height: 160, channels: 3 } as const;
    const data = await sharp(image.data, { raw }).flop().raw().toBuffer();
    const boxes = [[0, 0, 119, 159]] as const;
    await using other = await PoseEstimator.load(udp, { flipTest: true });
    const [plain] = await other.estimate(image, { boxes });
    const [mirrored] = await other.estimate({ width: 120, height: 160, data }, { boxes });
    const swapped = (name: string): string =>
      name.startsWith("left_") ? name.replace("left", "right") : name.replace("right_", "left_");
    const found = plain!.keypoints.filter(({ score }) => score > 0); // the rest has no place
    expect(found.length).toBeGreaterThan(4);
    for (const { name, x, y, score } of found) {
      const twin = mirrored!.keypoints.find((keypoint) => keypoint.name === swapped(name))!;
      expect(Math.abs(119 - twin.x - x), name).toBeLessThan(0.2);
      expect(Math.abs(twin.y - y), name).toBeLessThan(0.2);
      expect(twin.score).toBeCloseTo(score, 3);
    }
  });

  test("a detector supplies boxes; one person found twice is kept once", async () => {
    const detector = () => [
      { box: [10, 10, 50, 90] as const, score: 0.9 },
      { box: [10, 10, 50, 90] as const, score: 0.5 },
    ];
    const persons = await withOptions({ detector }, (other) => other.estimate(image));
    expect(persons).toHaveLength(1);
    const both = await withOptions({ detector, oksThreshold: 1 }, (other) => other.estimate(image));
    expect(both).toHaveLength(2);
  });

  test("wrong boxes and wrong options are named", async () => {
    for (const boxes of [[[0, 0, 0, 5]], [[Number.NaN, 0, 5, 5]], [[500, 0, 5, 5]]] as const) {
      await expect(estimator.estimate(image, { boxes })).rejects.toMatchObject({ code: "invalid-data" });
    }
    await expect(PoseEstimator.load(model, { batchSize: 0 })).rejects.toMatchObject({ code: "usage" });
    const segmentation = { ...model, description: { ...model.description, task: "segmentation" as const } };
    await expect(PoseEstimator.load(segmentation)).rejects.toThrow(/segmentation network/);
  });

  test("cancelling and disposing", async () => {
    const controller = new AbortController();
    const running = estimator.estimate(image, { signal: controller.signal });
    controller.abort();
    await expect(running).rejects.toMatchObject({ code: "aborted" });
    const other = await PoseEstimator.load(model, { detector: null });
    await other.dispose();
    await expect(other.estimate(image)).rejects.toMatchObject({ code: "usage" });
  });
});

describe("stream", () => {
  test("results in order, with the item; a picture that cannot be used yields its error", async () => {
    const items = [
      { image, boxes: [BOXES[0]], id: "a" },
      { image: new Uint8Array(0), id: "empty" },
      { image, boxes: [[0, 0, -1, 5]] as const, id: "wrong box" },
      { image, id: "b" },
    ];
    const seen: string[] = [];
    for await (const result of estimator.stream(items)) {
      const outcome = "error" in result ? result.error.code : `${result.persons.length}`;
      seen.push(`${result.index} ${result.item.id}: ${outcome}`);
    }
    expect(seen).toEqual(["0 a: 1", "1 empty: invalid-image", "2 wrong box: invalid-data", "3 b: 1"]);
  });

  test("equals single calls", async () => {
    const [expected] = await estimator.estimate(image);
    for await (const result of estimator.stream([image, image])) {
      expect("persons" in result && result.persons).toEqual([expected]);
    }
  });

  test("what would fail every picture ends the stream", async () => {
    const broken = await PoseEstimator.load(model, {
      detector: () => {
        throw new TypeError("detector broke");
      },
    });
    const run = async (which: PoseEstimator) => {
      for await (const _ of which.stream([image, image, image]));
    };
    await expect(run(broken)).rejects.toThrow("detector broke");
    await broken.dispose();
    await expect(run(broken)).rejects.toThrow();
    const disposed = await PoseEstimator.load(model, { detector: null });
    await disposed.dispose();
    await expect(run(disposed)).rejects.toMatchObject({ code: "usage" });
  });

  test("cancelling ends it", async () => {
    const controller = new AbortController();
    function* endless() {
      for (;;) yield image;
    }
    const run = async () => {
      for await (const { index } of estimator.stream(endless(), { signal: controller.signal })) {
        if (index === 3) controller.abort();
      }
    };
    await expect(run()).rejects.toMatchObject({ code: "aborted" });
    expect(await estimator.estimate(image)).toHaveLength(1);
  });
});

const CHECKPOINT = ["weights", "wider_naive_litehrnet_18_coco_256x192.pth"];

/** One crop of `reference.json`, computed in Python from the same weights. */
interface Reference {
  readonly file: string;
  readonly center: readonly [number, number];
  /** With the factor 1.25 of the crop. */
  readonly box_size_w_h: readonly [number, number];
  readonly keypoints_image_xy: readonly (readonly [number, number])[];
}

test.skipIf(!hasShared(...CHECKPOINT) || !hasShared("data", "coco-sample"))(
  "real weights give the keypoints that an independent pipeline found",
  async () => {
    const path = shared("weights", "reference", "256x192", "reference.json");
    const { items } = JSON.parse(readFileSync(path, "utf8")) as { items: Reference[] };
    await using real = await PoseEstimator.load(shared(...CHECKPOINT), { flipTest: true });
    let compared = 0;
    for (const { file, center, box_size_w_h: size, keypoints_image_xy: expected } of items) {
      const [w, h] = [size[0] / 1.25, size[1] / 1.25];
      const box = [center[0] - w / 2, center[1] - h / 2, w, h] as const;
      const [person] = await real.estimate(shared("data", "coco-sample", file), { boxes: [box] });
      const cell = size[1] / 64; // of the heatmap, in image pixels
      person!.keypoints.forEach(({ x, y, score }, k) => {
        if (score < 0.5) return;
        compared++;
        const [wantedX, wantedY] = expected[k]!;
        // The reference crops and decodes by UDP and DARK, this by the official affine and quarter offset.
        expect(Math.hypot(x - wantedX, y - wantedY)).toBeLessThan(cell);
      });
    }
    expect(compared).toBeGreaterThan(40);
  },
);
