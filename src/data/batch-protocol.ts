// The messages between a batch loader and its worker threads.

import type { ErrorCode } from "../errors.ts";
import type { BatchRequest, FilledBatch } from "./fill-batch.ts";
import type { SampleField } from "./sample-source.ts";

/** What a worker is started with. */
export interface BatchWorkerData {
  /** Address of the sample module. */
  readonly module: string;
  readonly settings: unknown;
  /** One flag, not 0 when the worker is to stop at once. */
  readonly stop: Int32Array<SharedArrayBuffer>;
}

/** To a worker. */
export type ToBatchWorker =
  | { readonly type: "fill"; readonly request: BatchRequest }
  | { readonly type: "stop" };

/** From a worker. */
export type FromBatchWorker =
  | ({ readonly type: "opened" } & SourceShape)
  | { readonly type: "problem"; readonly message: string }
  | { readonly type: "filled"; readonly batch: FilledBatch }
  /** Opening or filling failed; `code` is absent where the error is none of ours. */
  | { readonly type: "failed"; readonly code?: ErrorCode; readonly message: string };

/** What the loader must know of a source. */
export interface SourceShape {
  readonly fields: readonly SampleField[];
  readonly length: number;
}
