// HRNet: the backbone of parallel branches that keep exchanging.
// Sun et al. 2019 (arXiv:1902.09212), Wang et al. 2020 (arXiv:1908.07919). Layers, order and names follow the released
// code: leoxiaobin/deep-high-resolution-net.pytorch lib/models/pose_hrnet.py (MIT) and its siblings.

import { add, mul } from "../graph/ops/elementwise.ts";
import { resizeBilinear, upsampleNearest } from "../graph/ops/resize.ts";
import type { Value } from "../graph/value.ts";
import { convBn, EXPANSION, residualBlocks } from "../nn/blocks.ts";
import { batchNorm2d, channelsOf, conv2d, relu, sizeOf } from "../nn/layers.ts";
import type { Scope } from "../nn/scope.ts";
import type { HRNetConfig, HRNetStage } from "./hrnet-config.ts";
import { checkInputSize } from "./input-size.ts";

/** Branch outputs, highest resolution first, and what the stem saw on the way. */
export interface HRNetFeatures {
  /** Feature maps at strides 4, 8, 16, … */
  readonly branches: readonly Value[];
  /** The first stem convolution's output, stride 2 (timm's first feature). */
  readonly stem: Value;
}

/** A bilinear resampling with the corner rule of the configuration. */
export function resizeLike(config: HRNetConfig, x: Value, size: readonly [number, number]): Value {
  return resizeBilinear(x, size, config.upsample === "bilinear-align-corners");
}

/** x (H×W) enlarged to `size`, by the configuration's rule. */
function enlarge(
  scope: Scope,
  config: HRNetConfig,
  x: Value,
  size: readonly [number, number],
  factor: number,
): Value {
  if (config.upsample !== "nearest") return resizeLike(config, x, size);
  return upsampleNearest(x, factor, scope.child(2).path);
}

/** f_ij: branch j's map brought to the channels and size of branch i: enlarged, or reduced by a chain of strided convolutions. */
function exchange(scope: Scope, config: HRNetConfig, xs: readonly Value[], i: number, j: number): Value {
  const x = xs[j]!;
  const out = channelsOf(xs[i]!);
  if (j > i) {
    const y = convBn(scope, x, { out }); // N×C_i×h_j×w_j
    return enlarge(scope, config, y, sizeOf(xs[i]!), 2 ** (j - i));
  }
  if (config.downsample === "bilinear") {
    return resizeLike(config, convBn(scope, x, { out }), sizeOf(xs[i]!));
  }
  let y = x;
  for (let k = 0; k < i - j; k++) {
    const last = k === i - j - 1;
    y = convBn(scope.child(k), y, { out: last ? out : channelsOf(x), kernel: 3, stride: 2 });
    if (!last) y = relu(scope.child(k, 2), y);
  }
  return y;
}

/** One exchange module: residual blocks on every branch, then `rows` fused outputs (0: no fusion). */
function exchangeModule(
  scope: Scope,
  config: HRNetConfig,
  stage: HRNetStage,
  inputs: readonly Value[],
  rows: number,
): Value[] {
  const xs = inputs.map((x, b) =>
    residualBlocks(scope.child("branches", b), x, stage.block, stage.channels[b]!, stage.blocks[b]!),
  );
  if (rows === 0 || xs.length === 1) return xs;
  const combine = config.fuse === "sum" ? add : mul;
  return Array.from({ length: rows }, (_, i) => {
    const terms = xs.map((x, j) =>
      i === j ? x : exchange(scope.child("fuse_layers", i, j), config, xs, i, j),
    );
    return relu(
      scope.child("relu"),
      terms.reduce((sum, term) => combine(sum, term)),
    );
  });
}

/** Brings the branches of one stage to the channels of the next and starts new, lower ones from the lowest. */
function transition(scope: Scope, inputs: readonly Value[], channels: readonly number[]): Value[] {
  return channels.map((out, i) => {
    const x = inputs[i];
    if (x) {
      return channelsOf(x) === out
        ? x
        : relu(scope.child(i, 2), convBn(scope.child(i), x, { out, kernel: 3 }));
    }
    let y = inputs.at(-1)!;
    const steps = i + 1 - inputs.length;
    for (let k = 0; k < steps; k++) {
      const branch = scope.child(i, k);
      const width = k === steps - 1 ? out : channelsOf(y);
      y = relu(branch.child(2), convBn(branch, y, { out: width, kernel: 3, stride: 2 }));
    }
    return y;
  });
}

/** How many fused outputs module `m` of stage `s` makes. */
function fusedRows(config: HRNetConfig, s: number, m: number, singleOutput: boolean): number {
  const stage = config.stages[s]!;
  const lastOfStage = m === stage.modules - 1;
  const last = lastOfStage && s === config.stages.length - 1;
  const fuses = config.fusion === "within" || (config.fusion === "across" ? lastOfStage : last);
  if (!fuses) return 0;
  return last && singleOutput ? 1 : stage.channels.length;
}

/**
 * The HRNet backbone on x (N×3×H×W). With `singleOutput` the last module of the last stage makes only the
 * highest-resolution map, as in HRNetV1.
 */
export function hrnetBackbone(
  scope: Scope,
  config: HRNetConfig,
  x: Value,
  singleOutput: boolean,
): HRNetFeatures {
  const most = Math.max(...config.stages.map((stage) => stage.channels.length));
  if (config.upsample === "nearest" && most > 1) checkInputSize(sizeOf(x), most);
  const stemLayer = (index: number, input: Value): Value =>
    relu(scope.child("relu"), stemConv(scope, index, input, config.stem));
  const stem = stemLayer(1, x); // N×64×H/2×W/2
  let y = stemLayer(2, stem); // N×64×H/4×W/4
  const { blocks, planes } = config.stage1;
  y = residualBlocks(scope.child("layer1"), y, "bottleneck", planes, blocks); // N×4·planes×H/4×W/4
  let branches: Value[] = [y];
  config.stages.forEach((stage, s) => {
    const widths = stage.channels.map((width) => width * EXPANSION[stage.block]);
    branches = transition(scope.child(`transition${s + 1}`), branches, widths);
    for (let m = 0; m < stage.modules; m++) {
      const rows = fusedRows(config, s, m, singleOutput);
      branches = exchangeModule(scope.child(`stage${s + 2}`, m), config, stage, branches, rows);
    }
  });
  return { branches: singleOutput ? branches.slice(0, 1) : branches, stem };
}

/** Stem convolution `index`: conv 3×3 stride 2 and BN, named conv1/bn1 and conv2/bn2. */
function stemConv(scope: Scope, index: number, x: Value, out: number): Value {
  const y = conv2d(scope.child(`conv${index}`), x, { out, kernel: 3, stride: 2 });
  return batchNorm2d(scope.child(`bn${index}`), y);
}
