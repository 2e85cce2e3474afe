// Boxes given by users and by files: what is accepted, and what each wrong one is told.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { type BoxInput, checkBoxes, MAX_BOXES_PER_IMAGE } from "../../src/pose/boxes.ts";
import { parseBoxes, readBoxesFile } from "../../src/pose/boxes-file.ts";

const failsWith = (run: () => unknown, code: string, message: RegExp) => {
  expect(run).toThrow(expect.objectContaining({ code, message: expect.stringMatching(message) }));
};

describe("checkBoxes", () => {
  const image = [640, 480] as const;

  test("boxes with and without scores, partly outside, come back as they are", () => {
    const boxes: BoxInput[] = [
      [10, 20, 30, 40],
      { box: [-50, 470.5, 60, 100], score: 0.7 },
      [639.5, 0, 9, 9],
    ];
    expect(checkBoxes(boxes, image)).toEqual([
      { box: [10, 20, 30, 40], score: 1 },
      { box: [-50, 470.5, 60, 100], score: 0.7 },
      { box: [639.5, 0, 9, 9], score: 1 },
    ]);
    expect(checkBoxes([], image)).toEqual([]);
  });

  test.each([
    [[0, 0, Number.NaN, 5], /^Box 1 is \[0, 0, NaN, 5\]; all four .* finite/],
    [[0, 0, 5, Number.POSITIVE_INFINITY], /^Box 1 is \[0, 0, 5, Infinity\]/],
    [[0, 0, "5", 5], /^Box 1 is \[0, 0, "5", 5\]/],
    [[10, 10, 0, 5], /^Box 1 .* width and height must be above 0.*x2 − x1/],
    [[10, 10, 5, -5], /^Box 1 .* above 0/],
    [[1, 2, 3], /^Box 1 is \[1, 2, 3\]; expected four numbers/],
    [{ x: 1 }, /^Box 1 is \{"x":1\}; expected four numbers/],
    [null, /^Box 1 is null; expected four numbers/],
    [undefined, /^Box 1 is undefined; expected four numbers/],
    [[640, 0, 10, 10], /^Box 1 .* wholly outside the picture of 640 × 480/],
    [[-10, 5, 10, 10], /^Box 1 .* wholly outside/],
    [[5, 480, 10, 10], /^Box 1 .* wholly outside/],
    [{ box: [1, 1, 5, 5], score: Number.NaN }, /^Box 1 has the score NaN/],
  ])("%o is refused", (box, message) => {
    failsWith(() => checkBoxes([[0, 0, 5, 5], box as unknown as BoxInput], image), "invalid-data", message);
  });

  test("no list, and too long a list", () => {
    failsWith(() => checkBoxes("boxes" as unknown as BoxInput[], image), "invalid-data", /expected an array/);
    const many = Array.from({ length: MAX_BOXES_PER_IMAGE + 1 }, (): BoxInput => [0, 0, 1, 1]);
    failsWith(() => checkBoxes(many, image), "limit-exceeded", /10001 boxes/);
  });
});

