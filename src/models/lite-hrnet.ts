// Lite-HRNet, naive Lite-HRNet and their ablations. Yu et al. 2021 (arXiv:2104.06403). Layers, order and names follow the
// released code: HRNet/Lite-HRNet models/backbones/litehrnet.py (Apache-2.0), including what its fuse layers really do.

import { z } from "zod";
import { add, mul, scale, sigmoid } from "../graph/ops/elementwise.ts";
import { globalAveragePool } from "../graph/ops/pool.ts";
import { resizeBilinear, upsampleNearest } from "../graph/ops/resize.ts";
import { concat, split } from "../graph/ops/shape.ts";
import type { Value } from "../graph/value.ts";
import { adaptiveAveragePool, channelShuffle, convBn, convModule } from "../nn/blocks.ts";
import { channelsOf, conv2d, relu, sizeOf } from "../nn/layers.ts";
import type { Scope } from "../nn/scope.ts";
import { channelCount, repeatCount } from "./config-limits.ts";
import { fcosDetector, fcosHeadSchema } from "./fcos-head.ts";
import type { Outputs } from "./hrnet-heads.ts";
import { checkInputSize } from "./input-size.ts";

/** Schema of {@link LiteHRNetConfig}. */
export const liteHRNetSchema = z.strictObject({
  family: z.literal("lite-hrnet"),
  stem: z
    .strictObject({
      channels: channelCount.default(32),
      out: channelCount.default(32),
      expand: channelCount.default(1),
    })
    .default({ channels: 32, out: 32, expand: 1 }),
  stages: z
    .array(
      z.strictObject({
        modules: repeatCount,
        blocks: repeatCount.default(2),
        /** Channels per branch, highest resolution first; even numbers. */
        channels: z.array(channelCount.multipleOf(2)).min(1).max(8),
      }),
    )
    .min(1)
    .max(6),
  /**
   * What the blocks are made of. `weighting`: conditional channel weighting, of which each half can be left out (paper
   * Table 7). `shuffle`: the shuffle unit of the naive networks with two, one (the first) or none of its 1×1 convolutions.
   */
  block: z.discriminatedUnion("type", [
    z.strictObject({
      type: z.literal("weighting"),
      reduce: channelCount.default(8),
      crossResolution: z.boolean().default(true),
      spatial: z.boolean().default(true),
    }),
    z.strictObject({ type: z.literal("shuffle"), pointwise: z.number().int().min(0).max(2).default(2) }),
  ]),
  /**
   * `released`: the published code's in-place sums, which count branch 0 twice and feed its fused map to the other rows;
   * published weights need it. `clean`: the plain sums of the paper.
   */
  fuse: z.enum(["released", "clean"]).default("released"),
  head: z.union([
    /** A 1×1 convolution after the iterative head: heatmaps, or class logits at 1/4. */
    z.strictObject({ type: z.enum(["heatmap", "segmentation"]).default("heatmap"), channels: channelCount }),
    /** In place of the iterative head; not in the paper. */
    fcosHeadSchema,
  ]),
});

/** A Lite-HRNet with its head. */
export type LiteHRNetConfig = z.infer<typeof liteHRNetSchema>;

/** Two halves of the channels. */
function halves(x: Value): readonly [Value, Value] {
  const half = channelsOf(x) / 2;
  return split(x, 1, [half, half]) as readonly [Value, Value];
}

/** Stem: 3×3 stride 2, then a two-way split with strided depthwise paths. N×3×H×W → N×out×H/4×W/4. */
function liteStem(scope: Scope, config: LiteHRNetConfig, x: Value): Value {
  const { channels, out, expand } = config.stem;
  const [x1, x2] = halves(convModule(scope.child("conv1"), x, { out: channels, kernel: 3, stride: 2 }));
  const half = channelsOf(x1);
  const increase = out - half;
  const b1 = scope.child("branch1");
  const down = { kernel: 3, stride: 2, activation: "none" } as const;
  let y1 = convModule(b1.child(0), x1, { out: half, groups: half, ...down });
  y1 = convModule(b1.child(1), y1, { out: increase });
  const mid = Math.round(channels * expand);
  let y2 = convModule(scope.child("expand_conv"), x2, { out: mid });
  y2 = convModule(scope.child("depthwise_conv"), y2, { out: mid, groups: mid, ...down });
  y2 = convModule(scope.child("linear_conv"), y2, { out: half });
  return channelShuffle(concat([y1, y2], 1), 2);
}

