// Reading COCO data sets: layout, annotations, records, results; and every kind of faulty file.
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseCocoKeypoints, readCocoKeypoints } from "../../src/data/coco.ts";
import { chooseImageFolder, findCocoSplit } from "../../src/data/coco-layout.ts";
import { cleanBox, detectionRecords, groundTruthRecords } from "../../src/data/coco-records.ts";
import { readCocoDetections, readCocoResults, writeCocoResults } from "../../src/data/coco-results.ts";
import { HRNetError } from "../../src/errors.ts";
import { fixture, hasShared, shared } from "../helpers/shared.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "hrnet-coco-"));
});
afterAll(() => rm(folder, { recursive: true }));

const image = { id: 1, file_name: "1.jpg", width: 100, height: 80 };
const category = { id: 1, name: "pin", keypoints: ["left_end", "right_end"], skeleton: [[1, 2]] };
const annotation = {
  id: 10,
  image_id: 1,
  category_id: 1,
  bbox: [10, 10, 20, 30],
  area: 400,
  keypoints: [12, 13, 2, 0, 0, 0],
  num_keypoints: 1,
  iscrowd: 0,
};
const file = (annotations: unknown[] = [annotation], more: object = {}) => ({
  images: [image],
  categories: [category],
  annotations,
  ...more,
});
const codeOf = async (work: () => unknown): Promise<string> => {
  try {
    await work();
    return "nothing thrown";
  } catch (error) {
    return error instanceof HRNetError ? `${error.code}: ${error.message}` : `not ours: ${String(error)}`;
  }
};

describe("annotations", () => {
  test("a file with its own skeleton", () => {
    const dataset = parseCocoKeypoints(file(), "own.json");
    expect(dataset.skeleton.keypoints).toEqual(category.keypoints);
    expect(dataset.skeleton.flipPairs).toEqual([[0, 1]]);
    expect(dataset.annotations[0]).toMatchObject({ id: 10, area: 400, keypointCount: 1, crowd: false });
  });

  test("what other data sets leave out or write otherwise", () => {
    const { area, num_keypoints, iscrowd, ...bare } = annotation;
    const dataset = parseCocoKeypoints(file([bare, { ...bare, id: 11, iscrowd: true }]), "own.json");
    expect(dataset.annotations[0]).toMatchObject({ area: 0.53 * 600, keypointCount: 1, crowd: false });
    expect(dataset.annotations[1]!.crowd).toBe(true);
  });

  test("categories without keypoints are left out", () => {
    const other = { ...annotation, id: 11, category_id: 2, keypoints: undefined };
    const dataset = parseCocoKeypoints(
      file([annotation, other], { categories: [category, { id: 2, name: "bolt" }] }),
      "own.json",
    );
    expect(dataset.annotations).toHaveLength(1);
    expect(dataset.categoryIds).toEqual([1]);
  });

  test.each([
    ["a box with NaN", { bbox: [1, 2, Number.NaN, 4] }, /annotation with id 10 has the bbox/],
    ["a negative width", { bbox: [1, 2, -3, 4] }, /annotation with id 10.*width and height of at least 0/],
    [
      "too few keypoints",
      { keypoints: [1, 2, 2] },
      /annotation with id 10 has the keypoints.*3 entries.*6 finite/,
    ],
    ["an unknown image", { image_id: 9 }, /annotation with id 10 has the image_id 9/],
    [
      "an area that is a text",
      { area: "7" },
      /annotation with id 10 has the area "7"; expected a finite number/,
    ],
    ["a crowd mark of 2", { iscrowd: 2 }, /annotation with id 10 has the iscrowd 2/],
  ])("%s is named with id and field", async (_, fault, message) => {
    const text = await codeOf(() => parseCocoKeypoints(file([{ ...annotation, ...fault }]), "own.json"));
    expect(text).toMatch(/^invalid-data: own\.json/);
    expect(text).toMatch(message);
  });

  test("file-level faults", async () => {
    expect(await codeOf(() => parseCocoKeypoints([], "a.json"))).toMatch(/invalid-data: a\.json.*an object/);
    expect(await codeOf(() => parseCocoKeypoints(file([annotation, annotation]), "a.json"))).toMatch(/twice/);
    const outside = { images: [{ ...image, file_name: "../../secret.jpg" }] };
    expect(await codeOf(() => parseCocoKeypoints(file([], outside), "a.json"))).toMatch(
      /path below the folder/,
    );
    const boxesOnly = file([], { categories: [{ id: 1, name: "cat" }] });
    expect(await codeOf(() => parseCocoKeypoints(boxesOnly, "a.json"))).toMatch(/person_keypoints_<split>/);
    const path = join(folder, "nan.json");
    await writeFile(path, '{"images": [], "annotations": [{"area": NaN}]}');
    expect(await codeOf(() => readCocoKeypoints(path))).toMatch(/invalid-data.*not JSON.*Python/);
    expect(await codeOf(() => readCocoKeypoints(join(folder, "none.json")))).toMatch(/^file-not-found/);
  });
});

