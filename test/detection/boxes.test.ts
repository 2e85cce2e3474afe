// Boxes and their suppression against torchvision's operators.
import { describe, expect, test } from "vitest";
import { boxAreas, pairwiseIou } from "../../src/detection/boxes.ts";
import { suppress } from "../../src/detection/nms.ts";
import { encodeMask, maskBox } from "../../src/masks/run-length.ts";
import { type FixtureTensor, readFixtureTensors } from "../helpers/safetensors.ts";
import { fixture } from "../helpers/shared.ts";

const arrays = readFixtureTensors(fixture("torchvision_ops", "torchvision_ops.safetensors"));
const of = (name: string): FixtureTensor => arrays[name]!;

function near(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance = 1e-6): void {
  expect(actual.length).toBe(expected.length);
  Array.from(expected).forEach((value, i) => {
    expect(Math.abs(actual[i]! - value), `element ${i}`).toBeLessThanOrEqual(
      tolerance * Math.max(1, Math.abs(value)),
    );
  });
}

describe("boxes", () => {
  const [a, b] = [of("iou.a").values, of("iou.b").values];

  test("areas, IoU, generalised IoU", () => {
    near(boxAreas(a), of("iou.area").values);
    near(pairwiseIou(a, b), of("iou.box_iou").values);
    near(pairwiseIou(a, b, "continuous", "giou"), of("iou.giou").values);
  });

  test("counted in pixels, a box of one pixel has the area 1", () => {
    const pixel = Float64Array.of(3, 4, 3, 4);
    expect(boxAreas(pixel, "pixels")).toEqual(Float64Array.of(1));
    expect(boxAreas(pixel)).toEqual(Float64Array.of(0));
    // 4×2 and 4×2 pixels that share 2×2.
    const [left, right] = [Float64Array.of(0, 0, 3, 1), Float64Array.of(2, 0, 5, 1)];
    near(pairwiseIou(left, right, "pixels"), [4 / 12]);
  });

  test("boxes without extent have no IoU, and none is NaN", () => {
    const point = Float64Array.of(1, 1, 1, 1);
    for (const kind of ["iou", "giou"] as const)
      expect(pairwiseIou(point, point, "continuous", kind)).toEqual(Float64Array.of(0));
  });
});

describe("suppression", () => {
  const [boxes, scores, classes] = [of("nms.boxes").values, of("nms.scores").values, of("nms.labels").values];

  test.each([0.3, 0.5, 0.7])("threshold %f", (threshold) => {
    expect(suppress(boxes, scores, { threshold })).toEqual(Array.from(of(`nms.keep_${threshold}`).values));
    expect(suppress(boxes, scores, { threshold, classes })).toEqual(
      Array.from(of(`nms.batched_keep_${threshold}`).values),
    );
  });

  test("an IoU of the threshold itself; counted in pixels; at most so many", () => {
    const pair = Float64Array.of(0, 0, 2, 1, 0, 0, 1, 1); // IoU ½
    const pairScores = [0.5, 0.9];
    expect(suppress(pair, pairScores, { threshold: 0.5 })).toEqual([1, 0]);
    expect(suppress(pair, pairScores, { threshold: 0.5, inclusive: true })).toEqual([1]);
    // 3×2 and 2×2 pixels: IoU ⅔.
    expect(suppress(pair, pairScores, { threshold: 0.6, extent: "pixels" })).toEqual([1]);
    expect(suppress(boxes, scores, { threshold: 0.5, most: 3 })).toEqual(
      Array.from(of("nms.keep_0.5").values).slice(0, 3),
    );
    expect(suppress(new Float64Array(0), [], { threshold: 0.5 })).toEqual([]);
  });

  test("equal scores keep their order", () => {
    const same = Float64Array.of(0, 0, 4, 4, 0, 0, 4, 4, 9, 9, 12, 12);
    expect(suppress(same, [0.5, 0.5, 0.5], { threshold: 0.5 })).toEqual([0, 2]);
  });
});

test("boxes around masks", () => {
  const { shape, values } = of("masks.masks");
  const [count, height, width] = shape as [number, number, number];
  const found = Array.from({ length: count }, (_, i) => {
    const pixels = values.subarray(i * height * width, (i + 1) * height * width);
    const [x, y, w, h] = maskBox(encodeMask(pixels, width, height));
    return [x, y, x + w - 1, y + h - 1]; // torchvision names the last pixel
  });
  expect(found.flat()).toEqual(Array.from(of("masks.boxes").values));
});
