// The doctor on pictures and label maps: a set without fault passes, and one fault brings exactly the findings it should.
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { command } from "../../src/cli/doctor.ts";
import { SEGMENTATION_CHECKS } from "../../src/doctor/segmentation/checks.ts";
import {
  examineSegmentationSets,
  type SegmentationExamination,
} from "../../src/doctor/segmentation/examine-segmentation.ts";
import { encodeImage } from "../../src/image/encode.ts";
import { encodeLabelMap } from "../../src/image/label-map.ts";
import { defaultColor } from "../../src/segmentation/class-table.ts";
import { runVerb } from "../helpers/cli.ts";
import { squares } from "../helpers/segmentation-model.ts";

const root = mkdtempSync(join(tmpdir(), "hrnet-doctor-segmentation-"));
const CLASSES = ["road", "tree", "sky"];
const [WIDTH, HEIGHT] = [40, 30];
const COUNT = 3;
const COLORS = Array.from({ length: 256 }, (_, index) => defaultColor(index));
const pictures: Uint8Array[] = [];

beforeAll(async () => {
  for (let n = 0; n < 2 * COUNT; n++) pictures.push(await encodeImage(squares(WIDTH, HEIGHT, n), "png"));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));
afterEach(() => {
  process.exitCode = undefined;
  vi.restoreAllMocks();
});

/** Writes a label map whose number at each pixel is `numberAt` of it. */
function writeLabels(path: string, numberAt: (x: number, y: number) => number, palette = COLORS): void {
  const data = Uint8Array.from({ length: WIDTH * HEIGHT }, (_, i) =>
    numberAt(i % WIDTH, Math.floor(i / WIDTH)),
  );
  writeFileSync(path, encodeLabelMap({ width: WIDTH, height: HEIGHT, data }, palette));
}

/** Stripes of the three classes, and a few ignored pixels. */
const good = (x: number, y: number): number => (x === 0 && y < 4 ? 255 : (x >> 2) % 3);

/** A set without fault, to be spoilt. */
function goodSet(splits: readonly string[] = ["val"]): string {
  const path = mkdtempSync(join(root, "set-"));
  for (const [s, split] of splits.entries()) {
    mkdirSync(join(path, "images", split), { recursive: true });
    mkdirSync(join(path, "labels", split), { recursive: true });
    for (let n = 0; n < COUNT; n++) {
      writeFileSync(join(path, "images", split, `${n}.png`), pictures[s * COUNT + n]!);
      writeLabels(join(path, "labels", split, `${n}.png`), good);
    }
  }
  writeFileSync(join(path, "classes.json"), JSON.stringify({ classes: CLASSES }));
  return path;
}

const label = (path: string, n: number): string => join(path, "labels", "val", `${n}.png`);
const picture = (path: string, n: number): string => join(path, "images", "val", `${n}.png`);
const inAll = (path: string, numberAt: (x: number, y: number) => number): void => {
  for (let n = 0; n < COUNT; n++) writeLabels(label(path, n), numberAt);
};

interface Case {
  readonly finds: readonly string[];
  readonly spoil: (path: string) => void | Promise<void>;
  readonly count?: number;
  readonly says?: string;
}

const CASES: readonly Case[] = [
  {
    finds: ["set-unusable"],
    spoil: (path) => rmSync(join(path, "labels", "val"), { recursive: true }),
    says: "does not exist",
  },
  {
    finds: ["set-unusable"],
    spoil: (path) => writeFileSync(join(path, "classes.json"), "{}"),
    says: "file of classes",
  },
  {
    finds: ["label-missing"],
    spoil: (path) => unlinkSync(label(path, 1)),
    count: 1,
    says: "nothing like 1.png",
  },
  { finds: ["image-empty"], spoil: (path) => writeFileSync(picture(path, 1), "") },
  {
    finds: ["image-damaged"],
    spoil: (path) => writeFileSync(picture(path, 1), pictures[1]!.subarray(0, 120)),
  },
  {
    finds: ["label-damaged"],
    spoil: async (path) => writeFileSync(label(path, 2), await sharp(pictures[1]).jpeg().toBuffer()),
    says: "no PNG",
  },
  {
    finds: ["label-colours"],
    spoil: (path) => copyFileSync(picture(path, 0), label(path, 0)),
    says: "colour",
  },
  {
    finds: ["label-size"],
    spoil: (path) => {
      const data = Uint8Array.from({ length: 20 * 15 }, (_, i) => i % 3);
      writeFileSync(label(path, 0), encodeLabelMap({ width: 20, height: 15, data }, COLORS));
    },
    says: "40 × 30, the labels 20 × 15",
  },
  { finds: ["label-black-white"], spoil: (path) => inAll(path, (x) => (x > 20 ? 255 : 0)) },
  {
    finds: ["label-from-one"],
    spoil: (path) => inAll(path, (x) => 1 + (x % 3)),
    says: "numbers 1 to 3 for 3 classes",
  },
  { finds: ["label-one-class"], spoil: (path) => inAll(path, () => 2), says: "the number 2" },
  {
    finds: ["label-unknown"],
    spoil: (path) => writeLabels(label(path, 1), (x, y) => (y === 0 ? 20 + x : good(x, y))),
    count: 1,
    says: "3.3 % of the pixels; so many look like",
  },
  {
    finds: ["label-void"],
    spoil: (path) => inAll(path, (x, y) => (x > 35 ? 3 : good(x, y))),
    says: "3: 10.0 % of all pixels",
  },
  {
    finds: ["palette-exchanged"],
    spoil: (path) => writeLabels(label(path, 1), good, [COLORS[1]!, COLORS[0]!, ...COLORS.slice(2)]),
    count: 1,
    says: "has the colour of",
  },
  {
    finds: ["label-empty", "label-ignored"],
    spoil: (path) => writeLabels(label(path, 1), () => 255),
    count: 1,
  },
  {
    finds: ["classes-unknown"],
    spoil: (path) => unlinkSync(join(path, "classes.json")),
    says: "0, 1, 2, 255",
  },
  { finds: ["class-absent"], spoil: (path) => inAll(path, (x) => x % 2), count: 1, says: "sky" },
  {
    finds: ["image-copy"],
    spoil: (path) => copyFileSync(picture(path, 0), picture(path, 2)),
    says: "also 2",
  },
  {
    finds: ["class-rare"],
    spoil: (path) => {
      inAll(path, (x) => x % 2);
      writeLabels(label(path, 0), (x, y) => (x === 1 && y === 1 ? 2 : x % 2));
    },
    count: 1,
    says: "sky: 0.028 %",
  },
  {
    finds: ["label-ignored"],
    spoil: (path) => inAll(path, (x, y) => (y < 12 ? 255 : good(x, y))),
    says: "%",
  },
  {
    finds: ["label-unused"],
    spoil: (path) => writeLabels(join(path, "labels", "val", "9.png"), good),
    says: "1: 9",
  },
];

