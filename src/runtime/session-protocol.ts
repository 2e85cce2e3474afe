// The messages between a session and its worker thread.

import type { Tensor } from "../tensor/tensor.ts";
import type { Device, SessionOptions, ValueSpec } from "./session.ts";

/** Settings of one attempt to open a model. */
export interface OpenSettings extends Pick<SessionOptions, "graphOptimization" | "strict" | "profile"> {
  /** Devices to try, in this order. */
  readonly devices: readonly Device[];
  readonly threads: number;
  readonly spinning: boolean;
}

/** What a session's worker is started with. */
export interface SessionWorkerData {
  /** See exit-guard.ts. */
  readonly exitFlags: Int32Array<SharedArrayBuffer>;
}

/** What the session asks of its worker. */
export type ToWorker =
  | { readonly type: "open"; readonly model: Uint8Array | string; readonly settings: OpenSettings }
  | { readonly type: "run"; readonly id: number; readonly feeds: Readonly<Record<string, Tensor>> }
  | { readonly type: "cancel"; readonly id: number }
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
      readonly outputs: Readonly<Record<string, Tensor>>;
      /** Buffers of the feeds, given back for the next run. */
      readonly buffers: readonly ArrayBuffer[];
    }
  | { readonly type: "failed"; readonly id: number; readonly message: string };
