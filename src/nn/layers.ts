// Layers with parameters, as functions (scope, x, options) => y. Names and defaults are those of torch.nn.

import { conv, convTranspose } from "../graph/ops/conv.ts";
import { add, clip, div, mul, relu as reluOp, shift, sqrt, sub } from "../graph/ops/elementwise.ts";
import { gemm } from "../graph/ops/linear.ts";
import { batchNormalization } from "../graph/ops/normalization.ts";
import { globalAveragePool } from "../graph/ops/pool.ts";
import { reshape } from "../graph/ops/shape.ts";
import { constant, type Value } from "../graph/value.ts";
import { tensor } from "../tensor/tensor.ts";
import { type Initializer, NORMAL_001, ONES, ZEROS } from "./init.ts";
import type { Scope } from "./scope.ts";

/** Number of channels of an N×C×H×W value. */
export function channelsOf(x: Value): number {
  return x.shape[1] as number;
}

/** Height and width of an N×C×H×W value. */
export function sizeOf(x: Value): [number, number] {
  return [x.shape[2] as number, x.shape[3] as number];
}

/** Options of {@link conv2d}. */
export interface Conv2dOptions {
  readonly out: number;
  readonly kernel?: number;
  readonly stride?: number;
  /** Rows and columns of zeros on every side; (kernel − 1)/2 by default. */
  readonly padding?: number;
  readonly groups?: number;
  readonly bias?: boolean;
  readonly init?: Initializer;
  /** Of the bias; 0 by default. */
  readonly biasInit?: Initializer;
}

/** torch.nn.Conv2d: N×C×H×W → N×out×H'×W'. Parameters `weight` (out×C/groups×k×k) and, with `bias`, `bias` (out). */
export function conv2d(scope: Scope, x: Value, options: Conv2dOptions): Value {
  const {
    out,
    kernel = 1,
    stride = 1,
    groups = 1,
    bias = false,
    init = NORMAL_001,
    biasInit = ZEROS,
  } = options;
  const p = options.padding ?? (kernel - 1) / 2;
  const weight = scope.parameter("weight", [out, channelsOf(x) / groups, kernel, kernel], init);
  const b = bias ? scope.parameter("bias", [out], biasInit) : undefined;
  return conv(x, weight, b, { strides: [stride, stride], pads: [p, p, p, p], group: groups }, scope.path);
}

/** Options of {@link convTranspose2d}. */
export interface ConvTranspose2dOptions {
  readonly out: number;
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
  readonly outputPadding: number;
  readonly bias?: boolean;
  readonly init?: Initializer;
}

/** torch.nn.ConvTranspose2d: N×C×H×W → N×out×H'×W'. Parameter `weight` is C×out×k×k. */
export function convTranspose2d(scope: Scope, x: Value, options: ConvTranspose2dOptions): Value {
  const { out, kernel, stride, padding: p, outputPadding, bias = false, init = NORMAL_001 } = options;
  const weight = scope.parameter("weight", [channelsOf(x), out, kernel, kernel], init);
  const b = bias ? scope.parameter("bias", [out], ZEROS) : undefined;
  const geometry = {
    strides: [stride, stride],
    pads: [p, p, p, p],
    outputPadding: [outputPadding, outputPadding],
  } as const;
  return convTranspose(x, weight, b, geometry, scope.path);
}

/** torch.nn.BatchNorm2d (ε 1e-5) by stored statistics: N×C×H×W → the same shape. */
export function batchNorm2d(scope: Scope, x: Value, epsilon = 1e-5): Value {
  const shape = [channelsOf(x)];
  const weight = scope.parameter("weight", shape, ONES);
  const bias = scope.parameter("bias", shape, ZEROS);
  const mean = scope.buffer("running_mean", shape, ZEROS);
  const variance = scope.buffer("running_var", shape, ONES);
  scope.buffer("num_batches_tracked", [], ZEROS, "int64");
  return batchNormalization(x, { scale: weight, bias, mean, variance }, epsilon, scope.path);
}

/** torch.nn.GroupNorm (ε 1e-5): the channels of each group together, for each sample. N×C×H×W → the same shape. */
export function groupNorm(scope: Scope, x: Value, groups: number, epsilon = 1e-5): Value {
  const channels = channelsOf(x);
  const each = constant(
    tensor("float32", [1, 1, channels / groups, 1], new Float32Array(channels / groups).fill(1)),
  );
  // Means of groups, for each of their channels: nothing of height and width is written down.
  const meanOf = (y: Value): Value => {
    const means = globalAveragePool(reshape(y, [0, groups, -1, 1])); // N×G×1×1
    return reshape(mul(means, each), [0, channels, 1, 1]);
  };
  const centred = sub(x, meanOf(x));
  const variance = meanOf(mul(centred, centred));
  const normal = div(centred, sqrt(shift(variance, epsilon)));
  const weight = reshape(scope.parameter("weight", [channels], ONES), [1, channels, 1, 1]);
  const bias = reshape(scope.parameter("bias", [channels], ZEROS), [1, channels, 1, 1]);
  return add(mul(normal, weight), bias, scope.path);
}

/** max(x, 0). The scope names the module; modules that share one name are one module called several times. */
export function relu(scope: Scope, x: Value): Value {
  return reluOp(x, scope.path);
}

/** min(max(x, 0), 6) (MobileNetV2). */
export function relu6(scope: Scope, x: Value): Value {
  return clip(x, 0, 6, scope.path);
}

/** torch.nn.Linear: N×I → N×out. Parameters `weight` (out×I) and `bias` (out). */
export function linear(scope: Scope, x: Value, out: number, init: Initializer = NORMAL_001): Value {
  const weight = scope.parameter("weight", [out, x.shape[1] as number], init);
  return gemm(x, weight, scope.parameter("bias", [out], ZEROS), scope.path);
}
