// Opens models whose state stays in the session between runs, as a training step's weights do.

import { HRNetError } from "../errors.ts";
import { formatShape, type Tensor } from "../tensor/tensor.ts";
import type { Connection } from "./connection.ts";
import { checkFeeds } from "./feeds.ts";
import { checkRunnable, openInWorker } from "./opening.ts";
import type { RunOptions, StatefulSession, StatefulSessionOptions, ValueSpec } from "./session.ts";
import type { OpenedModel, StateSettings } from "./session-protocol.ts";

/**
 * Opens a model some of whose inputs are state.
 * @param model the bytes of an `.onnx` file, or its path
 * @throws HRNetError as `openSession`; `usage` when `state` or `guard` name what the model has not; `invalid-shape` when
 * an output cannot be fed to its input.
 */
export async function openStatefulSession(
  model: Uint8Array | string,
  options: StatefulSessionOptions,
): Promise<StatefulSession> {
  const { state: links, guard, ...rest } = options;
  const settings: StateSettings = guard === undefined ? { links } : { links, guard };
  const opened = await openInWorker(model, rest, settings);
  try {
    checkLinks(opened.model, links);
    if (guard !== undefined) checkGuard(opened.model, links, guard);
  } catch (error) {
    await opened.connection.close();
    throw error;
  }
  return new WorkerStatefulSession(opened.model, links, opened.connection);
}

const GUARD_TYPES: readonly string[] = ["float32", "float64", "float16"];

function checkLinks({ inputs, outputs }: OpenedModel, links: StateSettings["links"]): void {
  const taken = new Set<string>();
  for (const [inputName, outputName] of Object.entries(links)) {
    const input = named(inputs, inputName, "input");
    const output = named(outputs, outputName, "output");
    if (taken.has(outputName)) {
      throw new HRNetError(
        "usage",
        `Two inputs take the output "${outputName}" as state; give each its own.`,
      );
    }
    taken.add(outputName);
    if (input.dtype !== output.dtype || !canFit(input.shape, output.shape)) {
      throw new HRNetError(
        "invalid-shape",
        `The output "${outputName}" (${output.dtype} ${formatShape(output.shape)}) cannot be fed back to the input ` +
          `"${inputName}" (${input.dtype} ${formatShape(input.shape)}).`,
      );
    }
  }
}

function checkGuard(model: OpenedModel, links: StateSettings["links"], guard: string): void {
  const { dtype } = named(model.outputs, guard, "output");
  if (!GUARD_TYPES.includes(dtype) || Object.values(links).includes(guard)) {
    throw new HRNetError(
      "usage",
      `guard was given as "${guard}" (${dtype}); it must be an output of a float type that is no state.`,
    );
  }
}

function named(values: readonly ValueSpec[], name: string, kind: "input" | "output"): ValueSpec {
  const found = values.find((value) => value.name === name);
  if (found !== undefined) return found;
  const names = values.map((value) => `"${value.name}"`).join(", ");
  throw new HRNetError("usage", `The model has no ${kind} "${name}"; its ${kind}s are ${names}.`);
}

/** Whether a shape may turn out to fit; texts stand for any size, an empty shape for an unknown one. */
function canFit(input: ValueSpec["shape"], output: ValueSpec["shape"]): boolean {
  if (input.length === 0 || output.length === 0) return true;
  return (
    input.length === output.length &&
    input.every((size, axis) => {
      const other = output[axis]!;
      return typeof size === "string" || typeof other === "string" || size === other;
    })
  );
}

class WorkerStatefulSession implements StatefulSession {
  readonly inputs: StatefulSession["inputs"];
  readonly outputs: StatefulSession["outputs"];
  readonly state: StatefulSession["state"];
  readonly device: StatefulSession["device"];
  readonly metadata: StatefulSession["metadata"];
  readonly #connection: Connection;
  readonly #unset: Set<string>;

  constructor(model: OpenedModel, links: StateSettings["links"], connection: Connection) {
    const isState = ({ name }: ValueSpec) => Object.hasOwn(links, name);
    const stateOutputs = new Set(Object.values(links));
    this.inputs = model.inputs.filter((input) => !isState(input));
    this.outputs = model.outputs.filter(({ name }) => !stateOutputs.has(name));
    this.state = model.inputs.filter(isState);
    this.device = model.device;
    this.metadata = model.metadata;
    this.#connection = connection;
    this.#unset = new Set(this.state.map(({ name }) => name));
  }

  async setState(
    values: Readonly<Record<string, Tensor>>,
    options: Pick<RunOptions, "transfer"> = {},
  ): Promise<void> {
    checkRunnable(this.#connection);
    const names = Object.keys(values);
    const unknown = names.find((name) => !this.#isState(name));
    if (unknown !== undefined) throw new HRNetError("invalid-shape", this.#noState(unknown));
    checkFeeds(
      this.state.filter(({ name }) => Object.hasOwn(values, name)),
      values,
    );
    const done = this.#connection.setState(values, options.transfer ?? false);
    for (const name of names) this.#unset.delete(name); // a run asked for from now on comes after
    await done;
  }

  async getState(names?: readonly string[]): Promise<Record<string, Tensor>> {
    checkRunnable(this.#connection);
    const wanted = names ?? this.state.map(({ name }) => name);
    const unknown = wanted.find((name) => !this.#isState(name));
    if (unknown !== undefined) throw new HRNetError("usage", this.#noState(unknown));
    this.#checkSet(wanted);
    return this.#connection.getState(wanted);
  }

  async run(
    feeds: Readonly<Record<string, Tensor>>,
    options: RunOptions = {},
  ): Promise<Record<string, Tensor>> {
    const { signal, transfer = false } = options;
    checkRunnable(this.#connection, signal);
    this.#checkSet([...this.#unset]);
    checkFeeds(this.inputs, feeds);
    return this.#connection.run(feeds, transfer, signal);
  }

  dispose(): Promise<void> {
    return this.#connection.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }

  #isState(name: string): boolean {
    return this.state.some((state) => state.name === name);
  }

  #noState(name: string): string {
    return `"${name}" is no state of the session; its state is ${this.state.map((state) => `"${state.name}"`).join(", ")}.`;
  }

  #checkSet(names: readonly string[]): void {
    const missing = names.filter((name) => this.#unset.has(name));
    if (missing.length === 0) return;
    const list = missing.map((name) => `"${name}"`).join(", ");
    throw new HRNetError("usage", `State ${list} was never set; give it to setState first.`);
  }
}
