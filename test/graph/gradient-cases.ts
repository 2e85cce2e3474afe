// The table of operators and attributes whose gradients are checked. An operator with a gradient rule must have a row.
import { emitOne, type Operator } from "../../src/graph/operator.ts";
import { Expand, expand, ReduceSum, reduceSum } from "../../src/graph/ops/broadcast.ts";
import { Cast, cast } from "../../src/graph/ops/cast.ts";
import { Conv, ConvTranspose, conv, convTranspose } from "../../src/graph/ops/conv.ts";
import * as e from "../../src/graph/ops/elementwise.ts";
import { Gemm, gemm, MatMul, matMul } from "../../src/graph/ops/linear.ts";
import * as norm from "../../src/graph/ops/normalization.ts";
import * as pool from "../../src/graph/ops/pool.ts";
import { Resize, resizeBilinear, upsampleNearest } from "../../src/graph/ops/resize.ts";
import { RoiAlign, roiAlign } from "../../src/graph/ops/roi-align.ts";
import { TopK, topK } from "../../src/graph/ops/scatter.ts";
import { GatherND, gatherRows } from "../../src/graph/ops/select.ts";
import * as shape from "../../src/graph/ops/shape.ts";
import { constant, type Value } from "../../src/graph/value.ts";
import { adaptiveAveragePool, channelShuffle } from "../../src/nn/blocks.ts";
import { type Tensor, tensor } from "../../src/tensor/tensor.ts";
import { CONVOLUTIONS, type ConvGeometry, TRANSPOSED_CONVOLUTIONS } from "./conv-geometries.ts";
import { any, besides, LARGEST_STEP, ordered, positive, type Source, signs } from "./gradient-sources.ts";

/** A function of some inputs, made with one operator above all. */
export interface GradientCase {
  readonly operator: Operator;
  readonly name: string;
  readonly inputs: readonly Source[];
  readonly build: (...inputs: Value[]) => Value | readonly Value[];
}

const fixed = (size: readonly number[], f: (i: number) => number): Value => {
  const result: Tensor<"float32"> = tensor("float32", size);
  return constant({ ...result, data: result.data.map((_, i) => f(i)) });
};
const ints = (...values: number[]): Value =>
  constant(tensor("int64", [values.length], BigInt64Array.from(values, BigInt)));

const reshapedInts = (size: readonly number[], ...values: number[]): Value =>
  constant(tensor("int64", size, BigInt64Array.from(values, BigInt)));

/** Rows of one operator. */
const of = (
  operator: Operator,
  rows: readonly (readonly [string, readonly Source[], GradientCase["build"]])[],
): GradientCase[] => rows.map(([name, inputs, build]) => ({ operator, name, inputs, build }));

const convolutions = (
  operator: Operator,
  geometries: readonly ConvGeometry[],
  apply: typeof conv,
): GradientCase[] =>
  geometries.map(([name, x, weight, options]) => ({
    operator,
    name,
    inputs: [any(...x), any(...weight)],
    build: (a, w) => apply(a!, w!, undefined, options),
  }));

/** Pairs of shapes that broadcast in every way. */
const BROADCASTS: readonly (readonly [string, readonly number[], readonly number[]])[] = [
  ["equal shapes", [2, 3, 4], [2, 3, 4]],
  ["per channel", [2, 3, 2, 2], [1, 3, 1, 1]],
  ["gate per sample and channel", [2, 3, 2, 2], [2, 3, 1, 1]],
  ["both ways", [2, 1, 4], [1, 3, 1]],
  ["higher rank first", [2, 3, 4], [4]],
  ["higher rank second", [3, 1], [2, 3, 4]],
  ["a number first", [], [2, 3]],
  ["a number second", [2, 3], []],
  ["ones that stay", [1, 3, 1], [1, 3, 1]],
  ["one element each", [1], [1, 1]],
];

