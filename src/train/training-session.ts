// A training step opened on a device: weights in, batches through, weights out.

import type { Target } from "../graph/lowering/target.ts";
import { graphToModel } from "../graph/onnx.ts";
import { encodeModel } from "../graph/onnx-proto.ts";
import type { Network } from "../models/network.ts";
import { probeChannelBlock } from "../runtime/channel-block.ts";
import type { Device, RunOptions, StatefulSessionOptions } from "../runtime/session.ts";
import { openStatefulSession } from "../runtime/stateful.ts";
import { type Tensor, tensor } from "../tensor/tensor.ts";
import { type Companion, type OpenCompanion, openCompanion } from "./companion.ts";
import type { Optimizer } from "./optimizers.ts";
import { openReplicas, type StepSession } from "./replicas.ts";
import { buildReplicatedStep, buildStep, type StepGraph } from "./step-graph.ts";
import { SCALARS, type StepOptions } from "./step-options.ts";
import {
  type Arrays,
  packState,
  type Slots,
  unpackSlots,
  unpackWeights,
  weightVectors,
} from "./training-state.ts";

/** What a run has done. */
export interface StepCounts {
  /** Optimizer steps. */
  readonly steps: number;
  /** Batches with a finite loss. */
  readonly batches: number;
  /** Batches since the last optimizer step, their gradients collected (`accumulate`). */
  readonly collected: number;
  /** What the loss is multiplied by in half precision, and batches since it was last changed. */
  readonly lossScale: number;
  readonly scaledFor: number;
}

/**
 * Loss scaling of torch.cuda.amp.GradScaler: 65536 at first, halved when gradients overflow, doubled after 2000 batches
 * without. Not above 2²⁴, where a float32 loss would begin to lose its digits.
 */
const LOSS_SCALE = { initial: 65_536, backoff: 0.5, growth: 2, growthInterval: 2000, largest: 2 ** 24 };

/** How a step is opened. */
export interface TrainingSessionOptions extends Omit<StepOptions, "target"> {
  readonly device?: Device;
  readonly threads?: number;
  /** Whether idle threads of the engine wait in a busy loop; see `SessionOptions.spinning`. */
  readonly spinning?: boolean;
  /**
   * Equal parts of a batch that go through copies of the network side by side, sharing the threads; their gradients are averaged.
   * Small kernels gain nothing from a second thread, and everything from a second copy. Network and feeds are those of one part;
   * `run` is fed the whole batch. Default 1.
   */
  readonly replicas?: number;
  /** What looks at each batch before the step, and gives some of its feeds; they are not among those of `run`. */
  readonly companion?: Companion | undefined;
  /** What a resumed run had beside its weights. */
  readonly slots?: Slots;
  /** What was done before, in a resumed run. */
  readonly done?: StepCounts;
  /** Weight of the parameters in their moving average after `steps` optimizer steps; needed with `ema`. */
  readonly averageRate?: (steps: number) => number;
  readonly onLog?: (line: string) => void;
}

/** What one batch did. */
export interface StepResult {
  readonly loss: number;
  /** Euclidean norm of all gradients, before clipping. */
  readonly gradientNorm: number;
  /** Whether loss and gradients were finite; if not, nothing was changed. */
  readonly finite: boolean;
  /** What the loss reports beside (`LossTerms.report`). */
  readonly report: Readonly<Record<string, Tensor>>;
}

/** Lowering for each device: what is fast on this CPU, and what any GPU provider has. */
const targetOf = async (device: Device): Promise<Target> =>
  device === "cpu" ? { kind: "cpu", channelBlock: await probeChannelBlock() } : { kind: "gpu" };

type Settings = Omit<StatefulSessionOptions, "state" | "guard">;

