// Normalisation: batch normalisation by stored and by the batch's own statistics, softmax.

import {
  axisOf,
  defineOperator,
  emit,
  emitOne,
  type Inputs,
  numberOf,
  shapeError,
  TRAINING_DOMAIN,
} from "../operator.ts";
import type { Value } from "../value.ts";
import { reduceSum } from "./broadcast.ts";
import { div, exp, mul, shift, sqrt, sub } from "./elementwise.ts";
import { reshape } from "./shape.ts";

/** One number per channel of x: what scale, bias, mean and variance must be. */
function checkPerChannel(type: string, inputs: Inputs, values: Inputs): void {
  const channels = inputs[0]!.shape[1];
  if (values.some((value) => value?.shape.length !== 1 || value.shape[0] !== channels))
    throw shapeError(type, inputs, `scale, bias, mean and variance must have ${channels} elements`);
}

/** C numbers as 1×C×1×1, to broadcast over N×C×H×W. */
export const perChannel = (x: Value): Value => reshape(x, [1, x.shape[0] as number, 1, 1]);

/** Σ over samples and pixels of N×C×H×W: C numbers. */
export const sumPerChannel = (x: Value): Value => reduceSum(x, [0, 2, 3], false);

/** y = (x − mean)/√(var + ε)·scale + bias per channel (Ioffe & Szegedy 2015, inference form). Inputs X, scale, B, mean, var. */
export const BatchNormalization = defineOperator({
  type: "BatchNormalization",
  minInputs: 5,
  attributeKinds: { epsilon: "float", momentum: "float", training_mode: "int" },
  infer(inputs, attributes) {
    const x = inputs[0]!;
    if (numberOf(attributes, "training_mode", 0) !== 0)
      throw shapeError("BatchNormalization", inputs, "training_mode is not supported");
    checkPerChannel("BatchNormalization", inputs, inputs.slice(1, 5));
    return [{ dtype: x.dtype, shape: x.shape }];
  },
  // Statistics are constants here: y is an affine function of x (frozen batch normalisation).
  gradient({ node, gradients: [dy], wanted }) {
    const [x, scale, , mean, variance] = node.inputs as readonly Value[];
    const deviation = sqrt(shift(variance!, numberOf(node.attributes, "epsilon", 1e-5)));
    const sum = (): Value => sumPerChannel(dy!);
    const forScale = (): Value => div(sub(sumPerChannel(mul(dy!, x!)), mul(mean!, sum())), deviation);
    return [
      wanted[0] ? mul(dy!, perChannel(div(scale!, deviation))) : undefined,
      wanted[1] ? forScale() : undefined,
      wanted[2] ? sum() : undefined,
    ];
  },
});

/**
 * Batch normalisation by the statistics of the batch (Ioffe & Szegedy 2015, algorithm 1). Inputs X, scale, B; outputs Y
 * and the batch's mean and population variance. To be lowered to what the device has.
 */
export const BatchNormalizationTraining = defineOperator({
  type: "BatchNormalizationTraining",
  domain: TRAINING_DOMAIN,
  minInputs: 3,
  attributeKinds: { epsilon: "float" },
  infer(inputs) {
    const x = inputs[0]!;
    checkPerChannel("BatchNormalizationTraining", inputs, inputs.slice(1, 3));
    const channel = { dtype: x.dtype, shape: [x.shape[1]!] };
    return [{ dtype: x.dtype, shape: x.shape }, channel, channel];
  },
  gradient({ node, gradients: [dy, dMean, dVariance] }) {
    if (!dy || dMean || dVariance)
      throw shapeError(
        "BatchNormalizationTraining",
        node.inputs,
        "a loss may depend on its first output only",
      );
    const [x, scale] = node.inputs;
    const [, mean, variance] = node.outputs;
    return emit(BatchNormalizationGradient, [dy, x, scale, mean, variance], node.attributes, node.name);
  },
});

/**
 * The gradient of {@link BatchNormalizationTraining}. Inputs ∂L/∂Y, X, scale, mean, variance; outputs, with
 * x̂ = (x − mean)/√(var + ε) and M numbers per channel: ∂L/∂X = scale/√(var + ε)·(dy − Σdy/M − x̂·Σ(dy·x̂)/M),
 * ∂L/∂scale = Σ dy·x̂ and ∂L/∂B = Σ dy.
 */
export const BatchNormalizationGradient = defineOperator({
  type: "BatchNormalizationGradient",
  domain: TRAINING_DOMAIN,
  minInputs: 5,
  attributeKinds: { epsilon: "float" },
  infer(inputs) {
    const x = inputs[1]!;
    const channel = { dtype: x.dtype, shape: [x.shape[1]!] };
    return [{ dtype: x.dtype, shape: x.shape }, channel, channel];
  },
});

/** exp(x)/Σexp(x) along an axis. */
export const Softmax = defineOperator({
  type: "Softmax",
  attributeKinds: { axis: "int" },
  infer(inputs, attributes) {
    const x = inputs[0]!;
    axisOf("Softmax", inputs, numberOf(attributes, "axis", -1), x.shape.length);
    return [{ dtype: x.dtype, shape: x.shape }];
  },
  gradient({ node, gradients: [dy] }) {
    const y = node.outputs[0]!;
    const axis = axisOf("Softmax", node.inputs, numberOf(node.attributes, "axis", -1), y.shape.length);
    return [mul(y, sub(dy!, reduceSum(mul(dy!, y), [axis])))];
  },
});

/** ONNX LogSoftmax: the logarithm of {@link Softmax}, exact also where that is nearly 0. */
export const LogSoftmax = defineOperator({
  type: "LogSoftmax",
  attributeKinds: { axis: "int" },
  infer: Softmax.infer,
  gradient({ node, gradients: [dy] }) {
    const y = node.outputs[0]!;
    const axis = axisOf("LogSoftmax", node.inputs, numberOf(node.attributes, "axis", -1), y.shape.length);
    return [sub(dy!, mul(exp(y), reduceSum(dy!, [axis])))];
  },
});

/** Batch normalisation of x (N×C×H×W) with per-channel scale, bias, mean, variance (C each). */
export function batchNormalization(
  x: Value,
  statistics: { scale: Value; bias: Value; mean: Value; variance: Value },
  epsilon: number,
  name = "",
): Value {
  const { scale, bias, mean, variance } = statistics;
  return emitOne(BatchNormalization, [x, scale, bias, mean, variance], { epsilon }, name);
}

/** Batch normalisation of x by its own statistics: the result, the batch's mean and population variance (C each). */
export function batchNormalizationTraining(
  x: Value,
  scale: Value,
  bias: Value,
  epsilon: number,
  name = "",
): { readonly y: Value; readonly mean: Value; readonly variance: Value } {
  const [y, mean, variance] = emit(BatchNormalizationTraining, [x, scale, bias], { epsilon }, name);
  return { y: y!, mean: mean!, variance: variance! };
}

/** Logarithm of the softmax of x along `axis`. */
export const logSoftmax = (x: Value, axis: number, name = ""): Value =>
  emitOne(LogSoftmax, [x], { axis }, name);

/** Softmax of x along `axis`. */
export const softmax = (x: Value, axis: number, name = ""): Value => emitOne(Softmax, [x], { axis }, name);