const binary = (operator: Operator, f: (a: Value, b: Value) => Value, second: typeof any): GradientCase[] =>
  of(
    operator,
    BROADCASTS.map(([name, a, b]) => [name, [any(...a), second(...b)], (x, y) => f(x!, y!)] as const),
  );

const ELEMENTWISE: readonly GradientCase[] = [
  ...binary(e.Add, e.add, any),
  ...binary(e.Sub, e.sub, any),
  ...binary(e.Mul, e.mul, any),
  ...binary(e.Div, e.div, positive),
  ...of(e.Max, [["of two", [ordered(2, 3), signs(2, 3)], (x, y) => e.max(x!, e.scale(y!, 0.4))]]),
  ...of(e.Add, [["of a value and itself", [any(2, 3)], (x) => e.add(x!, x!)]]),
  ...of(e.Mul, [
    ["of a value and itself", [any(2, 3)], (x) => e.mul(x!, x!)],
    ["by a constant", [any(2, 3)], (x) => e.scale(x!, -2.5)],
  ]),
  ...of(e.Div, [
    [
      "of a constant",
      [positive(2, 3)],
      (x) =>
        e.div(
          fixed([3], (i) => i - 1),
          x!,
        ),
    ],
  ]),
  ...of(e.Sub, [
    [
      "from a constant",
      [any(2, 3)],
      (x) =>
        e.sub(
          fixed([], () => 1),
          x!,
        ),
    ],
  ]),
  ...of(e.Identity, [["", [any(2, 3)], (x) => emitOne(e.Identity, [x], {})]]),
  ...of(e.Neg, [["", [any(2, 3)], (x) => e.neg(x!)]]),
  ...of(e.Sqrt, [["", [positive(2, 3)], (x) => e.sqrt(x!)]]),
  ...of(e.Exp, [["", [any(2, 3)], (x) => e.exp(x!)]]),
  ...of(e.Log, [["", [positive(2, 3)], (x) => e.log(x!)]]),
  ...of(e.Sign, [["added to its argument", [besides([0], 2, 5)], (x) => e.add(e.sign(x!), x!)]]),
  ...of(e.Relu, [["", [besides([0], 4, 5)], (x) => e.relu(x!)]]),
  ...of(e.Sigmoid, [["", [any(4, 5)], (x) => e.sigmoid(x!)]]),
  ...of(e.Clip, [
    ["between two bounds", [besides([0, 6], 4, 5)], (x) => e.clip(x!, 0, 6)],
    ["from below", [besides([1], 4, 5)], (x) => emitOne(e.Clip, [x, fixed([], () => 1)], {})],
    ["from above", [besides([1], 4, 5)], (x) => emitOne(e.Clip, [x, undefined, fixed([], () => 1)], {})],
    ["without bounds", [any(4)], (x) => emitOne(e.Clip, [x], {})],
  ]),
  ...of(e.Where, [
    [
      "by a constant",
      [any(2, 3), any(2, 3)],
      (a, b) =>
        e.where(
          e.greater(
            fixed([2, 3], (i) => i % 2),
            fixed([], () => 0),
          ),
          a!,
          b!,
        ),
    ],
    [
      "by values of its own",
      [ordered(3, 4), any(4)],
      (a, b) =>
        e.where(
          e.less(
            a!,
            fixed([], () => 1.5 * LARGEST_STEP),
          ),
          a!,
          b!,
        ),
    ],
    [
      "condition broadcast",
      [any(2, 3, 4), any(3, 1)],
      (a, b) =>
        e.where(
          e.greater(
            fixed([4], (i) => i - 2),
            fixed([], () => 0),
          ),
          a!,
          b!,
        ),
    ],
    [
      "everything broadcast",
      [any(3, 1), any(1, 4)],
      (a, b) =>
        e.where(
          e.greater(
            fixed([2, 1, 1], (i) => i),
            fixed([], () => 0),
          ),
          a!,
          b!,
        ),
    ],
    [
      "a constant else",
      [any(3)],
      (a) =>
        e.where(
          e.greater(
            fixed([3], (i) => i - 1),
            fixed([], () => 0),
          ),
          a!,
          fixed([], () => 7),
        ),
    ],
  ]),
  ...of(Cast, [["to float64 and back", [any(2, 3)], (x) => cast(cast(x!, "float64"), "float32")]]),
];

