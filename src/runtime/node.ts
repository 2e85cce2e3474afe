// Opens ONNX models in Node.js. Each session lives in a worker thread of its own, because ONNX Runtime blocks the
// thread that runs a model.

import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { HRNetError, messageOf } from "../errors.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Connection } from "./connection.ts";
import { type DeviceCandidate, deviceCandidates } from "./devices.ts";
import { checkFeeds } from "./feeds.ts";
import { DEVICES, type Device, type ModelSession, type RunOptions, type SessionOptions } from "./session.ts";
import type { FailedDevice, OpenedModel, OpenSettings } from "./session-protocol.ts";
import { availableCpus } from "./threads.ts";

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
  const log = options.onLog ?? (() => {});
  const settings = settingsOf(options, log);
  if (typeof model === "string") await checkReadable(model);
  const connection = new Connection();
  const answer = await connection.open(model, options.transfer ?? false, settings);
  for (const { device, message } of answer.failed) log(`device ${device} cannot run the model: ${message}`);
  if (answer.type === "not-opened") {
    await connection.close();
    throw openingError(answer.failed, answer.cpuMessage, options.device ?? "auto");
  }
  const { device } = answer.model;
  log(
    `device ${device}${device === "cpu" ? `, ${settings.threads} threads` : ""}` +
      `${settings.spinning ? ", spinning" : ""}`,
  );
  return new WorkerSession(answer.model, connection);
}

function settingsOf(options: SessionOptions, log: (line: string) => void): OpenSettings {
  const { device = "auto", threads = availableCpus(), spinning = false } = options;
  if (!Number.isInteger(threads) || threads < 1 || threads > 1024) {
    throw new HRNetError(
      "usage",
      `threads was given as ${threads}; it must be a whole number from 1 to 1024.`,
    );
  }
  if (device !== "auto" && !DEVICES.includes(device)) {
    throw new HRNetError("usage", `device was given as "${device}"; it must be auto, ${DEVICES.join(", ")}.`);
  }
  const candidates = deviceCandidates();
  const { graphOptimization, strict, profile } = options;
  return {
    devices: device === "auto" ? promising(candidates, log) : [device],
    threads,
    spinning,
    ...(graphOptimization === undefined ? {} : { graphOptimization }),
    ...(strict === undefined ? {} : { strict }),
    ...(profile === undefined ? {} : { profile }),
  };
}

function promising(candidates: readonly DeviceCandidate[], log: (line: string) => void): Device[] {
  for (const { device, promising, reason } of candidates) {
    if (!promising) log(`device ${device} is not tried: ${reason}`);
  }
  return candidates.filter((candidate) => candidate.promising).map(({ device }) => device);
}

async function checkReadable(path: string): Promise<void> {
  try {
    await access(path, constants.R_OK);
    if ((await stat(path)).isFile()) return;
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === "ENOENT";
    throw new HRNetError(
      missing ? "file-not-found" : "read-failed",
      `The model file "${path}" ${missing ? "does not exist" : `cannot be read: ${messageOf(error)}`}.`,
      { cause: error },
    );
  }
  throw new HRNetError("read-failed", `The model "${path}" is no file.`);
}

function openingError(
  failed: readonly FailedDevice[],
  cpuMessage: string | undefined,
  device: Device | "auto",
): HRNetError {
  if (cpuMessage !== undefined || device === "auto") {
    const reason = cpuMessage ?? failed.at(-1)?.message ?? "no device to run it on";
    return new HRNetError("invalid-model", `ONNX Runtime cannot open the model: ${reason}`);
  }
  const candidates = deviceCandidates();
  const here = candidates.filter((candidate) => candidate.promising);
  const known = candidates.find((candidate) => candidate.device === device && !candidate.promising);
  return new HRNetError(
    "device-unavailable",
    `The model cannot run on ${device} here: ${failed[0]?.message ?? "not tried"}` +
      `${known === undefined ? "" : ` (${known.reason})`}\n` +
      `Devices that may be used here: ${here.map((candidate) => candidate.device).join(", ")}; or "auto".`,
  );
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
    if (this.connection.closed) {
      throw new HRNetError("usage", "The session was disposed of, or its worker died; open the model again.");
    }
    if (signal?.aborted) {
      throw new HRNetError("aborted", "The run was cancelled by the caller.", { cause: signal.reason });
    }
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
