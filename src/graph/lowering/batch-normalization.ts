// Batch normalisation in training, forward and backward.

import { type Tensor, tensor } from "../../tensor/tensor.ts";
import { emit, numberOf, type Operator } from "../operator.ts";
import { scaleShiftAdd } from "../ops/blocked.ts";
import { reduceSum } from "../ops/broadcast.ts";
import { add, div, mul, scale, shift, sqrt, sub } from "../ops/elementwise.ts";
import { fusedMatMul } from "../ops/linear.ts";
import { BatchNormalization, batchNormalization, perChannel, sumPerChannel } from "../ops/normalization.ts";
import { reshape } from "../ops/shape.ts";
import { constant, type Value } from "../value.ts";
import type { LoweringRule } from "./target.ts";

/** ONNX BatchNormalization with `training_mode`: also gives the running statistics after this batch. */
const BatchNormalizationStatistics: Operator = {
  ...BatchNormalization,
  infer(inputs) {
    const x = inputs[0]!;
    const channel = { dtype: x.dtype, shape: [x.shape[1]!] };
    return [{ dtype: x.dtype, shape: x.shape }, channel, channel];
  },
};

const countPerChannel = (x: Value): number =>
  (x.shape as readonly number[]).reduce((product, size, axis) => (axis === 1 ? product : product * size), 1);

const filled = (count: number, value: number): Tensor =>
  tensor("float32", [count], new Float32Array(count).fill(value));

/**
 * CPU: one pass of ONNX Runtime's own kernel. With momentum 0 its running statistics are the batch's. It writes them
 * over its inputs in place, so that every use has constants of its own, which nothing else reads. Their numbers, which are
 * multiplied by the momentum, differ from use to use and from what other constants hold, or ONNX Runtime would make one
 * constant of equal ones.
 * GPU: ONNX Runtime's WebGPU provider lacks the training mode; statistics by reductions over pixels, then samples.
 */
export const batchNormalizationTraining: LoweringRule = (node, inputs, { target, serial }) => {
  const [x, weight, bias] = inputs as readonly Value[];
  const epsilon = numberOf(node.attributes, "epsilon", 1e-5);
  const channels = x!.shape[1] as number;
  if (target.kind === "cpu") {
    const statistics = [serial(), serial()].map((number) => constant(filled(channels, -number - 1 / 3)));
    return emit(
      BatchNormalizationStatistics,
      [x, weight, bias, ...statistics],
      { epsilon, momentum: 0, training_mode: 1 },
      node.name,
    );
  }
  const mean = meanPerChannel(x!); // 1×C×1×1
  const centred = sub(x!, mean);
  const variance = meanPerChannel(mul(centred, centred));
  const factor = div(perChannel(weight!), sqrt(shift(variance, epsilon)));
  const y = add(mul(centred, factor), perChannel(bias!));
  return [y, reshape(mean, [channels]), reshape(variance, [channels])];
};

/** Mean over samples and pixels, in two stages so that no sum runs over more than one map. */
function meanPerChannel(x: Value): Value {
  const maps = reduceSum(x, [2, 3]);
  return scale(reduceSum(maps, [0]), 1 / countPerChannel(x)); // 1×C×1×1
}

/**
 * dx = scale/√(var + ε)·(dy − Σdy/M − x̂·Σ(dy·x̂)/M), in few nodes: normalisation by given statistics is the engine's fastest
 * affine map by channel, and takes vectors as they are. It makes x̂, then −x̂·Σ(dy·x̂)/M − Σdy/M, and last the factor.
 */
const gradientByNormalizations: LoweringRule = (node, inputs) => {
  const [dy, x, weight, mean, variance] = inputs as readonly [Value, Value, Value, Value, Value];
  const epsilon = numberOf(node.attributes, "epsilon", 1e-5);
  const channels = x.shape[1] as number;
  const [zeros, ones] = [0, 1].map((value) => constant(filled(channels, value))) as [Value, Value];
  const part = -1 / countPerChannel(x);
  const normalized = batchNormalization(x, { scale: ones, bias: zeros, mean, variance }, epsilon);
  const forBias = sumPerChannel(dy);
  const forScale = sumPerChannel(mul(dy, normalized));
  const correction = batchNormalization(
    x,
    { scale: scale(forScale, part), bias: scale(forBias, part), mean, variance },
    epsilon,
  );
  const centred = add(dy, correction);
  const dx = batchNormalization(centred, { scale: weight, bias: zeros, mean: zeros, variance }, epsilon);
  return [dx, forScale, forBias];
};

/**
 * dx = a·dy + b·x + c per channel, with s = 1/√(var + ε), a = scale·s, b = −a·s·Σ(dy·x̂)/M and
 * c = −a·Σdy/M − b·mean: the formula of BatchNormalizationGradient multiplied out, so that maps are read once.
 */
const gradientByElements: LoweringRule = (node, inputs) => {
  const [dy, x, weight, mean, variance] = inputs as readonly Value[];
  const count = countPerChannel(x!);
  const deviation = sqrt(shift(variance!, numberOf(node.attributes, "epsilon", 1e-5)));
  const forBias = sumPerChannel(dy!);
  const forScale = div(sub(sumPerChannel(mul(dy!, x!)), mul(mean!, forBias)), deviation);
  const a = div(weight!, deviation);
  const b = scale(div(mul(a, forScale), deviation), -1 / count);
  const c = sub(scale(mul(a, forBias), -1 / count), mul(b, mean!));
  const dx = add(mul(dy!, perChannel(a)), add(mul(x!, perChannel(b)), perChannel(c)));
  return [dx, forScale, forBias];
};

/**
 * dx = (b·x + c) + a·dy with the engine's scale-shift-and-add, two passes: fastest on large maps, where the arithmetic on
 * vectors of channels that it takes does not matter. Σ dy·x is a product of matrices.
 */
const gradientByFusedConvolutions: LoweringRule = (node, inputs) => {
  const [dy, x, weight, mean, variance] = inputs as readonly [Value, Value, Value, Value, Value];
  const [samples, channels, height, width] = x.shape as [number, number, number, number];
  const count = countPerChannel(x);
  const deviation = sqrt(shift(variance, numberOf(node.attributes, "epsilon", 1e-5)));
  const rows = (value: Value): Value => reshape(value, [samples * channels, 1, height * width]);
  const products = fusedMatMul(rows(dy), rows(x), { transB: true });
  const sums = reduceSum(reshape(products, [samples, channels]), [0], false);
  const forBias = sumPerChannel(dy);
  const forScale = div(sub(sums, mul(mean, forBias)), deviation);
  const a = div(weight, deviation);
  const b = scale(div(mul(a, forScale), deviation), -1 / count);
  const c = sub(scale(mul(a, forBias), -1 / count), mul(b, mean));
  const kernel = (value: Value): Value => reshape(value, [channels, 1, 1, 1]);
  const scaled = scaleShiftAdd(dy, kernel(a), undefined, undefined);
  return [scaleShiftAdd(x, kernel(b), c, scaled), forScale, forBias];
};

/** Numbers in a map from which on passes over it cost more than further nodes. */
const LARGE_MAP = 1 << 18;

/** The gradient of batch normalisation as the target does it fastest. */
export const batchNormalizationGradient: LoweringRule = (node, inputs, context) => {
  if (context.target.kind === "gpu") return gradientByElements(node, inputs, context);
  const size = countPerChannel(inputs[1]!) * (inputs[1]!.shape[1] as number);
  const rule = size >= LARGE_MAP ? gradientByFusedConvolutions : gradientByNormalizations;
  return rule(node, inputs, context);
};