const ids = ({ findings }: SegmentationExamination): string[] => findings.map(({ id }) => id).sort();

describe("one fault at a time", () => {
  test.each(CASES.map((one, i) => ({ ...one, name: `${one.finds[0]} (${i})` })))(
    "$name",
    async ({ finds, spoil, count, says }) => {
      const path = goodSet();
      await spoil(path);
      const [examination] = await examineSegmentationSets([path]);
      expect(ids(examination!)).toEqual([...finds].sort());
      const first = examination!.findings.find(({ id }) => id === finds[0]);
      if (count !== undefined) expect(first!.count).toBe(count);
      if (says !== undefined) expect(first!.examples[0]!.text).toContain(says);
    },
  );
});

test("numbers of one's own, ignored ones among them, and 255 as a class are taken as said", async () => {
  const path = goodSet();
  inAll(path, (x) => [0, 255, 7][x % 3]!);
  const classes = [
    { id: 0, name: "ground" },
    { id: 255, name: "person" },
  ];
  writeFileSync(join(path, "classes.json"), JSON.stringify({ classes, ignored: [7] }));
  const [examination] = await examineSegmentationSets([path]);
  expect(ids(examination!)).toEqual(["label-ignored"]);
  expect(examination!.counts.shares).toEqual({
    ground: expect.closeTo(0.52, 1),
    person: expect.closeTo(0.48, 1),
  });
});

test("pictures in two splits are leaks; every split is examined and drawn", async () => {
  const path = goodSet(["train", "val"]);
  copyFileSync(join(path, "images", "train", "1.png"), picture(path, 2));
  const out = join(path, "sheets");
  const [train, val] = await examineSegmentationSets([path], { out });
  expect(ids(train!)).toEqual(["image-leak"]);
  expect(train!.findings[0]!.examples[0]!.text).toMatch(/^1: in .* \(val\) as 2$/);
  expect(ids(val!)).toEqual([]);
  expect(val!.sheets).toHaveLength(1);
  for (const sheet of [...train!.sheets, ...val!.sheets])
    expect((await sharp(sheet).metadata()).width).toBeGreaterThan(300);
});

test("the command: a report, data for programs, folders by name", async () => {
  const path = goodSet();
  expect(await runVerb(command(), path)).toMatch(
    /3 classes of .*classes.json: 3 pictures, 3 with labels, 0\.3 % of the pixels ignored\nroad 4\d %, /,
  );
  unlinkSync(label(path, 0));
  const [found] = JSON.parse(await runVerb(command(), path, "--json"));
  expect(found).toMatchObject({ format: "segmentation", counts: { images: 3, pairs: 2 } });
  expect(found.findings).toMatchObject([{ id: "label-missing", examples: [{ file: "0" }] }]);
  expect(process.exitCode).toBe(1);
  const folders = ["--images", join(path, "images", "val"), "--labels", join(path, "labels", "val")];
  const text = await runVerb(command(), path, ...folders, "--classes", "cityscapes");
  expect(text).toContain("19 classes of cityscapes");
  await expect(runVerb(command(), path, "--labels", path)).rejects.toThrow(/belongs together/);
});

test("every check is tried above", () => {
  const tried = new Set([...CASES.flatMap(({ finds }) => finds), "image-leak"]);
  expect(SEGMENTATION_CHECKS.map(({ id }) => id).filter((id) => !tried.has(id))).toEqual([]);
});
