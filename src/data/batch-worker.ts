// The thread that fills batches: opens a source of samples, fills what it is asked for, hands the buffers over.

import { parentPort, workerData } from "node:worker_threads";
import { HRNetError, messageOf } from "../errors.ts";
import type { BatchWorkerData, FromBatchWorker, ToBatchWorker } from "./batch-protocol.ts";
import { type BatchRequest, fillBatch, openSource } from "./fill-batch.ts";
import type { SampleSource } from "./sample-source.ts";

const port = parentPort!;
const { module, settings, stop } = workerData as BatchWorkerData;
const post = (message: FromBatchWorker, transfer: readonly ArrayBuffer[] = []) =>
  port.postMessage(message, transfer);
const stopped = (): boolean => Atomics.load(stop, 0) !== 0;

let source: SampleSource | undefined;

port.on("message", (message: ToBatchWorker) => {
  if (message.type === "stop") port.close();
  else void reporting(() => fill(message.request));
});

await reporting(async () => {
  source = await openSource(module, settings);
  post({ type: "opened", fields: source.fields, length: source.length });
});

async function fill(request: BatchRequest): Promise<void> {
  const onProblem = (message: string): void => post({ type: "problem", message });
  const batch = await fillBatch(source!, request, { onProblem, stopped });
  if (batch === undefined) return; // stopped: nobody waits any more
  post({ type: "filled", batch }, [
    ...batch.arrays.map(({ buffer }) => buffer as ArrayBuffer),
    batch.indices.buffer as ArrayBuffer,
  ]);
}

async function reporting(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const code = error instanceof HRNetError ? { code: error.code } : {};
    post({ type: "failed", ...code, message: messageOf(error) });
  }
}