describe("layout", () => {
  const make = async (name: string, files: readonly string[]) => {
    const root = join(folder, name);
    for (const path of files) {
      await mkdir(join(root, path, ".."), { recursive: true });
      await writeFile(join(root, path), "{}");
    }
    return root;
  };

  test("COCO's own: the last val split by default, keypoints before instances", async () => {
    const root = await make("coco", [
      "annotations/instances_val2017.json",
      "annotations/person_keypoints_train2017.json",
      "annotations/person_keypoints_val2014.json",
      "annotations/person_keypoints_val2017.json",
      "val2017/1.jpg",
    ]);
    const split = await findCocoSplit(root);
    expect(split.name).toBe("val2017");
    expect(split.annotationFile).toBe(join(root, "annotations/person_keypoints_val2017.json"));
    expect(await chooseImageFolder(split, "1.jpg")).toBe(join(root, "val2017"));
    expect((await findCocoSplit(root, "train2017")).annotationFile).toMatch(/train2017\.json$/);
    expect(await codeOf(() => findCocoSplit(root, "test"))).toMatch(
      /file-not-found.*Splits found: train2017, val2014, val2017/,
    );
    expect(await codeOf(() => chooseImageFolder(split, "2.jpg"))).toMatch(/file-not-found.*2\.jpg/);
  });

  test("images/<split>, images/, any file name, and a file instead of a folder", async () => {
    const root = await make("own", ["annotations/hands_val.json", "images/val/1.jpg"]);
    expect(await chooseImageFolder(await findCocoSplit(root), "1.jpg")).toBe(join(root, "images/val"));
    const flat = await make("flat", ["my_train.json", "images/1.jpg"]);
    expect(await codeOf(() => findCocoSplit(flat))).toMatch(/Splits found: train/);
    const split = await findCocoSplit(join(flat, "my_train.json"));
    expect(split.name).toBe("train");
    expect(await chooseImageFolder(split, "1.jpg")).toBe(join(flat, "images"));
    expect(await codeOf(() => findCocoSplit(join(folder, "nowhere")))).toMatch(/^file-not-found/);
  });
});

describe("records", () => {
  test("ground-truth boxes equal the original's (fixture of its database)", async () => {
    const original = JSON.parse(await readFile(fixture("prepost", "coco_db.json"), "utf8"));
    const [width, height] = original.image_size;
    const keypoints = Array.from({ length: 17 }, (_, i) => `k${i}`);
    const dataset = parseCocoKeypoints(
      {
        images: [{ ...image, width, height }],
        categories: [{ id: 1, name: "person", keypoints, skeleton: [] }],
        annotations: original.annotations.map((entry: object, i: number) => ({
          ...entry,
          id: i,
          image_id: 1,
          iscrowd: 0,
        })),
      },
      "coco_db.json",
    );
    const records = groundTruthRecords(dataset, "images");
    expect(records).toHaveLength(original.records.length);
    records.forEach(({ box, keypoints, imagePath }, i) => {
      const { center, scale, joints, vis } = original.records[i];
      // The record's centre is the box's, and its scale the box's sides grown to the aspect 3/4, in units of 200 / 1.25.
      expect(box[0] + box[2] / 2).toBeCloseTo(center[0], 4);
      expect(box[1] + box[3] / 2).toBeCloseTo(center[1], 4);
      expect((Math.max(box[2], 0.75 * box[3]) / 200) * 1.25).toBeCloseTo(scale[0], 5);
      expect((Math.max(box[3], box[2] / 0.75) / 200) * 1.25).toBeCloseTo(scale[1], 5);
      expect(keypoints).toEqual(joints.flatMap(([x, y]: number[], j: number) => [x, y, vis[j][0]]));
      expect(imagePath).toBe(join("images", "1.jpg"));
    });
  });

  test("a box is moved, not cut, at the left and upper border, and one pixel narrower", () => {
    const size = { width: 640, height: 480 };
    expect(cleanBox([-5, -3, 60, 80], size)).toEqual([0, 0, 59, 79]);
    expect(cleanBox([600, 400, 80, 120], size)).toEqual([600, 400, 39, 79]);
    expect(cleanBox([700, 10, 5, 5], size)).toBeUndefined();
  });

  test("crowds are left out, and pictures keep the file's order", () => {
    const dataset = parseCocoKeypoints(
      file([annotation, { ...annotation, id: 11, iscrowd: 1 }, { ...annotation, id: 12, image_id: 5 }], {
        images: [{ ...image, id: 5 }, image],
      }),
      "own.json",
    );
    expect(groundTruthRecords(dataset, "").map((record) => record.imageId)).toEqual([5, 1]);
  });

  test("detections: category, score, other pictures, boxes without extent", async () => {
    const dataset = parseCocoKeypoints(file(), "own.json");
    const box = [1, 2, 3, 4] as const;
    const seen = { imageId: 1, categoryId: 1, box, score: 0.5 };
    const { records, onOtherImages } = detectionRecords(
      dataset,
      [seen, { ...seen, categoryId: 2 }, { ...seen, score: 0.1 }, { ...seen, imageId: 99 }],
      "images",
      { scoreThreshold: 0.2 },
    );
    expect(records).toEqual([{ ...seen, imagePath: join("images", "1.jpg") }]);
    expect(onOtherImages).toBe(1);
    expect(await codeOf(() => detectionRecords(dataset, [{ ...seen, imageId: 99 }], ""))).toMatch(
      /another split/,
    );
    expect(await codeOf(() => detectionRecords(dataset, [{ ...seen, box: [1, 2, 0, 4] }], ""))).toMatch(
      /Detection 0/,
    );
  });
});

