// Finds out which devices really work on this machine, for people who ask.

import { messageOf } from "../errors.ts";
import { DATA_TYPE_OF, encodeModel } from "../graph/onnx-proto.ts";
import { deviceCandidates } from "./devices.ts";
import { openSession } from "./node.ts";
import type { Device } from "./session.ts";
import { availableCpus } from "./threads.ts";

/** What {@link describeDevices} found out about a device. */
export interface DeviceReport {
  readonly device: Device;
  /** Whether a small model could be opened on it. */
  readonly usable: boolean;
  /** Why not, or what is known of it. */
  readonly detail: string;
}

const PROBE_VALUE = (name: string) => ({
  name,
  type: { tensorType: { elemType: DATA_TYPE_OF.float32, shape: { dim: [{ dimValue: 1 }] } } },
});

/** The smallest model worth opening: y = x + x. */
const PROBE = encodeModel({
  irVersion: 8,
  opsetImport: [{ domain: "", version: 17 }],
  graph: {
    name: "probe",
    node: [{ opType: "Add", input: ["x", "x"], output: ["y"] }],
    input: [PROBE_VALUE("x")],
    output: [PROBE_VALUE("y")],
    initializer: [],
  },
});

/** Tries every promising device of this platform with a small model; best first, the CPU last. */
export async function describeDevices(): Promise<DeviceReport[]> {
  const reports: DeviceReport[] = [];
  for (const { device, promising, reason } of deviceCandidates()) {
    if (!promising) {
      reports.push({ device, usable: false, detail: reason });
      continue;
    }
    try {
      await using session = await openSession(PROBE, { device, threads: 1 });
      const detail = session.device === "cpu" ? `${availableCpus()} CPUs` : reason;
      reports.push({ device, usable: true, detail });
    } catch (error) {
      reports.push({ device, usable: false, detail: messageOf(error) });
    }
  }
  return reports;
}