const REDUCTIONS: readonly GradientCase[] = [
  ...of(Expand, [
    ["ones", [any(2, 1, 3)], (x) => expand(x!, [2, 4, 3])],
    ["to a higher rank", [any(3, 1)], (x) => expand(x!, [2, 3, 4])],
    ["a number", [any()], (x) => expand(x!, [2, 3])],
    ["by a smaller target", [any(2, 3)], (x) => emitOne(Expand, [x, ints(1)], {})],
  ]),
  ...of(ReduceSum, [
    ["one axis, kept", [any(2, 3, 4)], (x) => reduceSum(x!, [1])],
    ["one axis, dropped", [any(2, 3, 4)], (x) => reduceSum(x!, [1], false)],
    ["several axes, kept", [any(2, 3, 4, 2)], (x) => reduceSum(x!, [0, 2, 3])],
    ["several axes, dropped", [any(2, 3, 4, 2)], (x) => reduceSum(x!, [0, 2, 3], false)],
    ["all axes", [any(2, 3)], (x) => reduceSum(x!, [0, 1], false)],
    ["an axis from the end", [any(2, 3, 4)], (x) => reduceSum(x!, [-1, 0], false)],
    ["axes in another order", [any(2, 3, 4)], (x) => reduceSum(x!, [2, 0], false)],
  ]),
];

const CONVS: readonly GradientCase[] = [
  ...convolutions(Conv, CONVOLUTIONS, conv),
  ...convolutions(ConvTranspose, TRANSPOSED_CONVOLUTIONS, convTranspose),
  ...of(Conv, [
    [
      "with bias",
      [any(2, 3, 5, 4), any(4, 3, 3, 3), any(4)],
      (x, w, b) => conv(x!, w!, b, { strides: [2, 2], pads: [1, 1, 1, 1] }),
    ],
    [
      "weight used twice",
      [any(2, 3, 4, 4), any(3, 3, 3, 3)],
      (x, w) => conv(conv(x!, w!, undefined, { pads: [1, 1, 1, 1] }), w!, undefined),
    ],
    ["of constants", [any(2, 2, 3, 3)], (w) => conv(fixed([1, 2, 5, 5], Math.sin), w!, undefined)],
    ["by constants", [any(1, 2, 5, 5)], (x) => conv(x!, fixed([2, 2, 3, 3], Math.sin), undefined)],
    ["attributes left out", [any(1, 2, 5, 5), any(2, 2, 3, 3)], (x, w) => emitOne(Conv, [x, w], {})],
  ]),
  ...of(ConvTranspose, [
    [
      "with bias",
      [any(2, 3, 3, 2), any(3, 4, 2, 2), any(4)],
      (x, w, b) => convTranspose(x!, w!, b, { strides: [2, 2] }),
    ],
    ["attributes left out", [any(1, 2, 3, 3), any(2, 2, 3, 3)], (x, w) => emitOne(ConvTranspose, [x, w], {})],
  ]),
];

