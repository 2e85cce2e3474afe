// From annotation files to batches: mapping of keypoints, MPII's and COCO's rules, broken pictures, threads.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type BatchLoaderOptions, openBatchLoader } from "../../src/data/batch-loader.ts";
import { encodeImage } from "../../src/image/encode.ts";
import { createPictureReader } from "../../src/image/picture-reader.ts";
import { rgbImage } from "../../src/image/rgb-image.ts";
import { augmentationSchema } from "../../src/pose/augment.ts";
import { COCO_17, MPII_16, skeletonByName } from "../../src/skeleton/skeletons.ts";
import { bytesOf } from "../../src/tensor/tensor.ts";
import { preparePoseSamples } from "../../src/training-data/pose-samples.ts";
import { keypointMapping, readTrainingPersons } from "../../src/training-data/pose-sets.ts";
import { packPersons, personOf, type TrainingPerson } from "../../src/training-data/pose-table.ts";
import { expectNear } from "../helpers/near.ts";
import { fixture } from "../helpers/shared.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "hrnet-pose-samples-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const geometry = { skeleton: COCO_17, inputSize: [96, 128], heatmapSize: [24, 32] } as const;

/** A picture whose red is its number and whose green is the column, and a person in it. */
async function writePerson(n: number): Promise<TrainingPerson> {
  const image = rgbImage(120, 128);
  for (let i = 0; i < 120 * 128; i++) image.data.set([10 * n, i % 120, 0], 3 * i);
  const imagePath = join(folder, `picture-${n}.png`);
  writeFileSync(imagePath, await encodeImage(image, "png"));
  const keypoints = Array.from({ length: 17 }, (_, k) => [20 + 4 * k, 30 + 3 * k, 1]).flat();
  return { imagePath, region: { center: [60, 64], scale: [96, 128] }, keypoints };
}

describe("batches", () => {
  const persons: TrainingPerson[] = [];
  beforeAll(async () => {
    for (let n = 0; n < 6; n++) persons.push(await writePerson(n));
    writeFileSync(persons[4]!.imagePath, "no picture");
    rmSync(persons[5]!.imagePath);
  });
  const load = async (more: Partial<BatchLoaderOptions>, augmented = false) => {
    const samples = await preparePoseSamples(
      [{ persons: persons.slice(0, 2) }, { persons: persons.slice(2), repeat: 2 }],
      {
        ...geometry,
        codec: "quarter-offset",
        ...(augmented
          ? {
              augmentation: augmentationSchema.parse({
                scaleFactor: 0.3,
                rotationFactor: 40,
                flipProbability: 0.5,
              }),
            }
          : {}),
      },
    );
    const lines: string[] = [];
    await using loader = await openBatchLoader({
      ...samples,
      batchSize: 5,
      seed: 3,
      workers: 0,
      shuffle: false,
      onProblem: (line) => lines.push(line),
      ...more,
    });
    const batches = [];
    for await (const { waitedMs, ...batch } of loader.batches(0)) batches.push(batch);
    return { batches, lines };
  };

  test("hold each person's picture, targets and weights; pictures that cannot be read are replaced", async () => {
    const { batches, lines } = await load({});
    expect(batches.flatMap(({ indices }) => [...indices])).toEqual([0, 1, 2, 3, 0, 0, 2, 3, 0, 0]);
    expect(lines.length).toBe(2);
    expect(lines.join()).toMatch(/picture-4\.png.*picture-5\.png|picture-5\.png.*picture-4\.png/);
    const { feeds, notes, indices } = batches[0]!;
    expect(
      Object.entries(feeds).map(([name, { dtype, shape }]) => `${name} ${dtype} ${shape.join("×")}`),
    ).toEqual(["image uint8 5×3×128×96", "target float32 5×17×32×24", "weight float32 5×17"]);
    const image = feeds["image"]!.data as Uint8Array;
    const target = feeds["target"]!.data as Float32Array;
    indices.forEach((index, n) => {
      const at = n * 3 * 96 * 128 + 40 * 96 + 20;
      expect([image[at], image[at + 96 * 128]]).toEqual([10 * index, 20 + 12]); // the crop begins at column 12
      const nose = target.subarray(n * 17 * 24 * 32, n * 17 * 24 * 32 + 24 * 32);
      expect(nose.indexOf(1)).toBe(Math.trunc(30 / 4 + 0.5) * 24 + Math.trunc((20 - 12) / 4 + 0.5));
    });
    expect([...feeds["weight"]!.data]).toEqual(Array(85).fill(1));
    expectNear((notes["keypoints"]!.data as Float32Array).subarray(0, 6), [8, 30, 1, 12, 33, 1], 1e-5);
    expectNear(notes["crop"]!.data.subarray(0, 6) as Float64Array, [1, 0, -12, 0, 1, 0], 1e-12);
  });

  test("are equal from threads, augmented and shuffled", async () => {
    const inline = await load({ shuffle: true }, true);
    const threads = await load({ shuffle: true, workers: 2 }, true);
    expect(threads.batches.map(({ indices }) => [...indices])).toEqual(
      inline.batches.map(({ indices }) => [...indices]),
    );
    for (const [b, { feeds, notes }] of threads.batches.entries()) {
      const same = { ...inline.batches[b]!.feeds, ...inline.batches[b]!.notes };
      for (const [name, { data }] of Object.entries({ ...feeds, ...notes })) {
        expect(Buffer.compare(bytesOf(data), bytesOf(same[name]!.data)), name).toBe(0);
      }
    }
    expect(threads.lines.sort()).toEqual(inline.lines.sort());
  });
});

