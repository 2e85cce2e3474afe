// Normalisation: batch normalisation by stored statistics, softmax.

import { axisOf, defineOperator, emitOne, numberOf, shapeError } from "../operator.ts";
import type { Value } from "../value.ts";

/** y = (x − mean)/√(var + ε)·scale + bias per channel (Ioffe & Szegedy 2015, inference form). Inputs X, scale, B, mean, var. */
export const BatchNormalization = defineOperator({
  type: "BatchNormalization",
  minInputs: 5,
  attributeKinds: { epsilon: "float", momentum: "float", training_mode: "int" },
  infer(inputs, attributes) {
    const x = inputs[0]!;
    if (numberOf(attributes, "training_mode", 0) !== 0)
      throw shapeError("BatchNormalization", inputs, "training_mode is not supported");
    for (const value of inputs.slice(1)) {
      if (value?.shape.length !== 1 || value.shape[0] !== x.shape[1]) {
        throw shapeError(
          "BatchNormalization",
          inputs,
          `scale, bias, mean and variance must have ${x.shape[1]} elements`,
        );
      }
    }
    return [{ dtype: x.dtype, shape: x.shape }];
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

/** Softmax of x along `axis`. */
export const softmax = (x: Value, axis: number, name = ""): Value => emitOne(Softmax, [x], { axis }, name);
