// The messages between a session and its worker thread.

import type { Tensor } from "../tensor/tensor.ts";
import type { Fate } from "./fate.ts";
import type { Device, SessionOptions, ValueSpec } from "./session.ts";

/** Which inputs are state. */
export interface StateSettings {
  /** Input to the output whose value it takes after each run. */
  readonly links: Readonly<Record<string, string>>;
  /** The output that must be finite for the new state to be kept. */
  readonly guard?: string;
}

/** Settings of one attempt to open a model. */
export interface OpenSettings extends Pick<SessionOptions, "graphOptimization" | "strict" | "profile"> {
  /** Devices to try, in this order. */
  readonly devices: readonly Device[];
  readonly threads: number;
  readonly spinning: boolean;
  readonly state?: StateSettings;
}

/** What a session's worker is started with. */
export interface SessionWorkerData {
  /** See exit-guard.ts. */
  readonly exitFlags: Int32Array<SharedArrayBuffer>;
}

/** What is asked of an opened model; done in the order of asking, answered with `done` or `failed`. */
export type Job =
  | {
      readonly type: "run";
      readonly id: number;
      readonly feeds: Readonly<Record<string, Tensor>>;
      /** There when the caller may abandon the run. */
      readonly fate?: Fate;
    }
  | { readonly type: "set-state"; readonly id: number; readonly values: Readonly<Record<string, Tensor>> }
  | { readonly type: "get-state"; readonly id: number; readonly names: readonly string[] };

/** What the session asks of its worker. */
export type ToWorker =
  | { readonly type: "open"; readonly model: Uint8Array | string; readonly settings: OpenSettings }
  | Job
  | { readonly type: "dispose" };

/** What is known of an opened model. */
export interface OpenedModel {
  readonly device: Device;
  readonly inputs: readonly ValueSpec[];
  readonly outputs: readonly ValueSpec[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** A device on which the model could not be opened, and the engine's words. */
export interface FailedDevice {
  readonly device: Device;
  readonly message: string;
}

/** What the worker answers. */
export type FromWorker =
  | { readonly type: "opened"; readonly model: OpenedModel; readonly failed: readonly FailedDevice[] }
  /** `cpuMessage` is set when the model cannot be read or opened on the CPU either: the model is at fault. */
  | { readonly type: "not-opened"; readonly failed: readonly FailedDevice[]; readonly cpuMessage?: string }
  | {
      readonly type: "done";
      readonly id: number;
      /** A run's outputs, or the state asked for. */
      readonly outputs: Readonly<Record<string, Tensor>>;
      /** Buffers of the feeds, given back for the next run. */
      readonly buffers: readonly ArrayBuffer[];
    }
  | { readonly type: "failed"; readonly id: number; readonly message: string };
