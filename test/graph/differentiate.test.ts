// Gradients of every operator against finite differences of what the engine computes, on every device; how gradients meet.
import { beforeAll, describe, expect, test } from "vitest";
import { HRNetError } from "../../src/errors.ts";
import { differentiate } from "../../src/graph/differentiate.ts";
import { createGraph } from "../../src/graph/graph.ts";
import type { Target } from "../../src/graph/lowering/target.ts";
import { graphToModel } from "../../src/graph/onnx.ts";
import { encodeModel } from "../../src/graph/onnx-proto.ts";
import { emitOne } from "../../src/graph/operator.ts";
import { registeredOperators } from "../../src/graph/operators.ts";
import { reduceSum } from "../../src/graph/ops/broadcast.ts";
import { cast } from "../../src/graph/ops/cast.ts";
import { conv } from "../../src/graph/ops/conv.ts";
import { add, clip, exp, mul, relu, scale, sign } from "../../src/graph/ops/elementwise.ts";
import { fusedMatMul } from "../../src/graph/ops/linear.ts";
import { batchNormalizationTraining } from "../../src/graph/ops/normalization.ts";
import { averagePool, globalAveragePool } from "../../src/graph/ops/pool.ts";
import { Resize } from "../../src/graph/ops/resize.ts";
import { argMax } from "../../src/graph/ops/scatter.ts";
import { gather, slice } from "../../src/graph/ops/shape.ts";
import { constant, input, parameter, type Value } from "../../src/graph/value.ts";
import { describeDevices } from "../../src/runtime/describe-devices.ts";
import { openSession } from "../../src/runtime/node.ts";
import type { Device } from "../../src/runtime/session.ts";
import { tensor } from "../../src/tensor/tensor.ts";
import { GPU, TARGETS } from "../helpers/targets.ts";
import { GRADIENT_CASES } from "./gradient-cases.ts";
import {
  type Backward,
  type Derivatives,
  differences,
  gradientOf,
  problemOf,
  runBackward,
} from "./gradient-runs.ts";
import { LARGEST_STEP } from "./gradient-sources.ts";

const PROBLEMS = GRADIENT_CASES.map(problemOf);

/** Directions tried for each input. An error in a single element of n shows in each of them, as 1/√n of the whole. */
const DIRECTIONS = 4;

/** Difference that counts as rounding, as a share of the gradient's length (the usual size of a derivative along ±1). */
const TOLERANCE = 1e-3;

const { usable, detail } = (await describeDevices()).find(({ device }) => device === "webgpu")!;
if (!usable) console.log(`skipping webgpu: ${detail}`);
const RUNS: readonly (readonly [string, Device, Target])[] = [
  ...TARGETS.map(([name, target]) => [name, "cpu", target] as const),
  ...(usable ? ([["a GPU", "webgpu", GPU]] as const) : []),
];

let derivatives: Derivatives;
beforeAll(async () => {
  derivatives = await differences(PROBLEMS, DIRECTIONS, LARGEST_STEP);
});

describe.each(RUNS)("lowered for %s, on %s", (_, device, target) => {
  let backward: Backward;
  beforeAll(async () => {
    backward = await runBackward(PROBLEMS, target, device);
  });

  test.each(PROBLEMS.map((problem) => [problem.name, problem] as const))("%s", (_, problem) => {
    problem.inputs.forEach((x, index) => {
      const gradient = gradientOf(backward, problem, index);
      expect(gradient).toMatchObject({ dtype: x.dtype, shape: x.shape });
      const elements = gradient.data as Float32Array;
      const length = Math.hypot(...elements);
      for (const [direction, derivative] of derivatives.get(problem)![index]!) {
        const along = elements.reduce((sum, value, i) => sum + value * direction[i]!, 0);
        expect(
          Math.abs(along - derivative),
          `input ${index}: ${along}, by differences ${derivative}`,
        ).toBeLessThan(TOLERANCE * Math.max(length, 1e-3));
      }
    });
  });
});