describe("training sets", () => {
  test("MPII: regions and joints equal the official _get_db", async () => {
    const given = JSON.parse(readFileSync(fixture("prepost", "mpii_db.json"), "utf8")) as {
      annot: object[];
      db: { center: number[]; scale: number[]; joints: number[][]; vis: number[][] }[];
    };
    const annotations = join(folder, "mpii.json");
    writeFileSync(annotations, JSON.stringify(given.annot));
    const { persons } = await readTrainingPersons(
      { format: "mpii", annotations, images: folder },
      { skeleton: MPII_16, inputSize: [256, 256] },
    );
    expect(persons.length).toBe(given.db.length);
    const table = packPersons(persons, 16);
    for (const [n, expected] of given.db.entries()) {
      const person = personOf(table, n);
      expectNear(person.center, expected.center, 1e-4);
      expectNear(
        person.scale.map((side) => side / 200),
        expected.scale,
        1e-6,
      );
      for (const [j, [x, y]] of expected.joints.entries()) {
        if (expected.vis[j]![0] === 0) continue;
        expectNear(person.keypoints.subarray(2 * j, 2 * j + 2), [x!, y!], 1e-4);
      }
      expectNear(
        person.visibility,
        expected.vis.map(([v]) => v!),
        0,
      );
    }
  });

  const coco = (names: readonly string[], points: readonly number[]) => ({
    images: [{ id: 1, file_name: "a.png", width: 100, height: 100 }],
    annotations: [
      {
        id: 1,
        image_id: 1,
        category_id: 1,
        bbox: [10, 20, 31, 41],
        area: 900,
        iscrowd: 0,
        keypoints: points,
      },
    ],
    categories: [{ id: 1, name: "person", keypoints: names, skeleton: [] }],
  });
  const write = (json: object): string => {
    mkdirSync(folder, { recursive: true });
    const path = join(folder, "coco.json");
    writeFileSync(path, JSON.stringify(json));
    return path;
  };

  test("COCO: another set of keypoints is mapped by name", async () => {
    const lsp = skeletonByName("lsp-14");
    const points = lsp.keypoints.flatMap((_, k) => [k, 2 * k, k === 0 ? 0 : 2]);
    const annotations = write(coco(lsp.keypoints, points));
    const found = await readTrainingPersons({ format: "coco", annotations, images: "pictures" }, geometry);
    expect(found.unlabelled).toEqual(["nose", "left_eye", "right_eye", "left_ear", "right_ear"]);
    expect(found.unused).toEqual(["neck", "head_top"]);
    const [person] = found.persons;
    expect(person!.imagePath).toBe(join("pictures", "a.png"));
    // The box loses its last pixel, 30×40 fits 3:4, times 1.25.
    expect(person!.region).toEqual({ center: [25, 40], scale: [37.5, 50] });
    COCO_17.keypoints.forEach((name, k) => {
      const from = lsp.keypoints.indexOf(name);
      expect(person!.keypoints.slice(3 * k, 3 * k + 3)).toEqual(
        from < 0 ? [0, 0, 0] : [from, 2 * from, from === 0 ? 0 : 1],
      );
    });
  });

  test("nobody left to train on, and no keypoint in common, are errors", async () => {
    const names = ["nose", "neck", "tail"];
    const unlabelled = write(coco(names, [0, 0, 0, 5, 5, 2, 0, 0, 0])); // only the neck
    const set = { format: "coco", annotations: unlabelled, images: folder } as const;
    await expect(readTrainingPersons(set, geometry)).rejects.toMatchObject({
      code: "invalid-data",
      message: expect.stringContaining("1 persons without"),
    });
    const annotations = write(coco(["paw", "tail"], [1, 1, 2, 2, 2, 2]));
    await expect(readTrainingPersons({ ...set, annotations }, geometry)).rejects.toMatchObject({
      code: "invalid-config",
      message: expect.stringContaining("paw"),
    });
    expect(keypointMapping(MPII_16, COCO_17).filter((index) => index >= 0).length).toBe(12);
  });

  test("persons that do not fit are refused when packed", () => {
    const person = { imagePath: "a.png", region: { center: [1, 1], scale: [2, 2] } } as const;
    expect(() => packPersons([{ ...person, keypoints: [1, 2] }], 1)).toThrow(/a\.png has 2 keypoint numbers/);
    expect(() => packPersons([{ ...person, keypoints: [1, Number.NaN, 1] }], 1)).toThrow(/finite/);
    expect(() => packPersons([{ ...person, keypoints: [1, 1, 1], keypointWeights: [] }], 1)).toThrow(
      /0 weights/,
    );
    const table = packPersons([{ ...person, keypoints: [1, 1, 2], keypointWeights: [0.5], weight: 3 }], 1);
    expect([...personOf(table, 0).weights!]).toEqual([1.5]);
  });
});

test("the picture reader keeps what fits and reads the rest again", async () => {
  const paths = await Promise.all([7, 8].map(async (n) => (await writePerson(n)).imagePath));
  const read = createPictureReader({ cacheBytes: 3 * 120 * 128 });
  const [first, second] = [await read(paths[0]!), await read(paths[1]!)];
  expect(await read(paths[0]!)).toBe(first);
  expect(await read(paths[1]!)).not.toBe(second);
  expect(await read(paths[1]!)).toEqual(second);
});
