// Classes from files.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { readClassTable } from "../../src/segmentation/class-file.ts";
import { labelLookup } from "../../src/segmentation/class-table.ts";
import { hasShared, shared } from "../helpers/shared.ts";

const root = mkdtempSync(join(tmpdir(), "hrnet-classes-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

function written(content: unknown): string {
  const path = join(root, "classes.json");
  writeFileSync(path, JSON.stringify(content));
  return path;
}

test("names alone", async () => {
  const { classes, classOfLabel, colors } = await readClassTable(written({ classes: ["cell", "other"] }));
  expect([classes, classOfLabel, colors]).toEqual([
    ["cell", "other"],
    undefined,
    [
      [0, 0, 0],
      [128, 0, 0],
    ],
  ]);
});

test("numbers and colours of their own", async () => {
  const table = await readClassTable(
    written({
      name: "mine",
      classes: [
        { id: 7, name: "left_hand", color: [1, 2, 3] },
        { id: 3, name: "right_hand", color: [4, 5, 6] },
      ],
    }),
  );
  expect(table).toMatchObject({
    name: "mine",
    colors: [
      [1, 2, 3],
      [4, 5, 6],
    ],
    flipPairs: [[0, 1]],
  });
  expect([0, 3, 7, 8].map((label) => labelLookup(table)[label])).toEqual([255, 1, 0, 255]);
});

test("published ones by name", async () => {
  expect((await readClassTable("cityscapes")).classes).toHaveLength(19);
});

test.each([
  [{ classes: [] }, /classes/],
  [
    {
      classes: [
        { id: 1, name: "a" },
        { id: 1, name: "b" },
      ],
    },
    /id 1 twice/,
  ],
  [{ classes: [{ id: -1, name: "a" }] }, /classes\.0/],
  [["a"], /not valid/],
])("refuses %j", async (content, message) => {
  await expect(readClassTable(written(content))).rejects.toThrow(message);
});

test.skipIf(!hasShared("data", "camvid"))("CamVid's file: eleven classes, the twelfth ignored", async () => {
  const table = await readClassTable(shared("data", "camvid", "classes.json"));
  expect(table.classes).toHaveLength(11);
  expect(labelLookup(table)[11]).toBe(255);
});
