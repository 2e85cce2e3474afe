// Every operator's shape rule on inputs that fit and inputs that do not, and what constants fold to.
import { describe, expect, test } from "vitest";
import { HRNetError } from "../../src/errors.ts";
import { bindParameters, createGraph, parametersOf } from "../../src/graph/graph.ts";
import { emit, type Operator } from "../../src/graph/operator.ts";
import { findOperator } from "../../src/graph/operators.ts";
import { reduceSum } from "../../src/graph/ops/broadcast.ts";
import { Cast, cast } from "../../src/graph/ops/cast.ts";
import { conv, convTranspose } from "../../src/graph/ops/conv.ts";
import { add, clip, Identity, mul, relu, scale } from "../../src/graph/ops/elementwise.ts";
import { gemm, matMul } from "../../src/graph/ops/linear.ts";
import { batchNormalization, softmax } from "../../src/graph/ops/normalization.ts";
import { averagePool, globalAveragePool, maxPool } from "../../src/graph/ops/pool.ts";
import { nearestFactors, resizeBilinear, upsampleNearest } from "../../src/graph/ops/resize.ts";
import { concat, flatten, gather, reshape, slice, split, transpose } from "../../src/graph/ops/shape.ts";
import { foldConstants } from "../../src/graph/passes/fold-constants.ts";
import { constant, input, parameter, type Shape, type Value } from "../../src/graph/value.ts";
import { type Tensor, tensor } from "../../src/tensor/tensor.ts";

const x = (...shape: Shape): Value => input("x", "float32", shape);
const w = (...shape: number[]): Value => parameter("w", "float32", shape);
const int64 = (...values: number[]): Value =>
  constant(tensor("int64", [values.length], BigInt64Array.from(values, BigInt)));
const floats = (shape: readonly number[], ...values: number[]): Value =>
  constant(tensor("float32", shape, Float32Array.from(values)));
const operator = (type: string): Operator => findOperator(type, "")!;

/** The error of an operator: its code and text. */
function refusal(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    return error instanceof HRNetError ? `${error.code} ${error.message}` : `not an HRNetError: ${error}`;
  }
  return "accepted";
}