const LINEAR: readonly GradientCase[] = [
  ...of(MatMul, [
    ["matrices", [any(2, 3), any(3, 4)], (a, b) => matMul(a!, b!)],
    ["batches", [any(2, 3, 4), any(2, 4, 2)], (a, b) => matMul(a!, b!)],
    ["two leading axes", [any(2, 3, 2, 4), any(2, 3, 4, 3)], (a, b) => matMul(a!, b!)],
    ["a matrix first", [any(3, 4), any(2, 2, 4, 3)], (a, b) => matMul(a!, b!)],
    ["a matrix second", [any(2, 2, 3, 4), any(4, 3)], (a, b) => matMul(a!, b!)],
    ["leading axes broadcast both ways", [any(2, 1, 3, 4), any(1, 3, 4, 2)], (a, b) => matMul(a!, b!)],
    ["a leading 1", [any(1, 2, 4), any(3, 4, 2)], (a, b) => matMul(a!, b!)],
    ["adaptive pooling", [any(2, 3, 5, 7)], (x) => adaptiveAveragePool(x!, [2, 3])],
  ]),
  ...of(Gemm, [
    ["a layer", [any(3, 4), any(5, 4), any(5)], (x, w, b) => gemm(x!, w!, b)],
    ["without bias", [any(3, 4), any(5, 4)], (x, w) => gemm(x!, w!, undefined)],
    ["B not transposed", [any(3, 4), any(4, 5), any(5)], (a, b, c) => emitOne(Gemm, [a, b, c], {})],
    [
      "factors",
      [any(3, 4), any(5, 4), any(5)],
      (a, b, c) => emitOne(Gemm, [a, b, c], { alpha: 2, beta: -3, transB: 1 }),
    ],
    ["bias per row", [any(3, 4), any(5, 4), any(3, 1)], (x, w, b) => gemm(x!, w!, b)],
    ["a number as bias", [any(3, 4), any(5, 4), any()], (x, w, b) => gemm(x!, w!, b)],
  ]),
];

const stored = () => ({ mean: fixed([3], (i) => i / 2 - 0.5), variance: fixed([3], (i) => 0.5 + i) });
const trained = (epsilon: number) => (x: Value | undefined, s: Value | undefined, b: Value | undefined) =>
  norm.batchNormalizationTraining(x!, s!, b!, epsilon).y;

const NORMALIZATION: readonly GradientCase[] = [
  ...of(norm.BatchNormalization, [
    [
      "",
      [any(2, 3, 3, 2), any(3), any(3)],
      (x, s, b) => norm.batchNormalization(x!, { scale: s!, bias: b!, ...stored() }, 1e-5),
    ],
    [
      "large ε",
      [any(2, 3, 3, 2), any(3), any(3)],
      (x, s, b) => norm.batchNormalization(x!, { scale: s!, bias: b!, ...stored() }, 0.3),
    ],
    [
      "ε left out",
      [any(1, 3, 1, 1), any(3), any(3)],
      (x, s, b) => emitOne(norm.BatchNormalization, [x, s, b, stored().mean, stored().variance], {}),
    ],
  ]),
  ...of(norm.BatchNormalizationTraining, [
    ["", [any(3, 3, 4, 2), any(3), any(3)], trained(1e-5)],
    ["large ε", [any(3, 3, 4, 2), any(3), any(3)], trained(0.3)],
    ["one sample", [any(1, 2, 4, 5), any(2), any(2)], trained(1e-5)],
    ["one pixel", [any(12, 4, 1, 1), any(4), any(4)], trained(1e-5)],
    ["one channel", [any(4, 1, 3, 3), any(1), any(1)], trained(1e-5)],
    ["one channel again", [any(4, 1, 3, 3), any(1), any(1)], trained(1e-5)],
    [
      "two in a row",
      [any(4, 2, 4, 3), positive(2), any(2)], // a small scale would make differences far from derivatives
      (x, s, b) => trained(1e-5)(e.sigmoid(trained(1e-5)(x, s, b)), s, b),
    ],
    [
      "on few channels twice",
      [any(4, 1, 4, 3), positive(1), any(1)],
      (x, s, b) => trained(1e-5)(e.sigmoid(trained(1e-5)(x, s, b)), s, b),
    ],
    [
      "after a convolution",
      [any(3, 2, 4, 4), any(3, 2, 3, 3), any(3)],
      (x, w, b) => trained(1e-5)(conv(x!, w!, undefined), b, b),
    ],
  ]),
  ...of(norm.LogSoftmax, [
    ["last axis", [any(2, 3, 4)], (x) => norm.logSoftmax(x!, -1)],
    ["channels of a map", [any(2, 3, 2, 2)], (x) => norm.logSoftmax(x!, 1)],
    ["one class", [any(2, 1)], (x) => e.add(norm.logSoftmax(x!, 1), x!)],
  ]),
  ...of(norm.Softmax, [
    ["last axis", [any(2, 3, 4)], (x) => norm.softmax(x!, -1)],
    ["middle axis", [any(2, 3, 4)], (x) => norm.softmax(x!, 1)],
    ["first axis", [any(3, 4)], (x) => norm.softmax(x!, 0)],
    ["channels of a map", [any(2, 3, 2, 2)], (x) => norm.softmax(x!, 1)],
    ["axis left out", [any(2, 5)], (x) => emitOne(norm.Softmax, [x], {})],
    ["one class", [any(2, 1)], (x) => e.add(norm.softmax(x!, 1), x!)],
  ]),
];

