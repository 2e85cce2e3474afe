// What a training run is told and what it tells.

import type { Device } from "../runtime/session.ts";
import type { RunState } from "../train/checkpoint.ts";
import type { DeviceOptions } from "./training-task.ts";

/** How a recipe is carried out. */
export interface TrainingRunOptions extends Omit<DeviceOptions, "device"> {
  /** Folder of the run. */
  readonly out: string;
  /** Default `cpu`. `auto`: WebGPU where there is a GPU on which the step opens, else the CPU; what and why goes to `onLog`. */
  readonly device?: Device | "auto";
  /** Go on with the run that is there; its own recipe counts, but for `epochs` and `workers`. */
  readonly resume?: boolean;
  readonly onLog?: (line: string) => void;
  readonly onProgress?: (progress: TrainingProgress) => void;
}

/** Where a run stands. */
export interface TrainingProgress {
  /** From 1. */
  readonly epoch: number;
  readonly epochs: number;
  /** Batches done in this epoch, and of it. */
  readonly batch: number;
  readonly batches: number;
  /** Optimizer steps done. */
  readonly step: number;
  /** Mean over the batches of late. */
  readonly loss: number;
  readonly learningRate: number;
  /** Of the batches of late. */
  readonly imagesPerSecond: number;
  /** Pictures done of those of a validation, while there is one. */
  readonly validation?: { readonly done: number; readonly total: number };
}

/** How a run ended. */
export interface TrainingResult {
  readonly folder: string;
  readonly finished: boolean;
  readonly epochs: number;
  readonly steps: number;
  readonly best: RunState["best"];
  readonly files: Readonly<Record<"last" | "report", string>> &
    Partial<Readonly<Record<"best" | "onnx", string>>>;
}
