// Confusion matrix and its figures against the official code's.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { ConfusionMatrix } from "../../src/metrics/confusion-matrix.ts";
import { readFixtureTensors } from "../helpers/safetensors.ts";
import { fixture } from "../helpers/shared.ts";

const meta = JSON.parse(readFileSync(fixture("seg_ops", "miou.json"), "utf8"));
const { logits, labels } = readFixtureTensors(fixture("seg_ops", "miou.safetensors"));

test("counts, accuracies and IoU of three pictures", () => {
  const [pictures, classes, height, width] = logits!.shape as [number, number, number, number];
  const [, , stored] = labels!.shape as [number, number, number];
  const matrix = new ConfusionMatrix(classes);
  for (let n = 0; n < pictures; n++) {
    const truth: number[] = [];
    const found: number[] = [];
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const scores = Array.from(
          { length: classes },
          (_, c) => logits!.values[((n * classes + c) * height + y) * width + x]!,
        );
        found.push(scores.indexOf(Math.max(...scores)));
        truth.push(labels!.values[(n * labels!.shape[1]! + y) * stored + x]!);
      }
    }
    matrix.add(truth, found);
  }
  expect(Array.from(matrix.counts)).toEqual(meta.confusion.flat());
  const figures = matrix.figures();
  expect(figures.meanIou).toBeCloseTo(meta.mean_iou, 12);
  expect(figures.pixelAccuracy).toBeCloseTo(meta.pixel_acc, 12);
  expect(figures.meanAccuracy).toBeCloseTo(meta.mean_acc, 12);
  for (const [c, { iou }] of figures.classes.entries()) expect(iou).toBeCloseTo(meta.iou[c], 12);
});

test("a class that does not occur: 0 in the official mean, left out of the other", () => {
  const matrix = new ConfusionMatrix(3);
  matrix.add([0, 0, 1, 255], [0, 1, 1, 2]);
  const { classes, meanIou, meanIouOfPresent, pixelAccuracy } = matrix.figures();
  expect(classes.map(({ iou }) => iou)).toEqual([0.5, 0.5, Number.NaN]);
  expect(classes.map(({ pixels }) => pixels)).toEqual([2, 1, 0]);
  expect([meanIou, meanIouOfPresent]).toEqual([1 / 3, 0.5]);
  expect(pixelAccuracy).toBe(2 / 3);
});

test("refuses maps that do not fit, and classes that there are not", () => {
  const matrix = new ConfusionMatrix(2);
  expect(() => matrix.add([0, 1], [0])).toThrow(/one size/);
  expect(() => matrix.add([0, 1], [0, 2])).toThrow(/class 2; there are 2/);
  expect(() => new ConfusionMatrix(0)).toThrow(/1 to 65535/);
});
