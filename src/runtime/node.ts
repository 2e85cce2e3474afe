// Opens ONNX models in Node.js. Each session lives in a worker thread of its own, because ONNX Runtime blocks the
// thread that runs a model.

import type { Tensor } from "../tensor/tensor.ts";
import type { Connection } from "./connection.ts";
import { checkFeeds } from "./feeds.ts";
import { checkRunnable, openInWorker } from "./opening.ts";
import type { Device, ModelSession, RunOptions, SessionOptions } from "./session.ts";
import type { OpenedModel } from "./session-protocol.ts";

/**
 * Opens a model.
 * @param model the bytes of an `.onnx` file, or its path
 * @throws HRNetError `file-not-found` or `read-failed` for the path, `invalid-model` when the engine refuses the model,
 * `device-unavailable` when the requested device cannot run it here, `usage` for options out of range.
 */
export async function openSession(
  model: Uint8Array | string,
  options: SessionOptions = {},
): Promise<ModelSession> {
  const opened = await openInWorker(model, options);
  return new WorkerSession(opened.model, opened.connection);
}

class WorkerSession implements ModelSession {
  readonly inputs: ModelSession["inputs"];
  readonly outputs: ModelSession["outputs"];
  readonly device: Device;
  readonly metadata: ModelSession["metadata"];
  private readonly connection: Connection;

  constructor(model: OpenedModel, connection: Connection) {
    this.inputs = model.inputs;
    this.outputs = model.outputs;
    this.device = model.device;
    this.metadata = model.metadata;
    this.connection = connection;
  }

  async run(
    feeds: Readonly<Record<string, Tensor>>,
    options: RunOptions = {},
  ): Promise<Record<string, Tensor>> {
    const { signal, transfer = false } = options;
    checkRunnable(this.connection, signal);
    checkFeeds(this.inputs, feeds);
    return this.connection.run(feeds, transfer, signal);
  }

  dispose(): Promise<void> {
    return this.connection.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }
}
