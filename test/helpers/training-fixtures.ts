// The training fixtures: a narrow network, one batch, and what PyTorch's steps made of it.
import { readFileSync } from "node:fs";
import { importStateDict } from "../../src/model-file/import-checkpoint.ts";
import { buildNetwork, type Network } from "../../src/models/network.ts";
import { decodeNpy } from "../../src/tensor/npy.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { readCheckpoint } from "../../src/weights/read-checkpoint.ts";
import { shared } from "./shared.ts";

/** A fixture opened. */
export interface TrainingFixture {
  readonly network: Network;
  readonly weights: ReadonlyMap<string, Tensor>;
  readonly meta: {
    readonly losses_float64: readonly number[];
    readonly near_zero_grad_tensors: readonly string[];
  };
  array(name: string): Tensor;
  tensors(name: string): Promise<ReadonlyMap<string, Tensor>>;
}

/** Opens `fixtures/<name>`, its network built for the batch of its input. */
export async function trainingFixture(name: string, checkpoint: string): Promise<TrainingFixture> {
  const path = (file: string): string => shared("fixtures", name, file);
  const array = (file: string): Tensor => decodeNpy(readFileSync(path(file)));
  const { stateDict } = await readCheckpoint(path(checkpoint));
  const [batch, , height, width] = array("input.npy").shape as [number, number, number, number];
  const { model } = importStateDict(stateDict, path(checkpoint), { input: [height, width] });
  return {
    network: buildNetwork(model.description.network, [height, width], batch),
    weights: model.weights,
    meta: JSON.parse(readFileSync(path("meta.json"), "utf8")),
    array,
    tensors: async (file) => (await readCheckpoint(path(file))).stateDict,
  };
}

/** Elements of a stored tensor beside ours: a name `weight::every7` holds each 7th element of the flattened `weight`. */
export function sampled(name: string, ours: ReadonlyMap<string, Tensor>): Float32Array | undefined {
  const [key, rule] = name.split("::every") as [string, string?];
  const data = ours.get(key)?.data as Float32Array | undefined;
  if (!data || rule === undefined) return data;
  return Float32Array.from(
    { length: Math.ceil(data.length / Number(rule)) },
    (_, i) => data[i * Number(rule)]!,
  );
}

/** ‖a − b‖/‖b‖ over the pairs. */
export function relativeNorm(pairs: Iterable<readonly [ArrayLike<number>, ArrayLike<number>]>): number {
  let difference = 0;
  let norm = 0;
  for (const [a, b] of pairs) {
    for (let i = 0; i < b.length; i++) {
      difference += (a[i]! - b[i]!) ** 2;
      norm += b[i]! ** 2;
    }
  }
  return Math.sqrt(difference / norm);
}
