// Fresh parameters from their initialisers, reproducible from a seed.

import { elementCount, type Tensor, tensor } from "../tensor/tensor.ts";
import type { Initializer } from "./init.ts";
import type { ParameterInfo } from "./scope.ts";

/** Uniform numbers in [0, 1) from a 32-bit seed (mulberry32, public domain, T. Ettinger). */
export function uniformRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Standard normal numbers from uniform ones (Box–Muller). */
export function normalRandom(uniform: () => number): () => number {
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}

/** Standard deviation of a random initialiser. Kaiming: √(2/fan), fan over one output (in) or one input (out). */
function deviation(init: Exclude<Initializer, { kind: "constant" }>, shape: readonly number[]): number {
  if (init.kind === "normal") return init.std;
  const kernel = elementCount(shape.slice(2));
  return Math.sqrt(2 / ((init.fan === "in" ? shape[1]! : shape[0]!) * kernel));
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