describe("the table of cases", () => {
  /** Types of the operators between a problem's inputs and its outputs. */
  const between = PROBLEMS.map(({ inputs, outputs }) => {
    const reached = new Set<Value | undefined>(inputs);
    return createGraph([], Object.fromEntries(outputs.entries())).nodes.flatMap((node) => {
      if (!node.inputs.some((value) => reached.has(value))) return [];
      for (const output of node.outputs) reached.add(output);
      return [node.operator];
    });
  });

  test("has every operator that has a gradient", () => {
    const covered = new Set(GRADIENT_CASES.map(({ operator }) => operator));
    const missing = registeredOperators().filter((operator) => operator.gradient && !covered.has(operator));
    expect(missing.map(({ type }) => type)).toEqual([]);
  });

  test("uses in each case the operator it names", () => {
    const without = GRADIENT_CASES.filter(({ operator }, id) => !between[id]!.includes(operator));
    expect(without.map(({ operator, name }) => `${operator.type}, ${name}`)).toEqual([]);
  });
});

const x = (...shape: (number | string)[]): Value => input("x", "float32", shape);
const total = (value: Value): Value =>
  reduceSum(
    value,
    value.shape.map((_, axis) => axis),
    false,
  );

/** ∂(Σ f(x))/∂x at x = `elements`. */
async function slopes(f: (value: Value) => Value, ...elements: number[]): Promise<number[]> {
  const value = x(elements.length);
  const gradient = differentiate(total(f(value)), [value]).get(value)!;
  const model = graphToModel(createGraph([value], { gradient }), { name: "slopes" });
  await using session = await openSession(encodeModel(model), { device: "cpu" });
  const result = await session.run({ x: tensor("float32", [elements.length], Float32Array.from(elements)) });
  return Array.from(result["gradient"]!.data, Number);
}

describe("at kinks, as torch has it", () => {
  test("Relu passes nothing at 0", async () => {
    expect(await slopes(relu, -1, -0, 0, 1e-30, 2)).toEqual([0, 0, 0, 1, 1]);
  });

  test("Clip passes nothing at its bounds", async () => {
    expect(await slopes((value) => clip(value, 0, 6), -1, 0, 3, 6, 7)).toEqual([0, 0, 1, 0, 0]);
  });
});

describe("what is differentiated by what", () => {
  test("the loss by itself is 1", async () => {
    const loss = total(x(2));
    const gradient = differentiate(loss, [loss]).get(loss)!;
    expect(gradient.data).toEqual(tensor("float32", [], Float32Array.of(1)));
  });

  test("values between, parameters and inputs; each of its own shape", () => {
    const image = x(2, 3, 4, 4);
    const weight = parameter("w", "float32", [5, 3, 3, 3]);
    const features = conv(image, weight, undefined);
    const pooled = globalAveragePool(features);
    const values = [image, weight, features, pooled];
    const gradients = differentiate(total(exp(pooled)), values);
    expect(values.map((value) => gradients.get(value)!.shape)).toEqual(values.map(({ shape }) => shape));
  });

  test("nothing for values that the loss does not depend on, or only in steps", () => {
    const [a, b, c] = [input("a", "float32", [2]), input("b", "float32", [2]), input("c", "float32", [2])];
    const unused = mul(b, a);
    const gradients = differentiate(total(mul(a, sign(c))), [a, b, c, unused]);
    expect([...gradients.keys()]).toEqual([a]);
    expect(differentiate(total(a), [b]).size).toBe(0);
  });

  test("only what is asked for is computed", () => {
    const [image, weight] = [x(1, 2, 5, 5), parameter("w", "float32", [2, 2, 3, 3])];
    const loss = total(conv(image, weight, undefined));
    const types = (value: Value): string[] =>
      createGraph([], { g: differentiate(loss, [value]).get(value)! }).nodes.map(
        ({ operator }) => operator.type,
      );
    expect(types(weight)).toContain("ConvWeightGradient");
    expect(types(weight)).not.toContain("ConvInputGradient");
    expect(types(image)).toContain("ConvInputGradient");
    expect(types(image)).not.toContain("ConvWeightGradient");
  });

  test("thousands of operators in a row, and of readers of one value", async () => {
    const chain = (value: Value): Value => {
      let y = value;
      for (let i = 0; i < 3000; i++) y = scale(y, i % 2 === 0 ? 2 : 0.5);
      return y;
    };
    expect(await slopes(chain, 1, 2)).toEqual([1, 1]);
    const many = (value: Value): Value =>
      Array.from({ length: 1000 }, () => mul(value, value)).reduce((sum, square) => add(sum, square));
    expect(await slopes(many, 1, 3)).toEqual([2000, 6000]);
  });
});

