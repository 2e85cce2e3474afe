// The thread that owns one ONNX Runtime session: opens it, runs it, frees it, as its messages say.

import { readFileSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { env, InferenceSession } from "onnxruntime-node";
import { messageOf } from "../errors.ts";
import { decodeModelMetadata } from "../graph/onnx-proto.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { insideEngine } from "./exit-guard.ts";
import { decide, isAbandoned } from "./fate.ts";
import { freeBuffer, fromEngine, sharedTypeOf, toEngine } from "./ort-tensors.ts";
import type { Device, ValueSpec } from "./session.ts";
import type {
  FailedDevice,
  FromWorker,
  Job,
  OpenedModel,
  OpenSettings,
  SessionWorkerData,
  ToWorker,
} from "./session-protocol.ts";
import { type Engine, SessionState, stateLocations } from "./session-state.ts";

const port = parentPort!;
const { exitFlags } = workerData as SessionWorkerData;
const post = (message: FromWorker, transfer: readonly ArrayBuffer[] = []) =>
  port.postMessage(message, transfer);

// Every error reaches the caller as an exception; ONNX Runtime would print it as well.
env.logLevel = "fatal";

const engine: Engine = (work) => insideEngine(exitFlags, work);

let session: InferenceSession | undefined;
let state: SessionState | undefined;
let profiling = false;
const queue: Job[] = [];
let running = false;
let disposing = false;

port.on("message", (message: ToWorker) => {
  switch (message.type) {
    case "open":
      void open(message.model, message.settings);
      break;
    case "dispose":
      queue.length = 0;
      if (!running) void dispose();
      else disposing = true;
      break;
    default:
      queue.push(message);
      if (!running) void runQueue();
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
        if (settings.state !== undefined) state = new SessionState(settings.state, device, engine);
        freeBuffer(bytes); // the engine has its own copy
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
  const options = {
    ...sessionOptions(device, settings),
    ...(settings.state === undefined ? {} : stateLocations(settings.state, device, bytes)),
  };
  return engine(() => InferenceSession.create(bytes, options));
}

function sessionOptions(device: Device, settings: OpenSettings): InferenceSession.SessionOptions {
  profiling = settings.profile !== undefined;
  return {
    executionProviders: [device],
    executionMode: "sequential",
    intraOpNumThreads: settings.threads,
    interOpNumThreads: 1,
    // A plan of all memory ahead suits inference; over a training step, whose maps live until they are differentiated, it takes
    // nearly twice as much.
    enableMemPattern: settings.state === undefined,
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
    return { name: value.name, dtype: sharedTypeOf(value.type), shape: value.shape };
  };
  return { inputs: opened.inputMetadata.map(spec), outputs: opened.outputMetadata.map(spec) };
}

async function runQueue(): Promise<void> {
  running = true;
  for (let job = queue.shift(); job !== undefined; job = queue.shift()) {
    try {
      await doJob(job);
    } catch (error) {
      post({ type: "failed", id: job.id, message: messageOf(error).trim() });
    }
  }
  running = false;
  if (disposing) await dispose();
}

async function doJob(job: Job): Promise<void> {
  const { id } = job;
  switch (job.type) {
    case "run":
      if (job.fate === undefined || !isAbandoned(job.fate)) await run(job);
      break;
    case "set-state":
      state!.set(job.values);
      post({ type: "done", id, outputs: {}, buffers: [] });
      break;
    case "get-state": {
      const outputs = await state!.read(job.names);
      post({ type: "done", id, outputs, buffers: [] }, buffersOf(outputs));
      break;
    }
  }
}

async function run({ id, feeds, fate }: Job & { readonly type: "run" }): Promise<void> {
  const inputs = { ...state?.feeds() };
  for (const [name, feed] of Object.entries(feeds)) inputs[name] = toEngine(feed);
  const results = await engine(() => session!.run(inputs));
  const shown = state?.advance(results, () => fate === undefined || decide(fate, "kept")) ?? results;
  const outputs: Record<string, Tensor> = {};
  for (const [name, result] of Object.entries(shown)) outputs[name] = fromEngine(result);
  const buffers = buffersOf(feeds);
  post({ type: "done", id, outputs, buffers }, [...new Set([...buffers, ...buffersOf(outputs)])]);
}

function buffersOf(tensors: Readonly<Record<string, Tensor>>): ArrayBuffer[] {
  return Object.values(tensors).map(({ data }) => data.buffer as ArrayBuffer);
}

async function dispose(): Promise<void> {
  if (profiling) session?.endProfiling();
  await state?.dispose();
  await session?.release();
  session = undefined;
  port.close();
}