describe("shapes of inputs that fit, with an unknown batch", () => {
  test.each<[string, Value, Shape]>([
    [
      "Conv",
      conv(x("N", 3, 9, 12), w(8, 3, 3, 3), w(8), { strides: [2, 2], pads: [1, 1, 1, 1] }),
      ["N", 8, 5, 6],
    ],
    ["Conv, dilated", conv(x("N", 3, 9, 9), w(8, 3, 3, 3), undefined, { dilations: [2, 4] }), ["N", 8, 5, 1]],
    ["Conv, depthwise", conv(x("N", 6, 4, 4), w(6, 1, 3, 3), undefined, { group: 6 }), ["N", 6, 2, 2]],
    [
      "ConvTranspose 4/2/1",
      convTranspose(x("N", 5, 8, 6), w(5, 7, 4, 4), undefined, { strides: [2, 2], pads: [1, 1, 1, 1] }),
      ["N", 7, 16, 12],
    ],
    [
      "ConvTranspose, dilated",
      convTranspose(x("N", 5, 8, 6), w(5, 7, 3, 3), undefined, { dilations: [2, 3], pads: [1, 1, 1, 1] }),
      ["N", 7, 10, 10],
    ],
    [
      "ConvTranspose 3/2/1 + 1",
      convTranspose(x("N", 5, 8, 6), w(5, 7, 3, 3), w(7), {
        strides: [2, 2],
        pads: [1, 1, 1, 1],
        outputPadding: [1, 1],
      }),
      ["N", 7, 16, 12],
    ],
    ["Add, broadcast", add(x("N", 3, 1, 4), x("N", 1, 5, 1)), ["N", 3, 5, 4]],
    ["Add, lower rank", add(x("N", 3, 5, 4), w(4)), ["N", 3, 5, 4]],
    ["Mul by a number", scale(x("N", 3), 2), ["N", 3]],
    ["Clip", clip(x("N", 3), 0, 6), ["N", 3]],
    ["MatMul", matMul(x("N", 4, 5), x("N", 5, 6)), ["N", 4, 6]],
    ["MatMul, matrix first", matMul(x(2, 4), x("N", 3, 4, 5)), ["N", 3, 2, 5]],
    ["MatMul, leading 1", matMul(x(1, 2, 4), x("N", 4, 5)), ["N", 2, 5]],
    ["Gemm", gemm(x("N", 4), w(10, 4), w(10)), ["N", 10]],
    [
      "BatchNormalization",
      batchNormalization(x("N", 3, 2, 2), { scale: w(3), bias: w(3), mean: w(3), variance: w(3) }, 1e-5),
      ["N", 3, 2, 2],
    ],
    ["Softmax", softmax(x("N", 3, 7), 2), ["N", 3, 7]],
    [
      "MaxPool",
      maxPool(x("N", 3, 9, 8), { kernel: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] }),
      ["N", 3, 5, 4],
    ],
    ["AveragePool", averagePool(x("N", 3, 9, 8), { kernel: [2, 4], strides: [2, 4] }), ["N", 3, 4, 2]],
    ["GlobalAveragePool", globalAveragePool(x("N", 3, 9, 8)), ["N", 3, 1, 1]],
    ["Resize, nearest", upsampleNearest(x("N", 3, 5, 6), 4), ["N", 3, 20, 24]],
    ["Resize, bilinear", resizeBilinear(x("N", 3, 5, 6), [9, 7], true), ["N", 3, 9, 7]],
    ["Reshape, kept axis", reshape(x("N", 6, 4), [0, 2, 3, 4]), ["N", 2, 3, 4]],
    ["Reshape, rest", reshape(x("N", 6, 4), [0, -1]), ["N", 24]],
    ["Reshape, rest is the batch", reshape(x("N", 6, 4), [-1, 24]), ["N", 24]],
    ["Transpose", transpose(x("N", 2, 3), [2, 0, 1]), [3, "N", 2]],
    ["Concat", concat([x("N", 2, 3), x("N", 5, 3)], 1), ["N", 7, 3]],
    ["Concat, last axis", concat([x("N", 2, 3), x("N", 2, 4)], -1), ["N", 2, 7]],
    ["Slice", slice(x("N", 10), 1, 1, 8, 3), ["N", 3]],
    ["Slice, from the end", slice(x("N", 10), 1, -3, 1000), ["N", 3]],
    ["Slice, nothing", slice(x("N", 10), 1, 5, 2), ["N", 0]],
    ["Split", split(x("N", 10), 1, [3, 7])[1]!, ["N", 7]],
    ["Gather", gather(x("N", 10), [9, 0, 9], 1), ["N", 3]],
    ["Flatten", flatten(x("N", 3, 4, 5)), ["N", 60]],
    ["Cast", cast(x("N", 3), "float16"), ["N", 3]],
  ])("%s", (_, value, shape) => {
    expect(value.shape).toEqual(shape);
  });

  test("an axis of unknown size goes through reshape, concat, slice and product", () => {
    const parts = split(reshape(x("N", 12), [0, 3, 4]), 2, [1, 3]);
    const joined = concat([parts[1]!, parts[0]!, slice(parts[1]!, 2, 0, 1)], 2); // N×3×5
    expect(matMul(joined, transpose(joined, [0, 2, 1])).shape).toEqual(["N", 3, 3]);
  });

  test("what changes nothing adds no node", () => {
    const value = x("N", 3, 8, 8);
    expect(cast(value, "float32")).toBe(value);
    expect(concat([value], 1)).toBe(value);
    expect(reduceSum(value, [])).toBe(value);
    expect(resizeBilinear(value, [8, 8], false)).toBe(value);
  });

  test("whole factors of a nearest enlargement are read back, and of nothing else", () => {
    expect(nearestFactors(upsampleNearest(x(1, 1, 2, 2), [2, 3]).producer)).toEqual([2, 3]);
    expect(nearestFactors(resizeBilinear(x(1, 1, 2, 2), [4, 4], false).producer)).toBeUndefined();
    expect(nearestFactors(relu(x(1)).producer)).toBeUndefined();
  });

  test("pools that round up", () => {
    const attributes = { kernel_shape: [3, 3], strides: [2, 2], ceil_mode: 1 };
    expect(emit(operator("MaxPool"), [x("N", 1, 8, 9)], attributes)[0]!.shape).toEqual(["N", 1, 4, 4]);
  });
});

