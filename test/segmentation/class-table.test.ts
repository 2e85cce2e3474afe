// Classes: what is checked, what is filled in, and the published label spaces.
import { expect, test } from "vitest";
import {
  defaultColor,
  defineClassTable,
  flipPermutationOf,
  IGNORED,
  labelLookup,
} from "../../src/segmentation/class-table.ts";
import {
  CITYSCAPES_CLASS_WEIGHTS,
  CLASS_TABLES,
  classTableByName,
} from "../../src/segmentation/class-tables.ts";

test("fills in colours and the pairs that left and right name", () => {
  const table = defineClassTable({
    name: "body",
    classes: ["head", "left_arm", "Right_arm", "l-leg", "r-leg", "leftover"],
  });
  expect(table.flipPairs).toEqual([
    [1, 2],
    [3, 4],
  ]);
  expect(flipPermutationOf(table)).toEqual([0, 2, 1, 4, 3, 5]);
  expect(table.colors[1]).toEqual([128, 0, 0]);
});

test("the colours of VOC's tools", () => {
  // Published values of VOC's colour map.
  expect([0, 1, 2, 3, 7, 15, 20, 64].map(defaultColor)).toEqual([
    [0, 0, 0],
    [128, 0, 0],
    [0, 128, 0],
    [128, 128, 0],
    [128, 128, 128],
    [192, 128, 128],
    [0, 64, 128],
    [32, 0, 0],
  ]);
});

test.each([
  [{ name: "x", classes: [] }, /classes/],
  [{ name: "x", classes: ["a", "a"] }, /"a" twice/],
  [{ name: "x", classes: ["a", "b"], colors: [[0, 0, 0] as const] }, /1 colours for 2/],
  [{ name: "x", classes: ["a", "b"], classOfLabel: [0, 2] }, /class 2; there are 2/],
  [{ name: "x", classes: ["a", "b"], flipPairs: [["a", "c"] as const] }, /"c", which is no class/],
  [{ name: "x", classes: ["a", "b"], flipPairs: [["a", "a"] as const] }, /different classes/],
])("refuses %j", (input, message) => {
  expect(() => defineClassTable(input)).toThrow(message);
});

test.each([
  ["cityscapes", 19, 19],
  ["lip", 20, 20],
  ["pascal-context-59", 59, 59],
  ["pascal-context-60", 60, 60],
  ["pascal-context-59-mmseg", 59, 59],
  ["pascal-context-60-mmseg", 60, 60],
  ["ade20k", 150, 150],
  ["coco-80", 80, 80],
])("%s has %i classes, and labels for all of them", (name, classes, labels) => {
  const table = classTableByName(name);
  expect(table.classes).toHaveLength(classes);
  const lookup = labelLookup(table);
  expect(new Set(lookup.filter((label) => label !== IGNORED)).size).toBe(labels);
  expect(lookup[IGNORED]).toBe(IGNORED);
});

test("numbers in label files become the classes of the official code", () => {
  const cityscapes = labelLookup(classTableByName("cityscapes"));
  expect([7, 8, 11, 26, 33, 0, 6, 9, 255].map((id) => cityscapes[id])).toEqual([
    0, 1, 2, 13, 18, 255, 255, 255, 255,
  ]);
  const context = classTableByName("pascal-context-59");
  expect(labelLookup(context)[2]).toBe(context.classes.indexOf("aeroplane"));
  expect(labelLookup(context)[458]).toBe(context.classes.indexOf("wood"));
  expect(labelLookup(context)[0]).toBe(IGNORED);
  expect(labelLookup(classTableByName("pascal-context-60"))[0]).toBe(0);
  expect(labelLookup(classTableByName("ade20k"))[1]).toBe(0);
});

test("LIP's left and right change places", () => {
  expect(classTableByName("lip").flipPairs).toEqual([
    [14, 15],
    [16, 17],
    [18, 19],
  ]);
  for (const name of CLASS_TABLES.keys())
    if (name !== "lip") expect(classTableByName(name).flipPairs).toEqual([]);
});

test("both orders of PASCAL-Context hold the same classes", () => {
  const [official, mmseg] = ["pascal-context-60", "pascal-context-60-mmseg"].map(
    (name) => classTableByName(name).classes,
  );
  expect([...official!].sort()).toEqual([...mmseg!].sort());
  expect(official).not.toEqual(mmseg);
});

test("one weight for each class of Cityscapes; unknown tables are named with their likes", () => {
  expect(CITYSCAPES_CLASS_WEIGHTS).toHaveLength(19);
  expect(() => classTableByName("cityscape")).toThrow(/Closest: cityscapes/);
});