const window = (size: number, stride: number, pads: number): pool.PoolOptions => ({
  kernel: [size, size],
  strides: [stride, stride],
  pads: [pads, pads, pads, pads],
});

const POOLING: readonly GradientCase[] = [
  ...of(pool.MaxPool, [
    ["3×3, stride 2, even map", [ordered(2, 3, 6, 8)], (x) => pool.maxPool(x!, window(3, 2, 1))],
    ["3×3, stride 2, odd map", [ordered(2, 2, 7, 5)], (x) => pool.maxPool(x!, window(3, 2, 1))],
    ["2×2, stride 2", [ordered(1, 2, 4, 6)], (x) => pool.maxPool(x!, window(2, 2, 0))],
    ["windows that overlap", [ordered(2, 1, 5, 5)], (x) => pool.maxPool(x!, window(3, 1, 1))],
    [
      "rounded up",
      [ordered(1, 2, 6, 7)],
      (x) => emitOne(pool.MaxPool, [x], { kernel_shape: [3, 3], strides: [2, 2], ceil_mode: 1 }),
    ],
  ]),
  ...of(pool.AveragePool, [
    ["2×2", [any(2, 3, 4, 6)], (x) => pool.averagePool(x!, window(2, 2, 0))],
    ["4×3", [any(1, 2, 8, 6)], (x) => pool.averagePool(x!, { kernel: [4, 3], strides: [4, 3] })],
    ["1×1", [any(1, 2, 3, 2)], (x) => pool.averagePool(x!, window(1, 1, 0))],
    ["the whole map", [any(1, 2, 5, 3)], (x) => pool.averagePool(x!, { kernel: [5, 3], strides: [5, 3] })],
    ["a rest left over", [any(2, 3, 5, 7)], (x) => pool.averagePool(x!, window(2, 2, 0))],
    ["adaptive", [any(2, 2, 6, 4)], (x) => adaptiveAveragePool(x!, [3, 2])],
  ]),
  ...of(pool.GlobalAveragePool, [
    ["", [any(2, 3, 4, 5)], (x) => pool.globalAveragePool(x!)],
    ["one pixel", [any(2, 3, 1, 1)], (x) => pool.globalAveragePool(x!)],
    ["as a gate", [any(2, 3, 2, 4)], (x) => e.mul(e.sigmoid(pool.globalAveragePool(x!)), x!)],
  ]),
];

const SIZES: readonly (readonly [number, number])[] = [
  [8, 12],
  [7, 5],
  [2, 3],
  [3, 11],
  [4, 9],
  [1, 1],
];

const RESIZING: readonly GradientCase[] = [
  ...of(Resize, [
    ...([1, 2, 4, [2, 3], [1, 2]] as const).map(
      (factor) =>
        [
          `nearest, ${factor}`,
          [any(2, 2, 3, 2)],
          (x: Value | undefined) => upsampleNearest(x!, factor),
        ] as const,
    ),
    ...[true, false].flatMap((aligned) =>
      SIZES.map(
        (size) =>
          [
            `4×6 to ${size.join("×")}, ${aligned ? "corners aligned" : "areas"}`,
            [any(2, 2, 4, 6)],
            (x: Value | undefined) => resizeBilinear(x!, size, aligned),
          ] as const,
      ),
    ),
    ["one pixel enlarged, corners aligned", [any(1, 2, 1, 1)], (x) => resizeBilinear(x!, [3, 4], true)],
    ["one pixel enlarged, areas", [any(1, 2, 1, 1)], (x) => resizeBilinear(x!, [3, 4], false)],
  ]),
];