describe("inputs that do not fit are refused with the operator, the shapes and what was expected", () => {
  test.each<[() => unknown, RegExp]>([
    [
      () => conv(x("N", 3, 9, 9), w(8, 4, 3, 3), undefined),
      /Conv\(float32\[N×3×9×9\], float32\[8×4×3×3\]\).*4 channels/,
    ],
    [() => conv(x("N", 6, 9, 9), w(8, 2, 3, 3), undefined, { group: 3 }), /Conv\(.*3 group/],
    [() => conv(x("N", 3, 9), w(8, 3, 3, 3), undefined), /Conv\(float32\[N×3×9\].*N×C×H×W/],
    [() => conv(x("N", 3, 9, 9), w(8, 3, 3, 3), w(7)), /Conv\(.*float32\[7\].*bias must have 8/],
    [() => conv(x("N", 3, 2, 9), w(8, 3, 3, 3), undefined), /Conv\(.*smaller than the kernel/],
    [() => conv(x("N", 3, "H", 9), w(8, 3, 3, 3), undefined), /Conv\(.*height and width must be known/],
    [() => conv(cast(x("N", 3, 9, 9), "float16"), w(8, 3, 3, 3), undefined), /Conv\(float16.*share a dtype/],
    [() => convTranspose(x("N", 3, 9, 9), w(4, 8, 2, 2), undefined), /ConvTranspose\(.*takes 4 channels/],
    [
      () => convTranspose(x("N", 4, 1, 1), w(4, 8, 2, 2), undefined, { pads: [1, 1, 1, 1] }),
      /ConvTranspose\(.*leave nothing/,
    ],
    [() => emit(operator("ReduceSum"), [x(2, 3), int64()], {}), /ReduceSum\(.*at least one axis/],
    [() => add(x("N", 3), x("N", 4)), /Add\(float32\[N×3\], float32\[N×4\]\).*axis 1 has 3 and 4/],
    [() => add(x("N", 3), x("M", 3)), /Add\(.*axis 0 has N and M/],
    [() => mul(x("N", 3), cast(x("N", 3), "float16")), /Mul\(.*share a dtype/],
    [() => matMul(x("N", 4, 5), x("N", 4, 5)), /MatMul\(float32\[N×4×5\], float32\[N×4×5\]\)/],
    [() => matMul(x(2, 4, 5), x(3, 5, 4)), /MatMul\(.*axis 0 has 2 and 3/],
    [() => matMul(x(4), x(4, 4)), /MatMul\(/],
    [() => gemm(x("N", 4), w(10, 5), w(10)), /Gemm\(.*columns of A/],
    [() => gemm(x("N", 4), w(10, 4), w(9)), /Gemm\(.*float32\[9\]/],
    [() => emit(operator("Gemm"), [x(4, 4), w(4, 4)], { transA: 1 }), /Gemm\(.*transA/],
    [
      () =>
        batchNormalization(x("N", 3, 2, 2), { scale: w(3), bias: w(3), mean: w(4), variance: w(3) }, 1e-5),
      /BatchNormalization\(.*must have 3 elements/,
    ],
    [
      () => emit(operator("BatchNormalization"), [x("N", 3), w(3)], {}),
      /BatchNormalization\(.*needs 5 input/,
    ],
    [
      () => emit(operator("BatchNormalization"), [x("N", 3), w(3), w(3), w(3), w(3)], { training_mode: 1 }),
      /training_mode/,
    ],
    [() => softmax(x("N", 3), 2), /Softmax\(float32\[N×3\]\).*axis 2/],
    [() => maxPool(x("N", 3, 2, 2), { kernel: [3, 3], strides: [1, 1] }), /MaxPool\(.*3×3 window/],
    [() => averagePool(x("N", 3, 9), { kernel: [3, 3], strides: [1, 1] }), /AveragePool\(float32\[N×3×9\]/],
    [() => globalAveragePool(x("N", 3)), /GlobalAveragePool\(float32\[N×3\]/],
    [() => emit(operator("Resize"), [x("N", 3, 2, 2)], {}), /Resize\(.*scales or sizes must be constants/],
    [
      () => emit(operator("Resize"), [x("N", 3, 2, 2), undefined, floats([4], 2, 1, 1, 1)], {}),
      /Resize\(.*unknown size cannot be scaled/,
    ],
    [
      () => emit(operator("Resize"), [x("N", 3, 2, 2), undefined, floats([2], 2, 2)], {}),
      /Resize\(.*one per axis/,
    ],
    [() => reshape(x("N", 6), [0, 5]), /Reshape\(float32\[N×6\].*\[0, 5\] holds another number/],
    [() => reshape(x("N", 3), [0, 2, -1]), /Reshape\(.*another number/],
    [() => reshape(x("N", 3), [7, -1]), /Reshape\(.*cannot tell/],
    [() => reshape(x("N", 3), [0, 0, 0]), /Reshape\(.*no shape for it/],
    [() => emit(operator("Reshape"), [x("N", 3), x(2)], {}), /Reshape\(.*input 1 must be a constant/],
    [() => transpose(x("N", 3), [0]), /Transpose\(.*perm \[0\]/],
    [() => transpose(x("N", 3), [0, 0]), /Transpose\(.*perm \[0, 0\]/],
    [() => concat([x("N", 3), x("M", 3)], 1), /Concat\(float32\[N×3\], float32\[M×3\]\).*all axes but 1/],
    [() => concat([x("N", 3), x("N", 3)], 0), /Concat\(.*axis 0 must be known/],
    [() => concat([x("N", 3), x("N", 3)], 2), /Concat\(.*axis 2 is outside/],
    [() => slice(x("N", 3), 0, 0, 1), /Slice\(.*known sizes/],
    [() => slice(x("N", 3), 1, 2, 0, -1), /Slice\(.*forward steps/],
    [() => slice(x("N", 3), 5, 0, 1), /Slice\(.*axis 5/],
    [() => split(x("N", 10), 1, [3, 6]), /Split\(.*\[3, 6\] must add up/],
    [() => split(x("N", 10), 1, [11, -1]), /Split\(.*must add up/],
    [() => gather(x("N", 3), [3], 1), /Gather\(.*must lie on axis 1/],
    [() => flatten(x("N", "C", 3)), /Flatten\(/],
    [() => emit(operator("Relu"), [], {}), /Relu\(\).*needs 1 input/],
    [() => emit(operator("Add"), [x(1)], {}), /Add\(.*needs 2 input/],
    [() => emit(Cast, [x(1)], { to: 99 }), /99/],
  ])("%s", (action, message) => {
    const text = refusal(action);
    expect(text).toMatch(message);
    expect(text).toMatch(/^invalid-/);
  });
});

describe("folding constants", () => {
  const folded = (value: Value): Tensor | undefined =>
    foldConstants(createGraph([], { y: value })).outputs["y"]!.data;

  test("sums and products with broadcasting", () => {
    const a = floats([2, 1], 1, 2);
    const b = floats([3], 10, 20, 30);
    expect([...folded(add(a, b))!.data]).toEqual([11, 21, 31, 12, 22, 32]);
    expect(folded(mul(a, b))).toMatchObject({ shape: [2, 3] });
    expect([...folded(mul(a, b))!.data]).toEqual([10, 20, 30, 20, 40, 60]);
    expect([...folded(add(b, floats([], 1)))!.data]).toEqual([11, 21, 31]);
  });

  test("transposed and reshaped", () => {
    const matrix = floats([2, 3], 1, 2, 3, 4, 5, 6);
    expect(folded(transpose(matrix, [1, 0]))).toMatchObject({ shape: [3, 2] });
    expect([...folded(transpose(matrix, [1, 0]))!.data]).toEqual([1, 4, 2, 5, 3, 6]);
    const cube = floats([2, 3, 2], ...Array.from({ length: 12 }, (_, i) => i));
    // numpy: np.arange(12).reshape(2, 3, 2).transpose(2, 0, 1).ravel()
    expect([...folded(transpose(cube, [2, 0, 1]))!.data]).toEqual([0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11]);
    expect(folded(reshape(matrix, [3, -1]))).toMatchObject({ shape: [3, 2] });
    expect(folded(reshape(matrix, [0, 3, 1]))).toMatchObject({ shape: [2, 3, 1] });
  });

  test("chains fold to one constant, what hangs on an input stays, no-ops go", () => {
    const sum = add(mul(floats([2], 2, 3), floats([2], 5, 7)), floats([2], 1, 1));
    const y = add(reshape(transpose(x("N", 2), [0, 1]), [0, 2]), sum);
    const graph = foldConstants(createGraph([x("N", 2)], { y: emit(Identity, [y], {})[0]! }));
    expect(graph.nodes.map((node) => node.operator.type)).toEqual(["Add"]);
    expect([...graph.nodes[0]!.inputs[1]!.data!.data]).toEqual([11, 22]);
  });

  test("a constant that no operator here computes stays a node", () => {
    const graph = foldConstants(createGraph([], { y: relu(floats([1], -1)) }));
    expect(graph.nodes.map((node) => node.operator.type)).toEqual(["Relu"]);
    const whole = foldConstants(createGraph([], { y: reshape(int64(1, 2), [2, 1]) }));
    expect(whole.outputs["y"]!.data!.shape).toEqual([2, 1]);
  });
});

describe("graphs", () => {
  const weight = parameter("conv.weight", "float32", [2, 3, 1, 1]);
  const image = x("N", 3, 4, 4);
  const y = conv(image, weight, undefined);
  const graph = createGraph([image], { y, z: relu(y) });

  test("hold each node once, producers first, and nothing that no output needs", () => {
    softmax(y, 1);
    expect(graph.nodes.map((node) => node.operator.type)).toEqual(["Conv", "Relu"]);
    expect([...parametersOf(graph).keys()]).toEqual(["conv.weight"]);
  });

  test("a weight that is missing or of another shape is named", () => {
    expect(() => bindParameters(graph, new Map())).toThrow(/weight conv\.weight is missing/);
    const wrong = new Map([["conv.weight", tensor("float32", [2, 3, 3, 3])]]);
    expect(() => bindParameters(graph, wrong)).toThrow(/conv\.weight has shape .*2×3×3×3.*needs .*2×3×1×1/);
  });

  test("thousands of nodes in a row do not exhaust the stack", () => {
    let deep: Value = image;
    for (let i = 0; i < 20_000; i++) deep = relu(deep);
    expect(createGraph([image], { deep }).nodes.length).toBe(20_000);
  });
});
