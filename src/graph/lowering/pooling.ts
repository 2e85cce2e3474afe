// Gradients of pooling and of nearest-neighbour enlargement.

import { tensor } from "../../tensor/tensor.ts";
import { emit, emitOne, intsOf } from "../operator.ts";
import { scale } from "../ops/elementwise.ts";
import { averagePool, MaxPoolWithIndices } from "../ops/pool.ts";
import { ScatterElements } from "../ops/scatter.ts";
import { reshape } from "../ops/shape.ts";
import { constant, type Value } from "../value.ts";
import type { LoweringRule } from "./target.ts";

/** A sum over windows is their mean times their size. */
export const windowSum: LoweringRule = (node, [x]) => {
  const window = intsOf(node.attributes, "window", [1, 1]) as readonly [number, number];
  return [scale(averagePool(x!, { kernel: window, strides: window }, node.name), window[0] * window[1])];
};

/** The pooling once more, for the places of its maxima, onto which ∂L/∂Y is added. */
export const maxPoolGradient: LoweringRule = (node, inputs) => {
  const [dy, x] = inputs as readonly [Value, Value];
  const [, indices] = emit(MaxPoolWithIndices, [x], node.attributes, node.name);
  const shape = x.shape as readonly number[];
  const count = shape.reduce((product, size) => product * size, 1);
  const zeros = constant(tensor("float32", [count]));
  const scattered = emitOne(ScatterElements, [zeros, reshape(indices!, [-1]), reshape(dy, [-1])], {
    axis: 0,
    reduction: "add",
  });
  return [reshape(scattered, shape)];
};
