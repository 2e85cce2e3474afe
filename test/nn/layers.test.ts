// Layers and blocks: names of parameters, shapes, initial values.
import { describe, expect, test } from "vitest";
import { HRNetError } from "../../src/errors.ts";
import { input, type Value } from "../../src/graph/value.ts";
import {
  adaptiveAveragePool,
  channelShuffle,
  convModule,
  residualBlock,
  residualBlocks,
} from "../../src/nn/blocks.ts";
import { KAIMING_OUT, NORMAL_001, ONES, ZEROS } from "../../src/nn/init.ts";
import { initialize } from "../../src/nn/initialize.ts";
import { batchNorm2d, conv2d, convTranspose2d, linear } from "../../src/nn/layers.ts";
import { Scope } from "../../src/nn/scope.ts";
import { normalRandom, uniformRandom } from "../../src/random/random.ts";

const image = (channels = 3): Value => input("x", "float32", ["N", channels, 16, 12]);

/** `name shape` of every parameter below a scope. */
const listed = (scope: Scope): string[] =>
  [...scope.parameters].map(([name, { value }]) => `${name} ${value.shape.join("×")}`);

describe("layers", () => {
  test("have torch's names, shapes and sizes", () => {
    const scope = new Scope();
    expect(conv2d(scope.child("a"), image(), { out: 8, kernel: 3, stride: 2, bias: true }).shape).toEqual([
      "N",
      8,
      8,
      6,
    ]);
    expect(conv2d(scope.child("b"), image(6), { out: 6, kernel: 3, groups: 6 }).shape).toEqual([
      "N",
      6,
      16,
      12,
    ]);
    const up = { out: 5, kernel: 4, stride: 2, padding: 1, outputPadding: 0 };
    expect(convTranspose2d(scope.child("c"), image(), up).shape).toEqual(["N", 5, 32, 24]);
    expect(linear(scope.child("d"), input("v", "float32", ["N", 7]), 9).shape).toEqual(["N", 9]);
    expect(batchNorm2d(scope.child("e"), image()).shape).toEqual(["N", 3, 16, 12]);
    expect(listed(scope)).toEqual([
      "a.weight 8×3×3×3",
      "a.bias 8",
      "b.weight 6×1×3×3",
      "c.weight 3×5×4×4",
      "d.weight 9×7",
      "d.bias 9",
      "e.weight 3",
      "e.bias 3",
      "e.running_mean 3",
      "e.running_var 3",
      "e.num_batches_tracked ",
    ]);
    const trained = [...scope.parameters].filter(([, info]) => info.trainable).map(([name]) => name);
    expect(trained).not.toContain("e.running_mean");
    expect(trained).toContain("e.weight");
  });

  test("a name given twice is refused", () => {
    const scope = new Scope().child("stem");
    conv2d(scope, image(), { out: 4 });
    expect(() => conv2d(scope, image(), { out: 4 })).toThrow(HRNetError);
    expect(() => conv2d(scope, image(), { out: 4 })).toThrow(/stem\.weight/);
  });
});

describe("blocks", () => {
  test("a basic block projects its shortcut only where the shape changes", () => {
    const same = new Scope();
    expect(residualBlock(same, image(4), "basic", 4).shape).toEqual(["N", 4, 16, 12]);
    expect(listed(same).some((name) => name.startsWith("downsample"))).toBe(false);
    const half = new Scope();
    expect(residualBlock(half, image(4), "basic", 4, 2).shape).toEqual(["N", 4, 8, 6]);
    expect(listed(half)).toContain("downsample.0.weight 4×4×1×1");
  });

  test("bottlenecks widen four times, the first of a row carries the stride", () => {
    const scope = new Scope();
    expect(residualBlocks(scope, image(4), "bottleneck", 2, 2, 2).shape).toEqual(["N", 8, 8, 6]);
    expect(listed(scope).filter((name) => name.includes("conv"))).toEqual([
      "0.conv1.weight 2×4×1×1",
      "0.conv2.weight 2×2×3×3",
      "0.conv3.weight 8×2×1×1",
      "1.conv1.weight 2×8×1×1",
      "1.conv2.weight 2×2×3×3",
      "1.conv3.weight 8×2×1×1",
    ]);
  });

  test("a ConvModule names conv and bn; the other blocks keep shapes", () => {
    const scope = new Scope();
    expect(convModule(scope.child("m"), image(), { out: 6, activation: "relu6" }).shape).toEqual([
      "N",
      6,
      16,
      12,
    ]);
    expect(listed(scope).slice(0, 2)).toEqual(["m.conv.weight 6×3×1×1", "m.bn.weight 6"]);
    expect(channelShuffle(image(6), 2).shape).toEqual(["N", 6, 16, 12]);
    expect(adaptiveAveragePool(image(), [5, 5]).shape).toEqual(["N", 3, 5, 5]);
    const x = image();
    expect(adaptiveAveragePool(x, [16, 12])).toBe(x);
  });
});

describe("initial values", () => {
  const scope = new Scope();
  scope.parameter("w", [64, 32, 3, 3], NORMAL_001);
  scope.parameter("k", [64, 32, 3, 3], KAIMING_OUT);
  scope.parameter("i", [64, 32, 3, 3], { kind: "kaiming-normal", fan: "in" });
  scope.parameter("b", [7], ZEROS);
  scope.buffer("v", [7], ONES);
  scope.buffer("n", [], ZEROS, "int64");
  const values = (name: string, seed = 1): number[] =>
    Array.from(initialize(scope.parameters.get(name)!, normalRandom(uniformRandom(seed))).data, Number);

  test.each([
    ["w", 0.001],
    ["k", Math.sqrt(2 / (64 * 9))], // He et al. 2015, fan out
    ["i", Math.sqrt(2 / (32 * 9))],
  ])("%s is normal with its deviation", (name, deviation) => {
    const all = values(name);
    const mean = all.reduce((sum, value) => sum + value, 0) / all.length;
    const spread = Math.sqrt(all.reduce((sum, value) => sum + (value - mean) ** 2, 0) / all.length);
    expect(Math.abs(mean)).toBeLessThan((4 * deviation) / Math.sqrt(all.length));
    expect(Math.abs(spread / deviation - 1)).toBeLessThan(4 / Math.sqrt(2 * all.length));
    // 95.45 % lie within two deviations.
    const within = all.filter((value) => Math.abs(value) < 2 * deviation).length / all.length;
    expect(Math.abs(within - 0.9545)).toBeLessThan(0.01);
  });

  test("constants, and the same numbers for the same seed only", () => {
    expect(values("b")).toEqual(Array(7).fill(0));
    expect(values("v")).toEqual(Array(7).fill(1));
    expect(values("n")).toEqual([0]);
    expect(values("w", 5)).toEqual(values("w", 5));
    expect(values("w", 5)).not.toEqual(values("w", 6));
  });
});
