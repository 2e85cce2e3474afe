// Scales and windows of published methods: against the loops of the official code, run over the same sizes.
import { describe, expect, test } from "vitest";
import {
  checkMethod,
  describeMethod,
  INFERENCE_METHODS,
  type InferenceMethod,
  planInference,
} from "../../src/segmentation/inference-method.ts";

const { cityscapes, lip, whole } = INFERENCE_METHODS;
const pascal = INFERENCE_METHODS["pascal-context"];

/** Every pair of a start on the one axis with one on the other, rows first. */
const grid = (
  xs: readonly number[],
  ys: readonly number[],
  size: readonly [number, number],
  within: readonly [number, number],
) =>
  ys.flatMap((y) =>
    xs.map((x) => [x, y, Math.min(size[1], within[1] - x), Math.min(size[0], within[0] - y)] as const),
  );

const CASES: readonly (readonly [
  name: string,
  method: InferenceMethod,
  scale: number,
  picture: readonly [number, number],
  size: readonly [number, number],
  input: readonly [number, number],
  windows: readonly (readonly number[])[],
])[] = [
  [
    "shifted inside",
    cityscapes,
    1.25,
    [1024, 2048],
    [1280, 2560],
    [512, 1024],
    grid([0, 1024, 1536], [0, 512, 768], [512, 1024], [1280, 2560]),
  ],
  [
    "shifted on one axis",
    cityscapes,
    1.5,
    [700, 1500],
    [1434, 3072],
    [512, 1024],
    grid([0, 1024, 2048], [0, 512, 922], [512, 1024], [1434, 3072]),
  ],
  ["whole up to scale 1", cityscapes, 0.75, [1024, 2048], [768, 1536], [768, 1536], [[0, 0, 1536, 768]]],
  [
    "padded on one axis",
    pascal,
    1,
    [375, 500],
    [390, 520],
    [480, 480],
    grid([0, 320], [0], [480, 480], [390, 520]),
  ],
  [
    "padded at the end",
    pascal,
    2,
    [500, 375],
    [1040, 780],
    [480, 480],
    grid([0, 320], [0, 320, 640], [480, 480], [1040, 780]),
  ],
  ["one padded window", pascal, 0.75, [375, 500], [293, 390], [480, 480], [[0, 0, 390, 293]]],
  [
    "lower than a window",
    pascal,
    1.75,
    [200, 500],
    [364, 910],
    [480, 480],
    grid([0, 320, 640], [0], [480, 480], [364, 910]),
  ],
];

test.each(CASES)("%s", (_, method, scale, picture, size, input, windows) => {
  const plan = planInference({ ...method, scales: [scale] }, picture);
  expect(plan.frame).toEqual(picture);
  expect(plan.scales).toHaveLength(1);
  expect(plan.scales[0]).toMatchObject({ size, input });
  expect(plan.scales[0]!.windows.map(({ x, y, width, height }) => [x, y, width, height])).toEqual(windows);
});

test("pictures brought to a size, or to a shorter side and multiples", () => {
  expect(planInference(lip, [321, 200])).toMatchObject({ content: [473, 473], frame: [473, 473] });
  const plan = planInference(INFERENCE_METHODS["pascal-context-ocr"], [375, 500]);
  expect(plan).toMatchObject({ content: [520, 693], frame: [520, 696] });
  expect(plan.scales[0]).toMatchObject({ size: [520, 696], input: [520, 696] });
  expect(planInference({ ...whole, scales: [0.5] }, [375, 500]).scales[0]!.size).toEqual([188, 250]);
});

test("in words", () => {
  expect(describeMethod(whole, false)).toBe("pictures at their own size; single scale; no flip test");
  expect(describeMethod({ ...cityscapes, scales: [0.5, 1, 1.5] }, true)).toBe(
    "longer side 2048; scales 0.5, 1, 1.5; windows of 512×1024, side by side above scale 1; flip test",
  );
  expect(describeMethod(cityscapes, false)).toBe("longer side 2048; single scale; no flip test");
  expect(describeMethod(pascal, false)).toBe(
    "longer side 520; single scale; windows of 480×480, stride 0.67, padded; no flip test",
  );
});

describe("refuses", () => {
  test.each([
    ["no scales", { ...whole, scales: [] }],
    ["a scale of 0", { ...whole, scales: [1, 0] }],
    ["a side of half a pixel", { ...whole, fit: { kind: "long-side", length: 0.5 } }],
    ["windows that stand still", { ...pascal, windows: { ...pascal.windows, stride: 0 } }],
  ] as const)("%s", (_, method) => {
    expect(() => checkMethod(method as InferenceMethod)).toThrowError(
      expect.objectContaining({ code: "usage" }),
    );
  });
});