const MOVES: readonly GradientCase[] = [
  ...of(shape.Reshape, [
    ["", [any(2, 6)], (x) => shape.reshape(x!, [3, 4])],
    ["kept and open axes", [any(2, 6, 2)], (x) => shape.reshape(x!, [0, -1, 3])],
    ["to a number", [any(1, 1)], (x) => shape.reshape(x!, [])],
    ["channel shuffle", [any(2, 6, 2, 3)], (x) => channelShuffle(x!, 2)],
  ]),
  ...of(shape.Transpose, [
    ["two axes", [any(2, 3)], (x) => shape.transpose(x!, [1, 0])],
    ["a cycle", [any(2, 3, 4)], (x) => shape.transpose(x!, [2, 0, 1])],
    ["four axes", [any(2, 3, 4, 2)], (x) => shape.transpose(x!, [3, 0, 2, 1])],
  ]),
  ...of(shape.Concat, [
    ["channels", [any(2, 1, 3), any(2, 3, 3), any(2, 2, 3)], (a, b, c) => shape.concat([a!, b!, c!], 1)],
    ["last axis", [any(2, 2), any(2, 3)], (a, b) => shape.concat([a!, b!], -1)],
    ["one value twice", [any(2, 2), any(2, 3)], (a, b) => shape.concat([a!, b!, a!], 1)],
    ["a constant among them", [any(2, 2)], (a) => shape.concat([fixed([1, 2], (i) => i), a!], 0)],
  ]),
  ...of(shape.Slice, [
    ["", [any(2, 7)], (x) => shape.slice(x!, 1, 2, 5)],
    ["all of it", [any(2, 7)], (x) => shape.slice(x!, 1, 0, 7)],
    ["from the end", [any(2, 7)], (x) => shape.slice(x!, 1, -3, 1000)],
    ["to before the end", [any(2, 7)], (x) => shape.slice(x!, -1, 1, -2)],
    ["from before the start", [any(2, 7)], (x) => shape.slice(x!, 1, -100, 3)],
    ["step 2", [any(2, 7)], (x) => shape.slice(x!, 1, 0, 7, 2)],
    ["step 2, from 1", [any(7, 2)], (x) => shape.slice(x!, 0, 1, 7, 2)],
    ["step 3, cut short", [any(2, 8, 2)], (x) => shape.slice(x!, 1, 1, 6, 3)],
    ["step beyond the end", [any(2, 5)], (x) => shape.slice(x!, 1, 3, 5, 4)],
    [
      "several axes",
      [any(4, 5, 6)],
      (x) => emitOne(shape.Slice, [x, ints(1, 0), ints(4, 6), ints(0, 2), ints(2, 3)], {}),
    ],
    ["axes left out", [any(4, 5)], (x) => emitOne(shape.Slice, [x, ints(1, 2), ints(3, 5)], {})],
  ]),
  ...of(shape.Pad, [
    ["both sides", [any(2, 3)], (x) => shape.pad(x!, [0, 1, 2, 3])],
    ["cut", [any(4, 5)], (x) => shape.pad(x!, [-1, 0, 0, -2])],
    ["cut and padded", [any(4, 5)], (x) => shape.pad(x!, [-1, 2, 1, -2])],
    ["one axis", [any(2, 3, 2)], (x) => shape.padAxis(x!, 1, 2, 1)],
  ]),
  ...of(shape.Split, [
    ["all parts", [any(2, 6)], (x) => shape.split(x!, 1, [1, 2, 3])],
    ["an unused part", [any(2, 6)], (x) => [shape.split(x!, 1, [1, 2, 3])[1]!]],
    [
      "first axis, first part used twice",
      [any(5, 2)],
      (x) => {
        const [first, second] = shape.split(x!, 0, [2, 3]);
        return [e.mul(first!, first!), second!];
      },
    ],
    ["axis from the end", [any(2, 6)], (x) => shape.split(x!, -1, [4, 2])[0]!],
    ["axis left out", [any(4, 2)], (x) => emitOne(shape.Split, [x, ints(1, 3)], {})],
  ]),
  ...of(shape.Flatten, [["", [any(2, 3, 2, 2)], (x) => shape.flatten(x!)]]),
  ...of(shape.Gather, [
    ["all, in another order", [any(2, 4)], (x) => shape.gather(x!, [2, 0, 3, 1], 1)],
    ["some", [any(5, 2)], (x) => shape.gather(x!, [4, 1], 0)],
    ["axis from the end", [any(2, 3, 4)], (x) => shape.gather(x!, [3, 0], -1)],
    ["one", [any(2, 3, 4)], (x) => shape.gather(x!, [1], 1)],
  ]),
  ...of(
    RoiAlign,
    ([true, false] as const).map((aligned) => [
      aligned ? "rectangles of two samples, one beyond the border" : "corners on cells",
      [any(2, 3, 5, 6)],
      (x) =>
        roiAlign(
          x!,
          fixed([3, 4], (i) => [1.5, 2, 9, 8.5, 4, 3, 11, 9, -6, -4, 3, 20][i]!),
          ints(0, 1, 0),
          { output: [2, 3], spatialScale: 0.5, samples: 2, aligned },
        ),
    ]),
  ),
  ...of(GatherND, [
    ["rows of a table, one of them twice", [any(5, 2)], (x) => gatherRows(x!, ints(3, 0, 3))],
    ["rows in a grid", [any(4, 3)], (x) => gatherRows(x!, reshapedInts([2, 2], 1, 3, 3, 0))],
  ]),
  ...of(TopK, [
    ["of a row", [ordered(3, 6)], (x) => topK(x!, 2, 1).values],
    ["first axis", [ordered(5, 3)], (x) => topK(x!, 3, 0).values],
    ["all", [ordered(2, 4)], (x) => topK(x!, 4, -1).values],
    ["smallest", [ordered(2, 6)], (x) => emitOne(TopK, [x, ints(2)], { axis: 1, largest: 0, sorted: 1 })],
  ]),
];

