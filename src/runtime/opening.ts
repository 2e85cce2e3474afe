// What opening a model takes, whichever kind of session comes of it: checks, the device, the errors.

import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { HRNetError, messageOf } from "../errors.ts";
import { Connection } from "./connection.ts";
import { type DeviceCandidate, deviceCandidates } from "./devices.ts";
import { DEVICES, type Device, type SessionOptions } from "./session.ts";
import type { FailedDevice, OpenedModel, OpenSettings, StateSettings } from "./session-protocol.ts";
import { availableCpus } from "./threads.ts";

/**
 * A worker with the model open in it.
 * @throws HRNetError as `openSession` in node.ts
 */
export async function openInWorker(
  model: Uint8Array | string,
  options: SessionOptions,
  state?: StateSettings,
): Promise<{ model: OpenedModel; connection: Connection }> {
  const log = options.onLog ?? (() => {});
  const settings = settingsOf(options, log);
  if (typeof model === "string") await checkReadable(model);
  const connection = new Connection();
  const answer = await connection.open(model, options.transfer ?? false, {
    ...settings,
    ...(state === undefined ? {} : { state }),
  });
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
  return { model: answer.model, connection };
}

/**
 * @throws HRNetError `usage` when the session's worker is gone, `aborted` when the run is already cancelled
 */
export function checkRunnable(connection: Connection, signal?: AbortSignal): void {
  if (connection.closed) {
    throw new HRNetError("usage", "The session was disposed of, or its worker died; open the model again.");
  }
  if (signal?.aborted) {
    throw new HRNetError("aborted", "The run was cancelled by the caller.", { cause: signal.reason });
  }
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