describe("what has no gradient is refused by name", () => {
  const ones = tensor("float32", [3], Float32Array.of(1, 1, 1));
  const scales = constant(tensor("float32", [4], Float32Array.of(1, 1, 1.5, 1.5)));
  const nearest = { mode: "nearest", coordinate_transformation_mode: "asymmetric", nearest_mode: "floor" };
  test.each<[string, () => Value, Value, RegExp]>(
    (
      [
        [
          "a loss of several numbers",
          [2],
          (v) => v,
          /^invalid-shape A loss must be float32\[\]; .* float32\[2\]/,
        ],
        ["a loss of one element in a list", [1], (v) => v, /^invalid-shape A loss must be .* float32\[1\]/],
        [
          "a loss of another type",
          [],
          (v) => cast(v, "float64"),
          /^invalid-shape A loss must be .* float64\[\]/,
        ],
        [
          "the place of a maximum",
          [3],
          (v) => total(cast(argMax(v, 0, "head.best"), "float32")),
          /^invalid-config ArgMax \(head\.best\) has no gradient/,
        ],
        [
          "an operator of gradients",
          [2, 2],
          (v) => total(exp(fusedMatMul(v, v))),
          /^invalid-config FusedMatMul \(unnamed\) has no gradient/,
        ],
        [
          "an index taken twice",
          [3],
          (v) => total(gather(v, [1, 1], 0)),
          /^invalid-shape Gather\(.*taken twice/,
        ],
        [
          "means over windows that overlap",
          [1, 1, 4, 4],
          (v) => total(averagePool(v, { kernel: [2, 2], strides: [1, 1] })),
          /^invalid-shape AveragePool\(.*side by side/,
        ],
        [
          "nearest enlargement by 1.5",
          [1, 1, 4, 4],
          (v) => total(emitOne(Resize, [v, undefined, scales], nearest)),
          /^invalid-shape Resize\(.*whole factors or bilinear/,
        ],
        [
          "the statistics of a batch",
          [2, 3, 2, 2],
          (v) => total(batchNormalizationTraining(v, constant(ones), constant(ones), 1e-5).mean),
          /^invalid-shape BatchNormalizationTraining\(.*first output only/,
        ],
        ["a batch of unknown size", ["N", 4], (v) => total(slice(v, 1, 0, 2)), /^invalid-shape .*\bN\b/],
      ] as const satisfies readonly (readonly [
        string,
        readonly (number | string)[],
        (v: Value) => Value,
        RegExp,
      ])[]
    ).map(([name, shape, f, message]) => {
      const value = x(...shape);
      return [name, () => f(value), value, message];
    }),
  )("%s", (_, loss, value, message) => {
    let refusal = "accepted";
    try {
      differentiate(loss(), [value]);
    } catch (error) {
      refusal =
        error instanceof HRNetError ? `${error.code} ${error.message}` : `not an HRNetError: ${error}`;
    }
    expect(refusal).toMatch(message);
  });

  test("it does not matter beside the way from the loss to the values", () => {
    const [a, b] = [input("a", "float32", [3]), input("b", "float32", [3])];
    const best = cast(argMax(b, 0), "float32");
    expect([...differentiate(total(mul(a, best)), [a]).keys()]).toEqual([a]);
  });
});
