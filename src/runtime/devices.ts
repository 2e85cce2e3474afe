// Which devices exist on this machine, in which order they are tried, and why.

import { existsSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Device } from "./session.ts";

/** A device of this platform and whether trying it makes sense. */
export interface DeviceCandidate {
  readonly device: Device;
  readonly promising: boolean;
  /** One clause for people: why it is or is not promising. */
  readonly reason: string;
}

/**
 * The devices `onnxruntime-node` is built with per platform, best first. WebGPU comes before CoreML because it computes
 * in float32; CoreML may round to float16, which moves keypoints.
 */
const PLATFORM_DEVICES: Readonly<Partial<Record<NodeJS.Platform, readonly Device[]>>> = {
  linux: ["cuda", "webgpu", "cpu"],
  win32: ["dml", "webgpu", "cpu"],
  darwin: ["webgpu", "coreml", "cpu"],
};

/** How a device's presence is told without starting it: starting one that is not there takes time and prints noise. */
const PRESENCE: Readonly<Record<Device, () => Omit<DeviceCandidate, "device">>> = {
  cpu: () => ({ promising: true, reason: "always there" }),
  dml: () => ({ promising: true, reason: "part of Windows" }),
  coreml: () => ({ promising: true, reason: "part of macOS" }),
  webgpu: () => {
    if (process.platform !== "linux") return { promising: true, reason: "part of the system" };
    // Set by whoever wants a certain driver, a software one included.
    if (process.env["VK_DRIVER_FILES"]) return { promising: true, reason: "VK_DRIVER_FILES names a driver" };
    const gpu = linuxGpu();
    return gpu === undefined
      ? { promising: false, reason: "no GPU under /dev/dri or /dev/nvidia*" }
      : { promising: true, reason: `GPU at ${gpu}` };
  },
  cuda: () => {
    if (!existsSync("/dev/nvidiactl")) return { promising: false, reason: "no NVIDIA GPU" };
    return existsSync(cudaLibrary())
      ? { promising: true, reason: "NVIDIA GPU and ONNX Runtime's CUDA library" }
      : {
          promising: false,
          reason:
            "ONNX Runtime's CUDA library is not installed; get it with " +
            `"node ${join("node_modules", "onnxruntime-node", "script", "install.js")} --onnxruntime-node-install=cuda12"`,
        };
  },
};

/** The first GPU device file, if any. */
function linuxGpu(): string | undefined {
  if (existsSync("/dev/nvidiactl")) return "/dev/nvidiactl";
  try {
    const node = readdirSync("/dev/dri").find((name) => name.startsWith("renderD"));
    return node === undefined ? undefined : `/dev/dri/${node}`;
  } catch {
    return undefined; // no such folder: no GPU
  }
}

/** Where `onnxruntime-node`'s optional CUDA download puts its library. */
function cudaLibrary(): string {
  const entry = createRequire(import.meta.url).resolve("onnxruntime-node");
  const folder = join(dirname(entry), "..", "bin", "napi-v6", process.platform, process.arch);
  return join(folder, "libonnxruntime_providers_cuda.so");
}

/** The devices of this platform, best first, with what is known of each without starting it. */
export function deviceCandidates(): readonly DeviceCandidate[] {
  const devices = PLATFORM_DEVICES[process.platform] ?? ["cpu"];
  return devices.map((device) => ({ device, ...PRESENCE[device]() }));
}