describe("results files", () => {
  test("written and read back unchanged, more than a chunk of them", async () => {
    const results = Array.from({ length: 2345 }, (_, i) => ({
      imageId: i,
      categoryId: 1,
      keypoints: Float64Array.of(i / 3, 1 / 7, 0.9),
      score: 1 / (i + 1),
    }));
    const path = join(folder, "out", "results.json");
    await writeCocoResults(path, results);
    const back = await readCocoResults(path, 1);
    expect(back).toEqual(results.map((result) => ({ ...result, keypoints: [...result.keypoints] })));
    await writeCocoResults(path, []);
    expect(await readCocoResults(path)).toEqual([]);
  });

  test("NaN is not written, and nothing is left behind", async () => {
    const bad = { imageId: 4, categoryId: 1, keypoints: [1, 2, Number.NaN], score: 1 };
    const target = join(folder, "nan-out");
    expect(await codeOf(() => writeCocoResults(join(target, "r.json"), [bad]))).toMatch(
      /invalid-data: Result 0 \(image 4\)/,
    );
    expect(await readdir(target)).toEqual([]);
  });

  test("faulty detections are named by index", async () => {
    const path = join(folder, "detections.json");
    const right = { image_id: 1, category_id: 1, bbox: [1, 2, 3, 4], score: 0.5 };
    const read = async (...entries: unknown[]) => {
      await writeFile(path, JSON.stringify(entries));
      return codeOf(() => readCocoDetections(path));
    };
    expect(await read(right)).toBe("nothing thrown");
    expect(await read(right, { ...right, bbox: [1, 2, -3, 4] })).toMatch(
      /invalid-data.*entry 1 has the bbox \[1,2,-3,4\]/,
    );
    expect(await read({ ...right, bbox: [1, 2, null, 4] })).toMatch(/entry 0 has the bbox/);
    expect(await read({ ...right, score: "high" })).toMatch(/entry 0 has the score "high"/);
    expect(await read({ ...right, image_id: 1.5 })).toMatch(/entry 0 has the image_id 1.5/);
    await writeFile(path, "{}");
    expect(await codeOf(() => readCocoDetections(path))).toMatch(/expected an array/);
  });
});

describe("real files", () => {
  test.skipIf(!hasShared("data", "coco-sample"))("a COCO sample in the style of 2014", async () => {
    const split = await findCocoSplit(shared("data", "coco-sample"));
    expect(split.name).toBe("val2017");
    const dataset = await readCocoKeypoints(split.annotationFile);
    expect(dataset.skeleton.name).toBe("coco-17");
    expect([dataset.images.size, dataset.annotations.length]).toEqual([50, 127]);
    const [first] = dataset.images.values();
    expect(await chooseImageFolder(split, first!.fileName)).toBe(shared("data", "coco-sample", "val2017"));
    expect(
      await codeOf(() => readCocoKeypoints(split.annotationFile.replace("person_keypoints", "instances"))),
    ).toMatch(/no "keypoints"/);
  });

  test.skipIf(!hasShared("data", "lsp"))("several files of one split: the keypoints", async () => {
    const split = await findCocoSplit(shared("data", "lsp"));
    expect(split.annotationFile).toMatch(/person_keypoints_val\.json$/);
    expect((await readCocoKeypoints(split.annotationFile)).annotations).toHaveLength(500);
  });

  test.skipIf(!hasShared("data", "mpii-sample"))(
    "CrowdPose without areas, PoseTrack18 with paths",
    async () => {
      const crowdpose = await readCocoKeypoints(shared("data/mpii-sample/crowdpose/test_crowdpose.json"));
      expect(crowdpose.skeleton.keypoints).toHaveLength(14);
      expect(crowdpose.annotations[0]!.area).toBeCloseTo(0.53 * 273.15 * 352.42, 6);
      const path = shared("data/mpii-sample/posetrack18/annotations/test_posetrack18_val.json");
      const posetrack = await readCocoKeypoints(path);
      expect(posetrack.annotations).toHaveLength(14);
      const split = await findCocoSplit(path);
      expect(await chooseImageFolder(split, [...posetrack.images.values()][0]!.fileName)).toBe(
        shared("data/mpii-sample/posetrack18"),
      );
      const detections = await readCocoDetections(
        shared("data/mpii-sample/crowdpose/test_crowdpose_det_AP_40.json"),
      );
      expect(detectionRecords(crowdpose, detections, "").records).toHaveLength(6);
    },
  );
});
