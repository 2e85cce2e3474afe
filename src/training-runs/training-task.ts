// What a run needs of a task, whichever it is.

import type { CocoPoseEvaluation } from "../estimators/evaluate-coco.ts";
import type { Device } from "../runtime/session.ts";

/** Where networks run. */
export interface DeviceOptions {
  readonly device?: Device;
  readonly threads?: number;
  readonly signal?: AbortSignal;
}

/** Figures of one validation. */
export interface Validation {
  /** The metric that decides which weights are best; larger is better. */
  readonly main: string;
  /** 0 … 1. */
  readonly metrics: Readonly<Record<string, number>>;
  /** What the report draws from. */
  readonly evaluation?: CocoPoseEvaluation;
}
