// A step on a batch in parts: copies of the network side by side, their gradients averaged, one optimizer.

import { graphToModel } from "../graph/onnx.ts";
import { encodeModel } from "../graph/onnx-proto.ts";
import type { RunOptions, StatefulSession, StatefulSessionOptions } from "../runtime/session.ts";
import { openStatefulSession } from "../runtime/stateful.ts";
import { availableCpus } from "../runtime/threads.ts";
import { elementCount, type Tensor, tensor } from "../tensor/tensor.ts";
import { concatenated, mean, partOf } from "./batch-parts.ts";
import { BATCH_STATISTICS, parametersName, type ReplicatedStepGraph } from "./step-graph.ts";

/** What a training session needs of the session that runs its step. */
export type StepSession = Pick<
  StatefulSession,
  "device" | "inputs" | "run" | "setState" | "getState" | "dispose"
>;

type Tensors = Readonly<Record<string, Tensor>>;

/**
 * Opens both halves of a step: the first `replicas` times, with the threads shared out.
 * @throws HRNetError as `openStatefulSession`
 */
export async function openReplicas(
  step: ReplicatedStepGraph,
  replicas: number,
  options: Omit<StatefulSessionOptions, "state" | "guard">,
): Promise<StepSession> {
  const { threads = availableCpus(), ...rest } = options;
  const own = { ...rest, threads: Math.max(1, Math.floor(threads / replicas)) };
  const update = await openStatefulSession(
    encodeModel(graphToModel(step.graph, { name: "parameter-update" })),
    {
      ...rest,
      threads,
      state: step.state,
      guard: "gradientNorm",
      transfer: true,
    },
  );
  const opened = [update];
  try {
    const part = encodeModel(graphToModel(step.part, { name: "batch-gradients" }));
    // What is to be said of the device was said by the first.
    const quiet = { ...own, onLog: () => {}, transfer: false, state: {} };
    while (opened.length <= replicas) opened.push(await openStatefulSession(part, quiet));
    options.onLog?.(`${replicas} parts of a batch side by side`);
  } catch (error) {
    await Promise.all(opened.map((session) => session.dispose()));
    throw error;
  }
  return new ReplicatedSession(update, opened.slice(1), step);
}

class ReplicatedSession implements StepSession {
  readonly device: StatefulSession["device"];
  readonly inputs: StatefulSession["inputs"];
  readonly #update: StatefulSession;
  readonly #replicas: readonly StatefulSession[];
  readonly #parameterNames: readonly string[];
  readonly #channels: readonly number[];
  constructor(update: StatefulSession, replicas: readonly StatefulSession[], step: ReplicatedStepGraph) {
    this.#update = update;
    this.#replicas = replicas;
    this.device = update.device;
    this.#parameterNames = step.vectors
      .filter(({ kind }) => kind === "parameters")
      .map((_, index) => parametersName(index));
    this.#channels = step.vectors
      .filter(({ kind }) => kind === "statistics")
      .flatMap(({ vector }) => vector.slots.map(({ shape }) => elementCount(shape)));
    const own = new Set(this.#parameterNames);
    const fed = replicas[0]!.inputs.filter(({ name }) => !own.has(name));
    const known = new Set(fed.map(({ name }) => name));
    this.inputs = [
      ...fed,
      ...update.inputs.filter(({ name, shape }) => shape.length === 0 && !known.has(name)),
    ];
  }

  async run(feeds: Tensors, { signal }: RunOptions = {}): Promise<Record<string, Tensor>> {
    const results = await Promise.all(
      this.#replicas.map(async (replica, index) => {
        // A copy for each, made where they lie, can be handed over.
        const parameters = await this.#update.getState(this.#parameterNames);
        const own = inputsOf(replica, feeds, parameters, index, this.#replicas.length);
        return replica.run({ ...parameters, ...own }, { transfer: true, ...(signal && { signal }) });
      }),
    );
    const taken = new Set(this.#update.inputs.map(({ name }) => name));
    const names = Object.keys(results[0]!);
    const handedOver = names.filter((name) => taken.has(name));
    const report = names.filter((name) => name !== "loss" && !taken.has(name));
    const gathered = (name: string): Tensor[] => results.map((result) => result[name]!);
    const scalars = Object.entries(feeds).filter(([name]) => taken.has(name));
    const updated = await this.#update.run(
      {
        ...Object.fromEntries(scalars),
        ...Object.fromEntries(
          handedOver.map((name) => [
            name,
            name === BATCH_STATISTICS
              ? mergedStatistics(gathered(name), this.#channels)
              : mean(gathered(name)),
          ]),
        ),
      },
      { transfer: true },
    );
    return {
      ...updated,
      loss: mean(gathered("loss")),
      ...Object.fromEntries(report.map((name) => [name, concatenated(gathered(name))])),
    };
  }

  async setState(values: Tensors, options: Pick<RunOptions, "transfer"> = {}): Promise<void> {
    await this.#update.setState(values, options);
  }

  getState(names?: readonly string[]): Promise<Record<string, Tensor>> {
    return this.#update.getState(names);
  }

  async dispose(): Promise<void> {
    await Promise.all([this.#update, ...this.#replicas].map((session) => session.dispose()));
  }
}

/** Of the feeds those that a replica takes: scalars, and its part of the samples. */
function inputsOf(
  replica: StatefulSession,
  feeds: Tensors,
  parameters: Tensors,
  index: number,
  replicas: number,
): Record<string, Tensor> {
  const names = replica.inputs.map(({ name }) => name).filter((name) => !(name in parameters));
  return Object.fromEntries(names.map((name) => [name, partOf(feeds[name]!, index, replicas)]));
}

/**
 * Means and variances of a batch from those of its equal parts: E[x²] − E[x]² with E[x²] = var + mean² of each part.
 * @param channels numbers in each array of the vector: means and variances in turn
 */
function mergedStatistics(parts: readonly Tensor[], channels: readonly number[]): Tensor {
  const [first] = parts;
  const result = tensor("float32", first!.shape);
  const arrays = parts.map(({ data }) => data as Float32Array);
  let offset = 0;
  for (let entry = 0; entry < channels.length; entry += 2) {
    const count = channels[entry]!;
    for (let c = offset; c < offset + count; c++) {
      let sum = 0;
      let squares = 0;
      for (const array of arrays) {
        sum += array[c]!;
        squares += array[c + count]! + array[c]! ** 2;
      }
      const average = sum / arrays.length;
      result.data[c] = average;
      result.data[c + count] = Math.max(0, squares / arrays.length - average ** 2);
    }
    offset += 2 * count;
  }
  return result;
}