async function openWhole(options: StepOptions, settings: Settings): Promise<[StepGraph, StepSession]> {
  const step = buildStep(options);
  const model = encodeModel(graphToModel(step.graph, { name: "training-step" }));
  return [
    step,
    await openStatefulSession(model, {
      ...settings,
      state: step.state,
      guard: "gradientNorm",
      transfer: true,
    }),
  ];
}

async function openInParts(
  options: StepOptions,
  replicas: number,
  settings: Settings,
): Promise<[StepGraph, StepSession]> {
  const step = buildReplicatedStep(options, replicas);
  return [step, await openReplicas(step, replicas, settings)];
}

/** An opened step. */
export class TrainingSession implements AsyncDisposable {
  readonly network: Network;
  readonly step: StepGraph;
  readonly device: Device;
  readonly #session: StepSession;
  readonly #companion: OpenCompanion | undefined;
  readonly #options: TrainingSessionOptions;
  #steps: number;
  #batches: number;
  #collected: number;
  #lossScale: number;
  #scaledFor: number;

  private constructor(
    options: TrainingSessionOptions,
    step: StepGraph,
    session: StepSession,
    companion: OpenCompanion | undefined,
  ) {
    this.network = options.network;
    this.step = step;
    this.device = session.device;
    this.#session = session;
    this.#companion = companion;
    this.#options = options;
    this.#steps = options.done?.steps ?? 0;
    this.#batches = options.done?.batches ?? 0;
    this.#collected = options.done?.collected ?? 0;
    this.#lossScale = options.done?.lossScale ?? LOSS_SCALE.initial;
    this.#scaledFor = options.done?.scaledFor ?? 0;
  }

  /**
   * Builds the step, opens it and uploads its state.
   * @throws HRNetError as `buildStep` and `openStatefulSession`; `weights-mismatch` when weights are missing
   */
  static async open(options: TrainingSessionOptions): Promise<TrainingSession> {
    const { device = "cpu", replicas = 1, threads, spinning, onLog } = options;
    const built = { ...options, target: await targetOf(device) };
    const beside = {
      device,
      ...(device === "cpu" ? {} : { strict: true }),
      ...(threads === undefined ? {} : { threads }),
      ...(spinning === undefined ? {} : { spinning }),
    };
    const settings = {
      ...beside,
      graphOptimization: "basic",
      ...(onLog === undefined ? {} : { onLog }),
    } as const;
    const [step, session] =
      replicas === 1 ? await openWhole(built, settings) : await openInParts(built, replicas, settings);
    let companion: OpenCompanion | undefined;
    try {
      companion = options.companion && (await openCompanion(options.companion, replicas, beside));
      await session.setState(packState(step, options.weights, options.slots), { transfer: true });
    } catch (error) {
      await companion?.[Symbol.asyncDispose]();
      await session.dispose();
      throw error;
    }
    return new TrainingSession(options, step, session, companion);
  }

