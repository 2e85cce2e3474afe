// The thread that owns one ONNX Runtime session: opens it, runs it, frees it, as its messages say.

import { readFileSync } from "node:fs";
import { MessageChannel, parentPort, workerData } from "node:worker_threads";
import { env, InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { messageOf } from "../errors.ts";
import { decodeModelMetadata } from "../graph/onnx-proto.ts";
import type { DType, Tensor, TensorArray } from "../tensor/tensor.ts";
import { insideEngine } from "./exit-guard.ts";
import type { Device, ValueSpec } from "./session.ts";
import type {
  FailedDevice,
  FromWorker,
  OpenedModel,
  OpenSettings,
  SessionWorkerData,
  ToWorker,
} from "./session-protocol.ts";

const port = parentPort!;
const { exitFlags } = workerData as SessionWorkerData;
const post = (message: FromWorker, transfer: readonly ArrayBuffer[] = []) =>
  port.postMessage(message, transfer);

// Every error reaches the caller as an exception; ONNX Runtime would print it as well.
env.logLevel = "fatal";

let session: InferenceSession | undefined;
let profiling = false;
const cancelled = new Set<number>();
const queue: { readonly id: number; readonly feeds: Readonly<Record<string, Tensor>> }[] = [];
let running = false;
let disposing = false;

port.on("message", (message: ToWorker) => {
  switch (message.type) {
    case "open":
      void open(message.model, message.settings);
      break;
    case "run":
      queue.push(message);
      if (!running) void runQueue();
      break;
    case "cancel":
      if (queue.some(({ id }) => id === message.id)) cancelled.add(message.id);
      break;
    case "dispose":
      queue.length = 0;
      if (!running) void dispose();
      else disposing = true;
      break;
  }
});

async function open(model: Uint8Array | string, settings: OpenSettings): Promise<void> {
  const failed: FailedDevice[] = [];
  try {
    const bytes = typeof model === "string" ? readFileSync(model) : model;
    const metadata = decodeModelMetadata(bytes);
    for (const device of settings.devices) {
      try {
        session = await create(bytes, device, settings);
        const opened = { device, metadata, ...specsOf(session) };
        free(bytes);
        post({ type: "opened", model: opened, failed });
        return;
      } catch (error) {
        await session?.release();
        session = undefined;
        failed.push({ device, message: messageOf(error).trim() });
      }
    }
    // Is the device at fault or the model? The CPU can tell.
    const cpu =
      failed.find(({ device }) => device === "cpu")?.message ?? (await openingOnCpu(bytes, settings));
    post({ type: "not-opened", failed, ...(cpu === undefined ? {} : { cpuMessage: cpu }) });
  } catch (error) {
    post({ type: "not-opened", failed, cpuMessage: messageOf(error) });
  }
}

/**
 * Gives the model's bytes back to the system: the engine has its own copy, and a thread that does nothing but run a
 * model may not collect garbage for hours. Sending a buffer to a closed port is the way Node.js 20 offers.
 */
function free(bytes: Uint8Array): void {
  if (bytes.byteLength !== bytes.buffer.byteLength) return; // part of a buffer that others use
  const { port1, port2 } = new MessageChannel();
  port2.close();
  port1.postMessage(undefined, [bytes.buffer as ArrayBuffer]);
  port1.close();
}

/** What the CPU says against the model; `undefined` when it opens there. */
async function openingOnCpu(bytes: Uint8Array, settings: OpenSettings): Promise<string | undefined> {
  try {
    const probe = await create(bytes, "cpu", settings);
    await probe.release();
    return undefined;
  } catch (error) {
    return messageOf(error).trim();
  }
}

function create(bytes: Uint8Array, device: Device, settings: OpenSettings): Promise<InferenceSession> {
  return insideEngine(exitFlags, () => InferenceSession.create(bytes, sessionOptions(device, settings)));
}

function sessionOptions(device: Device, settings: OpenSettings): InferenceSession.SessionOptions {
  profiling = settings.profile !== undefined;
  return {
    executionProviders: [device],
    executionMode: "sequential",
    intraOpNumThreads: settings.threads,
    interOpNumThreads: 1,
    graphOptimizationLevel: settings.graphOptimization ?? "all",
    logSeverityLevel: 4,
    ...(settings.profile === undefined ? {} : { enableProfiling: true, profileFilePrefix: settings.profile }),
    // Keys: onnxruntime_session_options_config_keys.h
    extra: {
      "session.intra_op.allow_spinning": settings.spinning ? "1" : "0",
      ...(settings.strict && device !== "cpu" ? { "session.disable_cpu_ep_fallback": "1" } : {}),
    },
  };
}

function specsOf(opened: InferenceSession): Pick<OpenedModel, "inputs" | "outputs"> {
  const spec = (value: InferenceSession.ValueMetadata): ValueSpec => {
    if (!value.isTensor) throw new Error(`"${value.name}" is no tensor`);
    return { name: value.name, dtype: dtypeOf(value.type), shape: value.shape };
  };
  return { inputs: opened.inputMetadata.map(spec), outputs: opened.outputMetadata.map(spec) };
}

/** Element types that both sides know; their names are the same. */
const SHARED_TYPES = {
  float32: true,
  float64: true,
  float16: true,
  int64: true,
  int32: true,
  int16: true,
  int8: true,
  uint8: true,
  bool: true,
} as const satisfies Partial<Record<DType, true>>;

function dtypeOf(type: string): keyof typeof SHARED_TYPES {
  if (type in SHARED_TYPES) return type as keyof typeof SHARED_TYPES;
  throw new Error(
    `tensors of type ${type} are not supported; supported: ${Object.keys(SHARED_TYPES).join(", ")}`,
  );
}

async function runQueue(): Promise<void> {
  running = true;
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    if (cancelled.delete(next.id)) continue;
    try {
      await runOne(next.id, next.feeds);
    } catch (error) {
      post({ type: "failed", id: next.id, message: messageOf(error).trim() });
    }
  }
  running = false;
  if (disposing) await dispose();
}

async function runOne(id: number, feeds: Readonly<Record<string, Tensor>>): Promise<void> {
  const inputs: Record<string, OrtTensor> = {};
  for (const [name, { dtype, shape, data }] of Object.entries(feeds)) {
    inputs[name] = new OrtTensor(dtypeOf(dtype), data as Float32Array, shape);
  }
  const results = await insideEngine(exitFlags, () => session!.run(inputs));
  const outputs: Record<string, Tensor> = {};
  for (const [name, result] of Object.entries(results)) outputs[name] = tensorOf(result);
  const buffers = Object.values(feeds).map(({ data }) => data.buffer as ArrayBuffer);
  const own = Object.values(outputs).map(({ data }) => data.buffer as ArrayBuffer);
  post({ type: "done", id, outputs, buffers }, [...new Set([...buffers, ...own])]);
}

function tensorOf(result: OrtTensor): Tensor {
  const data = result.data as Exclude<typeof result.data, string[]>;
  const dtype = dtypeOf(result.type);
  return {
    dtype,
    shape: result.dims,
    // Where JavaScript has Float16Array, the engine uses it; our tensors hold the bits.
    data: (dtype === "float16"
      ? new Uint16Array(data.buffer, data.byteOffset, data.length)
      : data) as TensorArray,
  };
}

async function dispose(): Promise<void> {
  if (profiling) session?.endProfiling();
  await session?.release();
  session = undefined;
  port.close();
}