/** Cross-resolution weighting: all branches, pooled to the lowest, decide every branch's channel weights together. */
function crossResolutionWeighting(scope: Scope, xs: readonly Value[], reduce: number): Value[] {
  const smallest = sizeOf(xs.at(-1)!);
  const widths = xs.map(channelsOf);
  const total = widths.reduce((sum, c) => sum + c, 0);
  const pooled = concat(
    xs.map((x) => adaptiveAveragePool(x, smallest)),
    1,
  ); // N×ΣC×h×w
  const squeezed = convModule(scope.child("conv1"), pooled, { out: Math.floor(total / reduce) });
  const excited = convModule(scope.child("conv2"), squeezed, { out: total, activation: "none" });
  const weights = split(sigmoid(excited, scope.child("sigmoid").path), 1, widths);
  return xs.map((x, b) => {
    const factor = sizeOf(x)[0] / smallest[0];
    return mul(x, factor === 1 ? weights[b]! : upsampleNearest(weights[b]!, factor));
  });
}

/** Spatial weighting: squeeze-and-excitation with ratio 4 (hard-coded in the released code), biases and no BN. */
function spatialWeighting(scope: Scope, x: Value): Value {
  const channels = channelsOf(x);
  const squeezed = conv2d(scope.child("conv1", "conv"), globalAveragePool(x), {
    out: Math.floor(channels / 4),
    bias: true,
  });
  const active = relu(scope.child("conv1", "activate"), squeezed);
  const excited = conv2d(scope.child("conv2", "conv"), active, { out: channels, bias: true });
  return mul(x, sigmoid(excited, scope.child("conv2", "activate").path)); // N×C×1×1 weights
}

/** Conditional channel weighting on all branches jointly. */
function weightingBlock(
  scope: Scope,
  options: Extract<LiteHRNetConfig["block"], { type: "weighting" }>,
  inputs: readonly Value[],
): Value[] {
  const pairs = inputs.map(halves);
  let active = pairs.map(([, x2]) => x2);
  if (options.crossResolution) {
    active = crossResolutionWeighting(scope.child("cross_resolution_weighting"), active, options.reduce);
  }
  active = active.map((x, b) => {
    const width = channelsOf(x);
    const conv = { out: width, kernel: 3, groups: width, activation: "none" } as const;
    return convModule(scope.child("depthwise_convs", b), x, conv);
  });
  if (options.spatial) {
    active = active.map((x, b) => spatialWeighting(scope.child("spatial_weighting", b), x));
  }
  return active.map((x, b) => channelShuffle(concat([pairs[b]![0], x], 1), 2));
}

/** The shuffle unit on one branch: (1×1) → depthwise 3×3 → (1×1) on one half of the channels. */
function shuffleUnit(scope: Scope, x: Value, pointwise: number): Value {
  const [x1, x2] = halves(x);
  const width = channelsOf(x2);
  const depthwise = { out: width, kernel: 3, groups: width, activation: "none" } as const;
  const layers = [
    ...(pointwise >= 1 ? [{ out: width }] : []),
    depthwise,
    ...(pointwise >= 2 ? [{ out: width }] : []),
  ];
  const y = layers.reduce(
    (value, layer, index) => convModule(scope.child("branch2", index), value, layer),
    x2,
  );
  return channelShuffle(concat([x1, y], 1), 2);
}

/** Depthwise 3×3 + BN, 1×1 + BN: modules 0 to 3. */
function separable(scope: Scope, x: Value, out: number, stride: number): Value {
  const width = channelsOf(x);
  return convBn(scope, convBn(scope, x, { out: width, kernel: 3, stride, groups: width }), { out }, 2);
}

/** f_ij: branch j's map brought to branch i. */
function exchange(scope: Scope, x: Value, target: Value, i: number, j: number): Value {
  const out = channelsOf(target);
  if (j > i) return upsampleNearest(convBn(scope, x, { out }), 2 ** (j - i), scope.child(2).path);
  let y = x;
  for (let k = 0; k < i - j; k++) {
    const last = k === i - j - 1;
    y = separable(scope.child(k), y, last ? out : channelsOf(x), 2);
    if (!last) y = relu(scope.child(k, 4), y);
  }
  return y;
}