  /** What was done, by earlier runs as well. */
  get counts(): StepCounts {
    const [steps, batches, collected] = [this.#steps, this.#batches, this.#collected];
    return { steps, batches, collected, lossScale: this.#lossScale, scaledFor: this.#scaledFor };
  }

  /**
   * One batch; the optimizer steps on each, or after `accumulate` of them.
   * @param feeds `image` and the task's own; handed over
   */
  async run(
    feeds: Readonly<Record<string, Tensor>>,
    learningRate: number,
    options: Pick<RunOptions, "signal"> = {},
  ): Promise<StepResult> {
    const { accumulate = 1 } = this.#options;
    const applies = this.#collected + 1 >= accumulate;
    const scalars = this.#scalars(learningRate, applies);
    const fitting = this.#fitting(feeds);
    const beside = await this.#companion?.feedsOf(fitting["image"]!);
    const { loss, gradientNorm, ...report } = await this.#session.run(
      { ...fitting, ...beside, ...scalars },
      { ...options, transfer: true },
    );
    const result = { loss: numberOf(loss!), gradientNorm: numberOf(gradientNorm!), report };
    const finite = Number.isFinite(result.gradientNorm);
    if (this.#options.precision === "fp16") this.#adaptLossScale(finite);
    if (finite) {
      this.#batches++;
      this.#collected = applies ? 0 : this.#collected + 1;
      if (applies) this.#steps++;
    } else if (this.#collected > 0) {
      // What was collected towards this step is given up with it.
      await this.#session.setState(this.#zeros("gradients"), { transfer: true });
      this.#collected = 0;
    }
    return { ...result, finite };
  }

  /** All weights as they are now; with `averaged` their moving average, where one is kept. */
  async weights(averaged = true): Promise<Map<string, Tensor>> {
    const state = await this.#session.getState(weightVectors(this.step, averaged));
    return unpackWeights(this.step, this.network, this.#options.weights, state, this.#newBatches());
  }

  /** Everything a run is resumed from: the weights themselves, and what training has beside them. */
  async snapshot(): Promise<{ readonly weights: Arrays; readonly slots: Slots }> {
    const state = await this.#session.getState();
    const weights = unpackWeights(this.step, this.network, this.#options.weights, state, this.#newBatches());
    return { weights, slots: unpackSlots(this.step, state) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#companion?.[Symbol.asyncDispose]();
    await this.#session.dispose();
  }

  /** The feeds with 8-bit pixels as floats where the device takes no others. */
  #fitting(feeds: Readonly<Record<string, Tensor>>): Readonly<Record<string, Tensor>> {
    const { image } = feeds;
    const wanted = this.#session.inputs.find(({ name }) => name === "image");
    if (image?.dtype !== "uint8" || wanted?.dtype !== "float32") return feeds;
    return { ...feeds, image: tensor("float32", image.shape, Float32Array.from(image.data as Uint8Array)) };
  }

  #adaptLossScale(finite: boolean): void {
    this.#scaledFor++;
    if (finite && this.#scaledFor < LOSS_SCALE.growthInterval) return;
    const factor = finite ? LOSS_SCALE.growth : LOSS_SCALE.backoff;
    this.#lossScale = Math.min(this.#lossScale * factor, LOSS_SCALE.largest);
    this.#scaledFor = 0;
  }

  /** Batches since the weights that this session was opened with. */
  #newBatches(): number {
    return this.#batches - (this.#options.done?.batches ?? 0);
  }

  #zeros(kind: "gradients"): Record<string, Tensor> {
    return Object.fromEntries(
      this.step.vectors
        .filter((entry) => entry.kind === kind)
        .map(({ name, vector }) => [name, tensor("float32", [vector.length])]),
    );
  }

  #scalars(learningRate: number, applies: boolean): Record<string, Tensor> {
    const { optimizer, averageRate } = this.#options;
    const t = this.#steps + 1;
    const values: Record<(typeof SCALARS)[number], number> = {
      learningRate,
      ...corrections(optimizer, t),
      apply: applies ? 1 : 0,
      averageRate: averageRate?.(t) ?? 0,
      lossScale: this.#lossScale,
    };
    const read = new Set(this.#session.inputs.map(({ name }) => name));
    return Object.fromEntries(
      SCALARS.filter((name) => read.has(name)).map((name) => [
        name,
        tensor("float32", [], Float32Array.of(values[name])),
      ]),
    );
  }
}

/** 1/(1 − β₁ᵗ) and 1/√(1 − β₂ᵗ) for step t = 1, 2, … (Kingma & Ba 2015, section 3). */
function corrections(optimizer: Optimizer, t: number): { correction1: number; correction2: number } {
  if (optimizer.type === "sgd") return { correction1: 1, correction2: 1 };
  const [beta1, beta2] = optimizer.betas;
  return { correction1: 1 / (1 - beta1 ** t), correction2: 1 / Math.sqrt(1 - beta2 ** t) };
}

const numberOf = (value: Tensor): number => Number(value.data[0]);
