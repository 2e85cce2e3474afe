// What a running model is to the rest of the library, whichever engine and platform run it.

import type { DType, Tensor } from "../tensor/tensor.ts";

/** Where a model can run. */
export const DEVICES = ["cpu", "webgpu", "cuda", "coreml", "dml"] as const;

/** One of {@link DEVICES}. */
export type Device = (typeof DEVICES)[number];

/** Name, element type and shape of a model's input or output. A text in a shape names an axis of any size (`batch`). */
export interface ValueSpec {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly (number | string)[];
}

/** How a model is opened. */
export interface SessionOptions {
  /**
   * `auto` (default): the best device found here, or else the CPU; what was chosen, and why, goes to `onLog`.
   * A device by name: that one, or an error.
   */
  readonly device?: Device | "auto";
  /** Threads that work on one operator on the CPU. Default: the CPUs this process may use. */
  readonly threads?: number;
  /**
   * Whether idle threads wait in a busy loop (default `false`). `true` can gain a little when the process does nothing
   * but run this model on idle CPUs; it takes about twice as long per run, and their time from everything else, when
   * other work (decoding pictures, a second session, another process) wants the same CPUs.
   */
  readonly spinning?: boolean;
  /** How much ONNX Runtime rewrites the graph on opening (default `all`); `disabled` opens large graphs faster. */
  readonly graphOptimization?: "disabled" | "basic" | "extended" | "all";
  /** Refuse to open the model when the device lacks one of its operators, which would then run on the CPU. */
  readonly strict?: boolean;
  /** Write ONNX Runtime's profile to `<profile>_<time>.json` when the session is disposed of. */
  readonly profile?: string;
  /** Hand over the model's bytes instead of copying them; the array is empty afterwards. */
  readonly transfer?: boolean;
  /** Receives one line for each choice made on the way. */
  readonly onLog?: (line: string) => void;
}

/** How one run is done. */
export interface RunOptions {
  /** Rejects the waiting caller at once. A run that has begun is finished in the background and its result dropped. */
  readonly signal?: AbortSignal;
  /**
   * Hand over the arrays of the feeds instead of copying them; they are empty afterwards. Copying costs about 1 ms per
   * 8 MB. Arrays that do not fill their buffer are copied all the same.
   */
  readonly transfer?: boolean;
}

/** An opened model. */
export interface ModelSession extends AsyncDisposable {
  readonly inputs: readonly ValueSpec[];
  readonly outputs: readonly ValueSpec[];
  /** The device it was opened on. */
  readonly device: Device;
  /** The model file's metadata. */
  readonly metadata: Readonly<Record<string, string>>;
  /**
   * Runs the model. Runs are done one after the other in the order of the calls; the feeds may be changed as soon as
   * the call returns.
   * @returns every output by name; the arrays belong to the caller
   * @throws HRNetError `invalid-shape` when feeds are missing, unknown, or of another type or shape than the model's
   * inputs; `inference-failed` when the engine fails; `aborted` through `options.signal`; `usage` after `dispose`.
   */
  run(feeds: Readonly<Record<string, Tensor>>, options?: RunOptions): Promise<Record<string, Tensor>>;
  /** Frees the model. Runs that have not finished are rejected with `aborted`. May be called again. */
  dispose(): Promise<void>;
}

/** How a model with state is opened. */
export interface StatefulSessionOptions extends SessionOptions {
  /** The inputs that are state, each with the output whose value it takes after a run; no output twice. */
  readonly state: Readonly<Record<string, string>>;
  /** An output of a float type, such as a loss: when it is not finite, the new state is dropped and the old one kept. */
  readonly guard?: string;
}

/**
 * A model some of whose inputs are state: after each run they take the value of their output. With WebGPU state stays
 * on the GPU between runs; with CPU it is fed back as the engine returned it. Calls take effect in their order.
 */
export interface StatefulSession extends AsyncDisposable {
  /** What {@link run} is fed: the inputs that are not state. */
  readonly inputs: readonly ValueSpec[];
  /** What {@link run} returns: the outputs that are not state. */
  readonly outputs: readonly ValueSpec[];
  /** The inputs that are state. */
  readonly state: readonly ValueSpec[];
  /** The device it was opened on. */
  readonly device: Device;
  /** The model file's metadata. */
  readonly metadata: Readonly<Record<string, string>>;
  /**
   * Sets all of the state, or some; all of it must be set once before the first run.
   * @throws HRNetError `invalid-shape` when names, types or shapes are not the state's; `usage` after `dispose`.
   */
  setState(values: Readonly<Record<string, Tensor>>, options?: Pick<RunOptions, "transfer">): Promise<void>;
  /**
   * Copies of all of the state, or of the named tensors, as they are after the runs asked for before.
   * @throws HRNetError `usage` for a name that is no state or was never set, and after `dispose`.
   */
  getState(names?: readonly string[]): Promise<Record<string, Tensor>>;
  /**
   * Runs the model as {@link ModelSession.run} does, with the state it has, and keeps the new state. A run that fails or
   * is aborted changes no state; one whose state is already kept when `options.signal` fires counts as done.
   * @returns the outputs that are not state, also when the guard was not finite and no state was kept
   * @throws HRNetError as {@link ModelSession.run}; `usage` naming state that was never set.
   */
  run(feeds: Readonly<Record<string, Tensor>>, options?: RunOptions): Promise<Record<string, Tensor>>;
  /** Frees the model and its state. Runs that have not finished are rejected with `aborted`. May be called again. */
  dispose(): Promise<void>;
}
