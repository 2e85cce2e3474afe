// The state a session's worker keeps between runs: inputs that take the value an output had in the run before.

import { InferenceSession, type Tensor as OrtTensor } from "onnxruntime-node";
import { DATA_TYPE_OF, decodeModel, encodeModel } from "../graph/onnx-proto.ts";
import type { DType, Tensor } from "../tensor/tensor.ts";
import { discard, fromEngine, sharedTypeOf, toEngine } from "./ort-tensors.ts";
import type { Device } from "./session.ts";
import type { StateSettings } from "./session-protocol.ts";

/** Does work inside the engine; see exit-guard.ts. */
export type Engine = <T>(work: () => Promise<T>) => Promise<T>;

type OrtTensors = Readonly<Record<string, OrtTensor>>;

/**
 * Where the engine shall leave the outputs that are state: on the GPU with WebGPU. Elsewhere it hands out arrays.
 * Names the model lacks are left out; the caller is told of them once the model is open.
 */
export function stateLocations(
  { links }: StateSettings,
  device: Device,
  model: Uint8Array,
): Pick<InferenceSession.SessionOptions, "preferredOutputLocation"> {
  if (device !== "webgpu") return {};
  const wanted = new Set(Object.values(links));
  const known = decodeModel(model).graph.output.map(({ name }) => name);
  const locations = known.filter((name) => wanted.has(name)).map((name) => [name, "gpu-buffer"] as const);
  return locations.length === 0 ? {} : { preferredOutputLocation: Object.fromEntries(locations) };
}

/** The state of one session. It owns its tensors' memory. */
export class SessionState {
  readonly #inputOf: ReadonlyMap<string, string>;
  readonly #guard: string | undefined;
  readonly #device: Device;
  readonly #engine: Engine;
  readonly #tensors = new Map<string, OrtTensor>();
  /** Sessions that fetch tensors of one type from the GPU. */
  readonly #fetchers = new Map<DType, InferenceSession>();

  constructor({ links, guard }: StateSettings, device: Device, engine: Engine) {
    this.#inputOf = new Map(Object.entries(links).map(([input, output]) => [output, input]));
    this.#guard = guard;
    this.#device = device;
    this.#engine = engine;
  }

  set(values: Readonly<Record<string, Tensor>>): void {
    for (const [name, value] of Object.entries(values)) this.#replace(name, toEngine(value));
  }

  /** What is fed to the next run. */
  feeds(): OrtTensors {
    return Object.fromEntries(this.#tensors);
  }

  /**
   * Takes over the new state from a run's outputs, unless the guard is not finite or `wanted` says no, and returns the
   * other outputs.
   */
  advance(outputs: OrtTensors, wanted: () => boolean): OrtTensors {
    const others: Record<string, OrtTensor> = {};
    const next: [input: string, tensor: OrtTensor][] = [];
    for (const [name, output] of Object.entries(outputs)) {
      const input = this.#inputOf.get(name);
      if (input === undefined) others[name] = output;
      else next.push([input, output]);
    }
    const guard = this.#guard === undefined ? undefined : others[this.#guard];
    if ((guard === undefined || allFinite(fromEngine(guard))) && wanted()) {
      for (const [input, tensor] of next) this.#replace(input, tensor);
    } else {
      for (const [, tensor] of next) discard(tensor);
    }
    return others;
  }

  /** Copies of the named tensors. */
  async read(names: readonly string[]): Promise<Record<string, Tensor>> {
    const copies: Record<string, Tensor> = {};
    for (const name of names) copies[name] = await this.#copy(this.#tensors.get(name)!);
    return copies;
  }

  async dispose(): Promise<void> {
    for (const tensor of this.#tensors.values()) discard(tensor);
    this.#tensors.clear();
    for (const fetcher of this.#fetchers.values()) await fetcher.release();
    this.#fetchers.clear();
  }

  #replace(name: string, tensor: OrtTensor): void {
    const old = this.#tensors.get(name);
    this.#tensors.set(name, tensor);
    if (old !== undefined) discard(old);
  }

  async #copy(tensor: OrtTensor): Promise<Tensor> {
    if (tensor.location !== "gpu-buffer") {
      const { dtype, shape, data } = fromEngine(tensor);
      return { dtype, shape: [...shape], data: data.slice() };
    }
    const fetcher = await this.#fetcher(sharedTypeOf(tensor.type));
    const { y } = await this.#engine(() => fetcher.run({ x: tensor }));
    return fromEngine(y!);
  }

  /** ONNX Runtime 1.30 for Node.js has no download of its own (`getData` ends the process): y = x does it. */
  async #fetcher(dtype: DType): Promise<InferenceSession> {
    const known = this.#fetchers.get(dtype);
    if (known !== undefined) return known;
    const options = { executionProviders: [this.#device], logSeverityLevel: 4 as const };
    const fetcher = await this.#engine(() => InferenceSession.create(identity(dtype), options));
    this.#fetchers.set(dtype, fetcher);
    return fetcher;
  }
}

/** Whether a tensor of a float type holds neither NaN nor infinity. */
function allFinite({ dtype, data }: Tensor): boolean {
  // float16: all bits of the exponent set
  if (dtype === "float16") return (data as Uint16Array).every((bits) => (bits & 0x7c00) !== 0x7c00);
  return (data as Float32Array).every(Number.isFinite);
}

/** The model y = x for tensors of any shape. */
function identity(dtype: DType): Uint8Array {
  const value = (name: string) => ({ name, type: { tensorType: { elemType: DATA_TYPE_OF[dtype] } } });
  return encodeModel({
    irVersion: 8,
    opsetImport: [{ domain: "", version: 17 }],
    graph: {
      name: "identity",
      node: [{ opType: "Identity", input: ["x"], output: ["y"] }],
      input: [value("x")],
      output: [value("y")],
      initializer: [],
    },
  });
}