/**
 * Fuse layers. With `released`: S = 2·x₀ + Σ f₀ⱼ(xⱼ), and row i ≥ 1 is 2·f_i0(S) + x_i + Σ_{1≤j≠i} f_ij(xⱼ): the released
 * loop starts from j = 0 although y already is the j = 0 term, and adds in place, so that S replaces x₀.
 */
function fuse(scope: Scope, mode: LiteHRNetConfig["fuse"], xs: readonly Value[]): Value[] {
  if (xs.length === 1) return [...xs];
  const row = (i: number, first: Value): Value => {
    const terms = xs.map((x, j) => {
      const source = j === 0 ? first : x;
      const twice = j === 0 && mode === "released";
      const layers = scope.child("fuse_layers", i, j).called(twice ? 2 : 1);
      const term = i === j ? source : exchange(layers, source, xs[i]!, i, j);
      return twice ? scale(term, 2) : term;
    });
    return terms.reduce((sum, term) => add(sum, term));
  };
  const top = row(0, xs[0]!);
  const first = mode === "released" ? top : xs[0]!;
  const rows = [top, ...xs.slice(1).map((_, index) => row(index + 1, first))];
  return rows.map((y) => relu(scope.child("relu"), y));
}

/** Branches of one stage brought to the channels of the next; a new, lower branch from the lowest. */
function transition(scope: Scope, inputs: readonly Value[], channels: readonly number[]): Value[] {
  return channels.map((out, i) => {
    const x = inputs[i];
    if (x) return channelsOf(x) === out ? x : relu(scope.child(i, 4), separable(scope.child(i), x, out, 1));
    let y = inputs.at(-1)!;
    const steps = i + 1 - inputs.length;
    for (let k = 0; k < steps; k++) {
      const branch = scope.child(i, k);
      y = relu(branch.child(4), separable(branch, y, k === steps - 1 ? out : channelsOf(y), 2));
    }
    return y;
  });
}

/** Iterative head: from the lowest resolution up, resize (align_corners true), add, separable convolution. */
function iterativeHead(scope: Scope, xs: readonly Value[]): Value {
  const reversed = [...xs].reverse();
  return reversed.reduce<Value | undefined>((previous, x, n) => {
    const y = previous ? add(x, resizeBilinear(previous, sizeOf(x), true)) : x;
    const project = scope.child("projects", n);
    const width = channelsOf(x);
    const depthwise = { out: width, kernel: 3, groups: width, activation: "none" } as const;
    const out = n === reversed.length - 1 ? width : channelsOf(reversed[n + 1]!);
    return convModule(
      project.child("pointwise_conv"),
      convModule(project.child("depthwise_conv"), y, depthwise),
      { out },
    );
  }, undefined)!;
}

/** The last layer of each kind of head: its output, and the module that has it (the names of mmpose and mmsegmentation). */
const LAST_LAYERS = {
  heatmap: { output: "heatmaps", path: ["keypoint_head", "final_layer"] },
  segmentation: { output: "logits", path: ["decode_head", "conv_seg"] },
} as const;

/** A Lite-HRNet with its head on x (N×3×H×W): `heatmaps` or `logits`, N×channels×H/4×W/4, or what {@link fcosDetector} gives. */
export function liteHRNet(scope: Scope, config: LiteHRNetConfig, x: Value): Outputs {
  checkInputSize(sizeOf(x), Math.max(...config.stages.map((stage) => stage.channels.length)));
  const backbone = scope.child("backbone");
  let branches: Value[] = [liteStem(backbone.child("stem"), config, x)];
  const { block } = config;
  config.stages.forEach((stage, t) => {
    branches = transition(backbone.child(`transition${t}`), branches, stage.channels);
    for (let m = 0; m < stage.modules; m++) {
      const module = backbone.child(`stage${t}`, m);
      for (let k = 0; k < stage.blocks; k++) {
        branches =
          block.type === "weighting"
            ? weightingBlock(module.child("layers", k), block, branches)
            : branches.map((y, b) => shuffleUnit(module.child("layers", b, k), y, block.pointwise));
      }
      branches = fuse(module, config.fuse, branches);
    }
  });
  if (config.head.type === "fcos") return fcosDetector(scope, config.head, branches);
  const features = iterativeHead(backbone.child("head_layer"), branches);
  const { output, path } = LAST_LAYERS[config.head.type];
  return { [output]: conv2d(scope.child(...path), features, { out: config.head.channels, bias: true }) };
}
