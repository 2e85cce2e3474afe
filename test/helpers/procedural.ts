// Weights made from their names by a tiny generator, as the parity fixtures define it (test/fixtures/procedural/prng.json),
// so that full-size networks can be compared without weight files.

import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { elementCount, type Tensor, tensor } from "../../src/tensor/tensor.ts";

/** The generator's stream for a key: uniform numbers in [0, 1). */
function uniform(key: string): () => number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(key)) hash = Math.imul(hash ^ byte, 0x01000193);
  let a = hash >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function fill(key: string, shape: readonly number[], f: (u: number) => number): Tensor {
  const next = uniform(key);
  return tensor(
    "float32",
    shape,
    Float32Array.from({ length: elementCount(shape) }, () => f(next())),
  );
}

/** The weight of that name and shape. Transposed convolutions are named by their layer. */
export function proceduralWeight(key: string, shape: readonly number[]): Tensor {
  if (key.endsWith("num_batches_tracked")) return tensor("int64", [], BigInt64Array.of(0n));
  if (key.endsWith("running_var")) return fill(key, shape, (u) => 0.5 + 1.5 * u);
  if (key.endsWith("running_mean") || key.endsWith("bias")) return fill(key, shape, (u) => -0.2 + 0.4 * u);
  if (shape.length === 1) return fill(key, shape, (u) => 0.5 + u);
  const transposed = key.includes("deconv_layers") && shape.length === 4;
  const fan = transposed ? Math.floor((shape[0]! * shape[2]! * shape[3]!) / 4) : elementCount(shape.slice(1));
  const bound = Math.sqrt(2.25 / fan);
  return fill(key, shape, (u) => (2 * u - 1) * bound);
}

/** The network input of a procedural fixture. */
export function proceduralInput(name: string, shape: readonly number[]): Tensor {
  return fill(name, shape, (u) => (2 * u - 1) * 2);
}

/** One entry of a key list. */
export interface KeyEntry {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly param: boolean;
}

/** A gzipped state-dict key list. */
export function readKeyList(path: string): KeyEntry[] {
  return (JSON.parse(gunzipSync(readFileSync(path)).toString()) as { tensors: KeyEntry[] }).tensors;
}
