// The state of a training run on its device, and the same by the names of the network: weights, averages, optimizer.

import type { Network } from "../models/network.ts";
import { type Tensor, tensor } from "../tensor/tensor.ts";
import { pack, unpack } from "./state-layout.ts";
import type { StepGraph } from "./step-graph.ts";
import type { StateVector } from "./step-options.ts";

/** Arrays by state-dict key. */
export type Arrays = ReadonlyMap<string, Tensor>;

/** What training has beside the weights, by role (`moment1`, `average`, `gradients`), then by state-dict key. */
export type Slots = ReadonlyMap<string, Arrays>;

/** `moment1.3` is the vector 3 of the role `moment1`. */
const roleOf = ({ name }: StateVector): string => name.replace(/\.\d+$/, "");

const HOLDS_WEIGHTS: ReadonlySet<StateVector["kind"]> = new Set(["parameters", "statistics"]);

/**
 * The state from which a step starts. What is not given starts as it does in a fresh run: averages at the weights, all
 * else at 0.
 * @throws HRNetError `weights-mismatch` when a weight is missing or has another shape
 */
export function packState(
  step: StepGraph,
  weights: Arrays,
  slots: Slots = new Map(),
): Record<string, Tensor> {
  return Object.fromEntries(
    step.vectors.map((entry) => {
      const { name, kind, vector } = entry;
      const arrays = HOLDS_WEIGHTS.has(kind) ? weights : slots.get(roleOf(entry));
      if (arrays) return [name, pack(vector, arrays)];
      return [name, kind === "average" ? pack(vector, weights) : tensor("float32", [vector.length])];
    }),
  );
}

/** Names of the state vectors that hold weights: what validation needs of the state. */
export function weightVectors(step: StepGraph, averaged: boolean): string[] {
  const average = averaged && step.vectors.some(({ kind }) => kind === "average");
  const kinds = new Set<StateVector["kind"]>([average ? "average" : "parameters", "statistics"]);
  return step.vectors.filter(({ kind }) => kinds.has(kind)).map(({ name }) => name);
}

function unpackKinds(
  step: StepGraph,
  state: Readonly<Record<string, Tensor>>,
  wanted: (entry: StateVector) => boolean,
): [string, Tensor][] {
  return step.vectors
    .filter((entry) => wanted(entry) && state[entry.name])
    .flatMap(({ name, vector }) => [...unpack(vector, state[name]!)]);
}

/**
 * All weights of the network: those in the state, the frozen ones of `initial`, and counters moved by the batches seen.
 * @param state vectors by name, as the session gives them; averages stand for parameters where those are not given
 */
export function unpackWeights(
  step: StepGraph,
  network: Network,
  initial: Arrays,
  state: Readonly<Record<string, Tensor>>,
  batches: number,
): Map<string, Tensor> {
  const averaged = !step.vectors.some(({ name, kind }) => kind === "parameters" && state[name]);
  const kinds = new Set<StateVector["kind"]>([averaged ? "average" : "parameters", "statistics"]);
  const trained = new Map(unpackKinds(step, state, ({ kind }) => kinds.has(kind)));
  const followed = new Set([...trained.keys()].filter((name) => name.endsWith(".running_mean")));
  const result = new Map<string, Tensor>();
  for (const [name, { calls }] of network.parameters) {
    const value = trained.get(name) ?? initial.get(name)!;
    const module = name.slice(0, name.lastIndexOf("."));
    const counts = name.endsWith(".num_batches_tracked") && followed.has(`${module}.running_mean`);
    result.set(name, counts ? counted(value, batches * calls) : value);
  }
  return result;
}

/** A counter moved on. */
function counted(counter: Tensor, by: number): Tensor {
  return tensor("int64", [], BigInt64Array.of(BigInt(Number(counter.data[0])) + BigInt(by)));
}

/** Everything beside the weights, by role and key. */
export function unpackSlots(step: StepGraph, state: Readonly<Record<string, Tensor>>): Map<string, Arrays> {
  const roles = new Set(step.vectors.filter(({ kind }) => !HOLDS_WEIGHTS.has(kind)).map(roleOf));
  return new Map(
    [...roles].map((role) => [
      role,
      new Map(unpackKinds(step, state, (entry) => !HOLDS_WEIGHTS.has(entry.kind) && roleOf(entry) === role)),
    ]),
  );
}