/** Whole expressions, where gradients meet. */
const EXPRESSIONS: readonly GradientCase[] = [
  ...of(e.Add, [
    ["a value read four times", [any(2, 3)], (x) => e.add(e.mul(e.exp(x!), x!), e.mul(e.sigmoid(x!), x!))],
    [
      "a residual",
      [signs(2, 2, 3, 3), any(2, 2, 3, 3)],
      (x, w) => e.add(conv(x!, w!, undefined, { pads: [1, 1, 1, 1] }), x!),
    ],
  ]),
  ...of(norm.Softmax, [
    [
      "attention",
      [any(2, 3, 4), any(2, 4, 5), any(2, 5, 3)],
      (q, k, v) => matMul(norm.softmax(e.scale(matMul(q!, k!), 0.5), 2), v!),
    ],
  ]),
  ...of(e.Log, [
    [
      "cross entropy",
      [any(3, 4)],
      (x) => {
        const exps = e.exp(x!);
        return e.sub(x!, e.log(reduceSum(exps, [1])));
      },
    ],
  ]),
];

/** Every case. */
export const GRADIENT_CASES: readonly GradientCase[] = [
  ...ELEMENTWISE,
  ...REDUCTIONS,
  ...CONVS,
  ...LINEAR,
  ...NORMALIZATION,
  ...POOLING,
  ...RESIZING,
  ...MOVES,
  ...EXPRESSIONS,
];