describe("boxes files", () => {
  test("COCO detections: persons above the score, by id and by the number in the file's name", () => {
    const detections = [
      { image_id: 397133, category_id: 1, bbox: [1, 2, 3, 4], score: 0.9 },
      { image_id: 397133, category_id: 1, bbox: [5, 6, 7, 8], score: 0.1 },
      { image_id: 397133, category_id: 3, bbox: [9, 9, 9, 9], score: 0.9 },
      { image_id: 42, category_id: 1, bbox: [0, 0, 2, 2], score: 0.5 },
    ];
    const file = parseBoxes(detections, "d.json");
    expect([file.format, file.count]).toEqual(["coco-detections", 3]);
    expect(file.forImageId(397133).map(({ score }) => score)).toEqual([0.9, 0.1]);
    expect(file.forFile("val2017/000000397133.jpg")).toBe(file.forImageId(397133));
    expect(file.forFile("COCO_val2014_000000000042.jpg")).toEqual([{ box: [0, 0, 2, 2], score: 0.5 }]);
    expect(file.forFile("7.jpg")).toBeUndefined();
    expect(file.forFile("holiday.jpg")).toBeUndefined();
    expect(parseBoxes(detections, "d.json", { minScore: 0.5 }).count).toBe(2);
    expect(parseBoxes(detections, "d.json", { categoryId: 3 }).count).toBe(1);
  });

  test("COCO annotations: by name and by id; crowds and boxes without extent are left out", () => {
    const file = parseBoxes(
      {
        images: [
          { id: 1, file_name: "a/x.jpg" },
          { id: 2, file_name: "b/y.jpg" },
        ],
        annotations: [
          { image_id: 1, category_id: 1, bbox: [1, 2, 3, 4], iscrowd: 0 },
          { image_id: 1, category_id: 1, bbox: [1, 2, 3, 4], iscrowd: 1 },
          { image_id: 1, category_id: 1, bbox: [1, 2, 3, 0], iscrowd: 0 },
        ],
      },
      "a.json",
    );
    expect([file.format, file.count]).toEqual(["coco-annotations", 1]);
    expect(file.forFile("/data/a/x.jpg")).toEqual([{ box: [1, 2, 3, 4], score: 1 }]);
    expect(file.forFile("y.jpg")).toEqual([]);
    expect(file.forFile("z.jpg")).toBeUndefined();
    expect(file.forImageId(1)).toHaveLength(1);
  });

  test("a map from file name to boxes; names that share their last part need the whole path", () => {
    const map = { "a/x.jpg": [[1, 2, 3, 4]], "b/x.jpg": [], "000012.png": [[5, 6, 7, 8]] };
    const file = parseBoxes(map, "m.json");
    expect([file.format, file.count]).toEqual(["map", 2]);
    expect(file.forFile("a/x.jpg")).toHaveLength(1);
    expect(file.forFile("b/x.jpg")).toEqual([]);
    expect(file.forFile("c/x.jpg")).toBeUndefined();
    expect(file.forFile("pictures/000012.png")).toEqual([{ box: [5, 6, 7, 8], score: 1 }]);
    expect(file.forImageId(12)).toHaveLength(1);
    expect(
      parseBoxes(JSON.parse('{"__proto__": [[1, 1, 1, 1]]}'), "m.json").forFile("toString"),
    ).toBeUndefined();
  });

  test.each([
    [5, /f\.json holds no boxes\. Accepted are/],
    [null, /holds no boxes/],
    [[5], /detection 0 is no object/],
    [[{ image_id: "x", category_id: 1, bbox: [1, 1, 1, 1], score: 1 }], /detection 0 has the image_id "x"/],
    [[{ image_id: 1, category_id: 1, bbox: [1, 1, 0, 1], score: 1 }], /detection 0 \(image 1\) .* above 0/],
    [[{ image_id: 1, category_id: 1, bbox: [1, 1, 1, 1] }], /detection 0 has the score undefined/],
    [[{ image_id: 1, category_id: 18, bbox: [1, 1, 1, 1], score: 1 }], /no box of category 1, but of 18/],
    [{ "a.jpg": 5 }, /"a\.jpg" holds no list of boxes/],
    [
      {
        "a.jpg": [
          [1, 1, 1, 1],
          [1, 1, -1, 1],
        ],
      },
      /box 1 of "a\.jpg" .* above 0/,
    ],
    [{ images: [{ id: 1 }], annotations: [] }, /image 0 has no file_name/],
    [{ images: [], annotations: [{ image_id: 3, bbox: [1, 1, 1, 1] }] }, /annotation 0 belongs to image 3/],
  ])("%j is refused", (json, message) => {
    failsWith(() => parseBoxes(json, "f.json"), "invalid-data", message);
  });

  const folder = mkdtempSync(join(tmpdir(), "hrnet-boxes-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };

  test("read from disk", async () => {
    const boxes = await readBoxesFile(file("good.json", '{"a.jpg": [[1, 2, 3, 4]]}'));
    expect(boxes.forFile("a.jpg")).toEqual([{ box: [1, 2, 3, 4], score: 1 }]);
  });

  test.each([
    ["missing.json", undefined, "file-not-found", /There is no boxes file/],
    ["empty.json", "", "invalid-data", /is not JSON/],
    [
      "python.json",
      '{"a.jpg": [[NaN, 2, 3, 4]]}',
      "invalid-data",
      /holds NaN or Infinity, which Python writes/,
    ],
  ])("%s", async (name, text, code, message) => {
    const path = text === undefined ? join(folder, name) : file(name, text);
    await expect(readBoxesFile(path)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message) as string,
    });
  });

  test("a folder is no file", async () => {
    await expect(readBoxesFile(folder)).rejects.toMatchObject({ code: "read-failed" });
  });
});
