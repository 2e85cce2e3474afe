// Blocks that several networks share: conv + BN + activation, residual blocks, channel shuffle, adaptive pooling.

import { add } from "../graph/ops/elementwise.ts";
import { matMul } from "../graph/ops/linear.ts";
import { averagePool } from "../graph/ops/pool.ts";
import { reshape, transpose } from "../graph/ops/shape.ts";
import { constant, type Value } from "../graph/value.ts";
import { tensor } from "../tensor/tensor.ts";
import { batchNorm2d, type Conv2dOptions, channelsOf, conv2d, relu, relu6, sizeOf } from "./layers.ts";
import type { Scope } from "./scope.ts";

/** An activation by its name. */
export type Activation = "relu" | "relu6" | "none";

/** Applies an activation; `none` gives x back. */
export function activate(scope: Scope, x: Value, activation: Activation): Value {
  if (activation === "relu") return relu(scope, x);
  return activation === "relu6" ? relu6(scope, x) : x;
}

/** mmcv's ConvModule: `conv` without bias, `bn`, and `activate`, below `scope`. */
export function convModule(
  scope: Scope,
  x: Value,
  options: Conv2dOptions & { activation?: Activation },
): Value {
  const y = batchNorm2d(scope.child("bn"), conv2d(scope.child("conv"), x, options));
  return activate(scope.child("activate"), y, options.activation ?? "relu");
}

/** torch Sequential(Conv2d, BatchNorm2d): modules `0` and `1` (or from `first` on) below `scope`, no activation. */
export function convBn(scope: Scope, x: Value, options: Conv2dOptions, first = 0): Value {
  return batchNorm2d(scope.child(first + 1), conv2d(scope.child(first), x, options));
}

/** Kinds of residual block and the factor from `planes` to output channels. */
export const EXPANSION = { basic: 1, bottleneck: 4 } as const;

/** Kind of a residual block. */
export type BlockKind = keyof typeof EXPANSION;

/**
 * The residual block of He et al. 2016 as the official code has it: basic = 3×3, 3×3; bottleneck = 1×1, 3×3 (the stride
 * is here), 1×1 to 4·planes. A projection shortcut (`downsample`) appears where shape changes.
 * N×C×H×W → N×planes·expansion×H/stride×W/stride.
 */
export function residualBlock(scope: Scope, x: Value, kind: BlockKind, planes: number, stride = 1): Value {
  const out = planes * EXPANSION[kind];
  const act = (y: Value): Value => relu(scope.child("relu"), y);
  const stage = (index: number, y: Value, options: Conv2dOptions): Value =>
    batchNorm2d(scope.child(`bn${index}`), conv2d(scope.child(`conv${index}`), y, options));
  let y: Value;
  if (kind === "basic") {
    y = act(stage(1, x, { out: planes, kernel: 3, stride }));
    y = stage(2, y, { out: planes, kernel: 3 });
  } else {
    y = act(stage(1, x, { out: planes }));
    y = act(stage(2, y, { out: planes, kernel: 3, stride }));
    y = stage(3, y, { out });
  }
  const projected = stride !== 1 || channelsOf(x) !== out;
  const shortcut = projected ? convBn(scope.child("downsample"), x, { out, stride }) : x;
  return act(add(y, shortcut));
}

/** `count` residual blocks in a row, named 0, 1, …; the first carries the stride. */
export function residualBlocks(
  scope: Scope,
  x: Value,
  kind: BlockKind,
  planes: number,
  count: number,
  stride = 1,
): Value {
  let y = x;
  for (let k = 0; k < count; k++) {
    y = residualBlock(scope.child(k), y, kind, planes, k === 0 ? stride : 1);
  }
  return y;
}

/** Channel shuffle (ShuffleNet): channels seen as groups×(C/groups), transposed. N×C×H×W → the same shape. */
export function channelShuffle(x: Value, groups: number): Value {
  const [height, width] = sizeOf(x);
  const channels = channelsOf(x);
  const grouped = reshape(x, [0, groups, channels / groups, height, width]); // N×g×C/g×H×W
  return reshape(transpose(grouped, [0, 2, 1, 3, 4]), [0, channels, height, width]);
}

/** Rows of averaging weights: output cell o covers inputs ⌊o·n/m⌋ … ⌈(o+1)·n/m⌉ − 1 (torch AdaptiveAvgPool). */
function adaptiveWeights(from: number, to: number): Float32Array {
  const weights = new Float32Array(to * from); // to×from
  for (let o = 0; o < to; o++) {
    const start = Math.floor((o * from) / to);
    const end = Math.ceil(((o + 1) * from) / to);
    weights.fill(1 / (end - start), o * from + start, o * from + end);
  }
  return weights;
}

/**
 * torch adaptive_avg_pool2d to [height, width]. Plain strided pooling where sizes divide, so that any ONNX runtime can
 * run it; else a product with averaging matrices on either side.
 */
export function adaptiveAveragePool(x: Value, [height, width]: readonly [number, number]): Value {
  const [h, w] = sizeOf(x);
  if (h === height && w === width) return x;
  if (h % height === 0 && w % width === 0) {
    const window = [h / height, w / width] as const;
    return averagePool(x, { kernel: window, strides: window });
  }
  const rows = constant(tensor("float32", [height, h], adaptiveWeights(h, height)));
  const columns = transpose(constant(tensor("float32", [width, w], adaptiveWeights(w, width))), [1, 0]);
  return matMul(rows, matMul(x, columns)); // (h'×h)·(N×C×h×w)·(w×w')
}
