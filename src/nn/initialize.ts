// Fresh parameters from their initialisers, reproducible from a seed.

import { elementCount, type Tensor, tensor } from "../tensor/tensor.ts";
import type { Initializer } from "./init.ts";
import type { ParameterInfo } from "./scope.ts";

/** Standard deviation of a random initialiser. Kaiming: √(2/fan), Xavier: √(1/fan), fan over one output (in) or one input (out). */
function deviation(init: Exclude<Initializer, { kind: "constant" }>, shape: readonly number[]): number {
  if (init.kind === "normal") return init.std;
  const kernel = elementCount(shape.slice(2));
  const fans = {
    in: shape[1]! * kernel,
    out: shape[0]! * kernel,
    mean: ((shape[0]! + shape[1]!) * kernel) / 2,
  };
  return Math.sqrt((init.kind === "kaiming-normal" ? 2 : 1) / fans[init.fan]);
}

/** A parameter as its initialiser wants it. */
export function initialize({ value, init }: ParameterInfo, normal: () => number): Tensor {
  const result = tensor(value.dtype, value.shape as readonly number[]);
  if (init.kind === "constant") {
    if (result.data instanceof BigInt64Array) result.data.fill(BigInt(init.value));
    else (result.data as Float32Array).fill(init.value);
    return result;
  }
  const std = deviation(init, result.shape);
  const data = result.data as Float32Array;
  for (let i = 0; i < data.length; i++) data[i] = std * normal();
  return result;
}
