// Readers of objects: COCO's instances with each kind of outline, Pascal VOC's XML, the same set in both; what they refuse.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { outlineMask, parseCocoInstances, readCocoInstances } from "../../src/data/coco-instances.ts";
import { readVocInstances } from "../../src/data/voc.ts";
import { maskArea } from "../../src/masks/run-length.ts";
import { hasShared, shared } from "../helpers/shared.ts";

const root = mkdtempSync(join(tmpdir(), "hrnet-instances-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Loose JSON, to be spoilt. */
// biome-ignore lint/suspicious/noExplicitAny: files are wrong in any way
type Loose = any;

const coco = (): Loose => ({
  images: [{ id: 4, file_name: "a.jpg", width: 12, height: 10 }],
  categories: [
    { id: 18, name: "dog" },
    { id: 1, name: "person" },
  ],
  annotations: [
    {
      id: 7,
      image_id: 4,
      category_id: 1,
      bbox: [2, 3, 5, 4],
      area: 20,
      segmentation: [[2, 3, 7, 3, 7, 7, 2, 7]],
    },
    {
      id: 8,
      image_id: 4,
      category_id: 18,
      bbox: [0, 0, 2, 2],
      iscrowd: 1,
      segmentation: { size: [10, 12], counts: [0, 2, 8, 2, 108] },
    },
    {
      id: 9,
      image_id: 4,
      category_id: 18,
      bbox: [1, 1, 3, 3],
      segmentation: { size: [10, 12], counts: "06b3" },
    },
    { id: 10, image_id: 4, category_id: 1, bbox: [0, 0, 4, 5], segmentation: [] },
  ],
});

test("COCO: polygons, plain and compressed run lengths, boxes alone", () => {
  const { categories, images, instances } = parseCocoInstances(coco(), "a.json");
  expect(categories).toEqual([
    { id: 1, name: "person" },
    { id: 18, name: "dog" },
  ]);
  const image = images.get(4)!;
  expect(instances.map(({ id, crowd, area }) => [id, crowd, area])).toEqual([
    [7, false, 20],
    [8, true, 4],
    [9, false, 9],
    [10, false, 20],
  ]);
  expect(instances.map(({ outline }) => outline && maskArea(outlineMask(outline, image)))).toEqual([
    20,
    4,
    6,
    undefined,
  ]);
});

describe("COCO: refuses", () => {
  test.each<[string, (json: Loose) => void, RegExp]>([
    ["ids that are there twice", (json) => (json.annotations[1].id = 7), /id 7 is there twice/],
    [
      "categories that are not listed",
      (json) => (json.annotations[0].category_id = 2),
      /category_id 2, which/,
    ],
    [
      "categories that are there twice",
      (json) => (json.categories[0].id = 1),
      /category with id 1 is there twice/,
    ],
    ["pictures that are not listed", (json) => (json.annotations[0].image_id = 5), /image_id 5, which/],
    [
      "lines as polygons",
      (json) => (json.annotations[0].segmentation = [[1, 1, 5, 5]]),
      /polygon of 4 numbers/,
    ],
    [
      "masks of other pictures",
      (json) => (json.annotations[1].segmentation.size = [12, 10]),
      /mask of 10 × 12 in a picture/,
    ],
    [
      "runs that do not fill",
      (json) => (json.annotations[1].segmentation.counts = [5]),
      /a\.json: the annotation with id 8 has runs of 5/,
    ],
    [
      "text that is none",
      (json) => (json.annotations[2].segmentation.counts = "~~"),
      /no compressed run lengths/,
    ],
    ["names that lead out", (json) => (json.images[0].file_name = "../a.jpg"), /below the folder/],
  ])("%s", (_, spoil, message) => {
    const json = coco();
    spoil(json);
    expect(() => parseCocoInstances(json, "a.json")).toThrowError(
      expect.objectContaining({ code: "invalid-data", message: expect.stringMatching(message) }),
    );
  });
});

const object = (name: string, corners: readonly (number | string)[], more = ""): string =>
  `<object><name>${name}</name>${more}<bndbox><xmin>${corners[0]}</xmin><ymin>${corners[1]}</ymin><xmax>${corners[2]}</xmax><ymax>${corners[3]}</ymax></bndbox></object>`;

/** A folder with a file for each body. */
function voc(bodies: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(root, "voc-"));
  mkdirSync(folder, { recursive: true });
  for (const [name, body] of Object.entries(bodies)) writeFileSync(join(folder, `${name}.xml`), body);
  return folder;
}
const SIZE = "<size><width>40</width><height>30</height><depth>3</depth></size>";
const picture = (...objects: string[]): string =>
  `<?xml version="1.0"?><annotation><filename>a.jpg</filename>${SIZE}${objects.join("")}</annotation>`;

test("VOC: pixels counted from 1, difficult objects as crowds, names in any order", async () => {
  const folder = voc({
    b: picture(object("dog", [1, 1, 40, 30]), object("cat", [3, 4, 3, 4], "<difficult>1</difficult>")),
    a: picture(),
  });
  const { categories, images, instances } = await readVocInstances(folder);
  expect(categories).toEqual([
    { id: 1, name: "cat" },
    { id: 2, name: "dog" },
  ]);
  expect([...images.keys()]).toEqual([1, 2]);
  expect(instances).toMatchObject([
    { id: 1, imageId: 2, categoryId: 2, box: [0, 0, 40, 30], area: 1200, crowd: false },
    { id: 2, imageId: 2, categoryId: 1, box: [2, 3, 1, 1], area: 1, crowd: true },
  ]);
  const kept = await readVocInstances(folder, {
    corners: "edges",
    difficult: "keep",
    categories: ["dog", "cat"],
  });
  expect(kept.instances).toMatchObject([
    { categoryId: 1, box: [1, 1, 39, 29] },
    { categoryId: 2, box: [3, 4, 0, 0], crowd: false },
  ]);
});

test("VOC: a list, with marks behind the names", async () => {
  const folder = voc({ a: picture(object("dog", [1, 1, 5, 5])), b: picture() });
  writeFileSync(join(folder, "list.txt"), "b -1\na  1\n");
  const { images, instances } = await readVocInstances(folder, { list: join(folder, "list.txt") });
  expect(images.size).toBe(2);
  expect(instances[0]!.imageId).toBe(2);
});

describe("VOC: refuses", () => {
  test.each([
    ["what is no XML", "nothing", /is no XML/],
    ["an end that is missing", "<annotation><size>", /is no XML/],
    ["another document", "<html/>", /begins with <html>/],
    ["pictures without size", "<annotation/>", /<size> has no number in <width>/],
    [
      "corners without number",
      picture(object("dog", ["x", 1, 2, 3])),
      /<bndbox> of object 0 has no number in <xmin>/,
    ],
    ["objects without name", picture(object("", [1, 1, 2, 3])), /object 0 has no <name>/],
    ["names with folders", picture().replace("a.jpg", "../a.jpg"), /expected a name without folders/],
  ])("%s", async (_, body, message) => {
    const folder = voc({ a: body });
    await expect(readVocInstances(folder)).rejects.toThrowError(
      expect.objectContaining({ code: "invalid-data", message: expect.stringMatching(message) }),
    );
  });

  test("entities that grow, kinds that were not given, folders without files", async () => {
    const growing = `<!DOCTYPE a [<!ENTITY x "${"y".repeat(50)}"><!ENTITY z "&x;&x;&x;">]>${picture(object("&z;", [1, 1, 2, 2])).replace('<?xml version="1.0"?>', "")}`;
    await expect(readVocInstances(voc({ a: growing }))).rejects.toMatchObject({ code: "invalid-data" });
    const folder = voc({ a: picture(object("dog", [1, 1, 5, 5])) });
    await expect(readVocInstances(folder, { categories: ["cat"] })).rejects.toThrow(
      /objects of the kinds dog/,
    );
    await expect(readVocInstances(voc({}))).rejects.toThrow(/no \.xml files/);
    await expect(readVocInstances(join(root, "none"))).rejects.toMatchObject({ code: "file-not-found" });
  });
});

test.skipIf(!hasShared("data", "bccd"))("a set in both formats has the same boxes", async () => {
  for (const split of ["train", "val"]) {
    const folder = shared("data", "bccd");
    const written = await readCocoInstances(join(folder, "annotations", `instances_${split}.json`));
    const xml = await readVocInstances(join(folder, "Annotations"), {
      corners: "edges",
      list: join(folder, "ImageSets", "Main", `${split}.txt`),
      categories: written.categories.map(({ name }) => name),
    });
    const boxes = ({ images, instances }: typeof xml) =>
      instances
        .filter(({ box }) => box[2] > 0 && box[3] > 0) // one of each split has no extent and is not in the json
        .map(({ imageId, categoryId, box }) => [images.get(imageId)!.fileName, categoryId, ...box].join(" "))
        .sort();
    expect(boxes(xml)).toEqual(boxes(written));
  }
});
