// A recipe carried out: from its data to a folder with checkpoints, figures, a report and the finished model.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { type BatchLoader, openBatchLoader } from "../data/batch-loader.ts";
import { HRNetError, messageOf } from "../errors.ts";
import { writeFileAtomic } from "../files/atomic-write.ts";
import { formatDescription, METADATA_KEY } from "../model-file/description.ts";
import type { Model } from "../model-file/import-checkpoint.ts";
import { saveModel } from "../model-file/load-model.ts";
import { toOnnx } from "../model-file/onnx-model.ts";
import { groupParameters } from "../recipe/parameter-groups.ts";
import { learningRateAt } from "../recipe/schedule.ts";
import type { Recipe } from "../recipe/schema.ts";
import { REPORT_FILE } from "../report/html-report.ts";
import type { GalleryItem, RunStatus } from "../report/run-report.ts";
import { deviceCandidates } from "../runtime/devices.ts";
import type { Device } from "../runtime/session.ts";
import { availableCpus } from "../runtime/threads.ts";
import {
  type RunState,
  readTrainingCheckpoint,
  type TrainingCheckpoint,
  writeTrainingCheckpoint,
} from "../train/checkpoint.ts";
import { type BatchRecord, type Position, trainLoop } from "../train/train-loop.ts";
import { TrainingSession } from "../train/training-session.ts";
import { openTraining } from "./open-training.ts";
import { resumedRecipe } from "./resumed-recipe.ts";
import { keepCheckpoint, openRunFiles, type RunFiles } from "./run-files.ts";
import { openRunLog, type RunLog } from "./run-log.ts";
import type { TrainingResult, TrainingRunOptions } from "./run-options.ts";
import { writeRunReport } from "./run-report.ts";
import { StepRecords } from "./step-records.ts";
import { figureText, headlineOf, type TaskTraining, type Validation } from "./training-task.ts";

/**
 * Carries out a recipe.
 *
 * A signal ends the run after the batch in work, with a checkpoint; `resume` goes on from there. On the CPU, with the same
 * threads, a resumed run gives the very numbers of an uninterrupted one.
 * @throws HRNetError for data, weights or folders that are not as they must be; `inference-failed` when training diverges;
 * `write-failed` when the disk is full (the last checkpoint is kept)
 */
export async function runTraining(given: Recipe, options: TrainingRunOptions): Promise<TrainingResult> {
  const { out, resume = false, onLog = () => {} } = options;
  const files = await openRunFiles(out, resume);
  const checkpoint = resume ? await readTrainingCheckpoint(files.last) : undefined;
  const recipe = checkpoint ? resumedRecipe(checkpoint, given, onLog) : given;
  const notes: string[] = [];
  const training = await openTraining(recipe, {
    weights: checkpoint?.weights,
    onLog: (line) => {
      notes.push(line);
      onLog(line);
    },
  });
  const run = new TrainingRun(training, files, checkpoint, options);
  return run.carryOut(notes);
}

/** Weight of a batch in the running mean that the terminal shows. */
const SHOWN_WEIGHT = 0.1;
/** Share of the time that reports of a running run may take. */
const REPORT_SHARE = 0.02;

/** What a run works with once everything is open. */
interface Workshop {
  readonly session: TrainingSession;
  readonly log: RunLog;
  readonly loader: BatchLoader;
  readonly samples: readonly GalleryItem[];
}

class TrainingRun {
  readonly #training: TaskTraining;
  readonly #recipe: Recipe;
  readonly #files: RunFiles;
  readonly #checkpoint: TrainingCheckpoint | undefined;
  readonly #options: TrainingRunOptions;
  readonly #threads: number;
  readonly #records: StepRecords;
  #best: RunState["best"];
  #validation: Validation | undefined;
  #shown = { loss: Number.NaN, ms: Number.NaN };
  #steps: number;
  #savedAt: number;
  #allFinite = true;
  #reported = { at: Number.NEGATIVE_INFINITY, ms: 0 };

  constructor(
    training: TaskTraining,
    files: RunFiles,
    checkpoint: TrainingCheckpoint | undefined,
    options: TrainingRunOptions,
  ) {
    const { run } = checkpoint ?? {};
    this.#training = training;
    this.#recipe = training.recipe;
    this.#files = files;
    this.#checkpoint = checkpoint;
    this.#options = options;
    this.#threads = options.threads ?? availableCpus();
    this.#records = new StepRecords(this.#recipe.batchSize, run?.pending);
    this.#best = run?.best ?? null;
    this.#steps = run?.steps ?? 0;
    this.#savedAt = this.#steps;
  }

  /** @param notes what was said while the recipe was opened */
  async carryOut(notes: readonly string[]): Promise<TrainingResult> {
    const { onLog = () => {} } = this.#options;
    const recipe = this.#recipe;
    const { run } = this.#checkpoint ?? {};
    let log: RunLog | undefined;
    await using loader = await openBatchLoader({
      ...this.#training.samples,
      batchSize: recipe.batchSize,
      seed: recipe.seed,
      workers: recipe.workers ?? Math.max(1, Math.min(4, availableCpus() - 1)),
      shuffle: true,
      onProblem: (line) => {
        log?.event(line, this.#steps);
        onLog(line);
      },
    });
    this.#checkPosition(loader);
    await using session = await this.#openSession();
    // Only now does a run begin: what is wrong with a recipe has been said.
    await writeFileAtomic(this.#files.recipe, `${JSON.stringify(recipe, null, 2)}\n`);
    await using opened = await openRunLog(this.#files.folder, run);
    log = opened;
    if (!run) for (const note of notes) log.event(note);
    else log.event(`resumed in epoch ${run.epoch + 1} after batch ${run.batch}`, run.steps);
    let work: Workshop = { session, log, loader, samples: [] };
    try {
      work = { ...work, samples: await this.#training.sampleGallery(run?.epoch ?? 0) };
      return await this.#train(work);
    } catch (error) {
      log.event(`failed: ${messageOf(error)}`, this.#steps);
      await log.flush().catch(() => {}); // the first error is the one to tell
      await this.#report("failed", work).catch(() => {});
      throw error;
    }
  }

  /** @throws HRNetError `invalid-data` when the data has become so much smaller that the position is gone */
  #checkPosition({ batchesPerEpoch }: BatchLoader): void {
    const { batch = 0 } = this.#checkpoint?.run ?? {};
    if (batch <= batchesPerEpoch) return;
    throw new HRNetError(
      "invalid-data",
      `The run stopped after batch ${batch} of an epoch that now has ${batchesPerEpoch}: the training data has changed. ` +
        "Begin a new run in another folder, with initialize.from naming this run's checkpoint.",
    );
  }

  async #train(work: Workshop): Promise<TrainingResult> {
    const { session, loader, log } = work;
    const { signal, onLog = () => {} } = this.#options;
    const recipe = this.#recipe;
    const { batchesPerEpoch } = loader;
    const stepsPerEpoch = Math.max(1, Math.floor(batchesPerEpoch / recipe.accumulate));
    const { epoch = 0, batch = 0 } = this.#checkpoint?.run ?? {};
    onLog(`${loader.length} samples, ${batchesPerEpoch} batches of ${recipe.batchSize} an epoch`);
    const { unit, every } = recipe.checkpoint;
    const end = await trainLoop({
      session,
      source: loader,
      epochs: recipe.epochs,
      start: { epoch, batch },
      learningRate: (step) =>
        learningRateAt(recipe.schedule, recipe.warmUp, recipe.optimizer.learningRate, {
          step,
          stepsPerEpoch,
          epochs: recipe.epochs,
        }),
      onBatch: (record) => this.#recordBatch(record, batchesPerEpoch, log),
      afterBatch: async (position) => {
        // The end of an epoch saves after its validation.
        const due = unit === "step" && this.#steps >= this.#savedAt + every;
        if (due && position.batch < batchesPerEpoch) await this.#save(work, position);
      },
      afterEpoch: (done, next) => this.#afterEpoch(work, done, next),
      ...(signal && { signal }),
    });
    if (!end.finished) {
      await this.#save(work, end.next);
      log.event(`stopped in epoch ${end.next.epoch + 1} after batch ${end.next.batch}`, this.#steps);
    }
    await log.flush();
    await this.#report(end.finished ? "finished" : "stopped", work);
    return this.#result(end.finished, end.next);
  }

  async #openSession(): Promise<TrainingSession> {
    const { device = "cpu", onLog = () => {} } = this.#options;
    if (device !== "auto") return this.#openOn(device);
    const gpu = deviceCandidates().find((candidate) => candidate.device === "webgpu");
    if (!gpu?.promising) {
      onLog(`no GPU to train on (${gpu?.reason ?? "no WebGPU on this platform"})`);
      return this.#openOn("cpu");
    }
    try {
      return await this.#openOn("webgpu");
    } catch (error) {
      if (!(error instanceof HRNetError)) throw error;
      onLog(`webgpu cannot train this network, the CPU does: ${messageOf(error)}`);
      return this.#openOn("cpu");
    }
  }

  #openOn(device: Device): Promise<TrainingSession> {
    const recipe = this.#recipe;
    const { network, weights, description, feeds, companion, loss } = this.#training;
    const { threads, onLog } = this.#options;
    const { groups, frozenBatchNorms } = groupParameters(network.parameters, recipe);
    const { learningRate: _, weightDecay: __, ...optimizer } = recipe.optimizer;
    const { slots, run: done } = this.#checkpoint ?? {};
    return TrainingSession.open({
      network,
      weights,
      normalization: description.preprocessing,
      feeds,
      ...(companion && { companion }),
      loss,
      optimizer,
      groups,
      frozenBatchNorm: (path) => frozenBatchNorms.has(path),
      batchNormMomentum: recipe.batchNormMomentum,
      precision: recipe.precision,
      replicas: recipe.replicas,
      accumulate: recipe.accumulate,
      ...(recipe.clipNorm !== null && { clipNorm: recipe.clipNorm }),
      ...(recipe.ema && { ema: true, averageRate: averageRate(recipe.ema.decay) }),
      ...(slots && { slots }),
      ...(done && { done }),
      device,
      ...(threads !== undefined && { threads }),
      ...(onLog && { onLog }),
    });
  }

  /** Figures of single batches go to the terminal as they come, and to the log as means. */
  #recordBatch(record: BatchRecord, batches: number, log: RunLog): void {
    const { epochs, batchSize } = this.#recipe;
    const { finite, steps, elapsedMs, waitedMs, learningRate } = record;
    const blend = (old: number, value: number): number =>
      Number.isNaN(old) ? value : old + SHOWN_WEIGHT * (value - old);
    if (finite) this.#shown.loss = blend(this.#shown.loss, record.loss);
    this.#shown.ms = blend(this.#shown.ms, elapsedMs);
    if (!finite && this.#allFinite) log.event("the loss was not finite; the batch changed nothing", steps);
    this.#allFinite = finite;
    const figures = this.#records.add({
      step: steps,
      epoch: record.epoch + 1,
      learningRate,
      finite,
      loss: finite ? record.loss : 0,
      gradientNorm: finite ? record.gradientNorm : 0,
      accuracy: this.#training.accuracy(record.report) ?? null,
      stepped: steps > this.#steps,
      elapsedMs,
      waitedMs,
    });
    this.#steps = steps;
    if (figures) log.step(figures);
    this.#options.onProgress?.({
      epoch: record.epoch + 1,
      epochs,
      batch: record.batch + 1,
      batches,
      step: steps,
      loss: this.#shown.loss,
      learningRate,
      imagesPerSecond: (1000 * batchSize) / this.#shown.ms,
    });
  }

  /** @returns whether the epoch is done with; not when its validation was interrupted */
  async #afterEpoch(work: Workshop, epoch: number, next: Position): Promise<boolean> {
    const { validate, checkpoint, epochs } = this.#recipe;
    const { every, unit } = checkpoint;
    const figures = this.#records.endEpoch();
    if (figures) work.log.step(figures);
    const last = epoch + 1 === epochs;
    if (last || (epoch + 1) % validate.every === 0) {
      try {
        if (!(await this.#validate(work, epoch))) return false;
      } catch (error) {
        // The epoch is not lost: a resumed run begins with its validation.
        await this.#save(work, { epoch, batch: work.loader.batchesPerEpoch }).catch(() => {});
        throw error;
      }
    }
    const due = unit === "epoch" ? (epoch + 1) % every === 0 : this.#steps >= this.#savedAt + every;
    if (last || due) await this.#save(work, next);
    if (!last && this.#reportDue()) {
      await work.log.flush();
      await this.#report("running", work);
    }
    return true;
  }

  /** @returns whether it was carried through */
  async #validate({ session, log, loader }: Workshop, epoch: number): Promise<boolean> {
    const { onLog = () => {}, onProgress, threads, signal } = this.#options;
    const steps = this.#steps;
    const weights = await session.weights();
    const model: Model = { description: this.#training.description, weights };
    const { batchesPerEpoch: batches } = loader;
    const at = { epoch: epoch + 1, epochs: this.#recipe.epochs, batch: batches, batches, step: steps };
    const speed = (1000 * this.#recipe.batchSize) / this.#shown.ms;
    const state = { ...at, loss: this.#shown.loss, learningRate: Number.NaN, imagesPerSecond: speed };
    let validation: Validation | undefined;
    try {
      validation = await this.#training.validate(weights, {
        device: session.device,
        ...(threads !== undefined && { threads }),
        ...(signal && { signal }),
        ...(onProgress && {
          onProgress: (done, total) => onProgress({ ...state, validation: { done, total } }),
        }),
      });
    } catch (error) {
      if (error instanceof HRNetError && error.code === "aborted" && signal?.aborted) return false;
      throw error;
    }
    if (!validation) {
      await this.#writeBest(model); // without figures the latest weights are the best there are
      return true;
    }
    const first = this.#validation === undefined;
    this.#validation = validation;
    const { main, metrics, notes } = validation;
    log.validation({ step: steps, epoch: epoch + 1, metrics });
    if (first) {
      for (const note of notes) {
        log.event(note, steps);
        onLog(note);
      }
    }
    const value = metrics[main] ?? Number.NaN;
    const best = this.#best;
    const text = best ? `best so far ${best.metric} ${figureText(best.value)}, epoch ${best.epoch}` : "";
    const better = !best || value > best.value;
    const beside = better ? (Number.isNaN(value) ? "  (nothing to measure)" : "  (best)") : `  (${text})`;
    onLog(`epoch ${epoch + 1}: ${headlineOf(validation)}${beside}`);
    if (!better) return true;
    if (!Number.isNaN(value)) this.#best = { metric: main, value, epoch: epoch + 1, steps };
    await this.#writeBest(model);
    return true;
  }

  async #writeBest({ description, weights }: Model): Promise<void> {
    const best = this.#best;
    const score = best
      ? `${best.metric} ${best.value.toFixed(3)} on the recipe's validation data`
      : undefined;
    const provenance = { ...description.provenance, ...(score !== undefined && { score }) };
    const model = { description: { ...description, provenance }, weights };
    await saveModel(this.#files.best, model);
    await writeFileAtomic(this.#files.onnx, toOnnx(model).onnx);
  }

  async #save({ session, log }: Workshop, next: Position): Promise<void> {
    const { weights, slots } = await session.snapshot();
    await log.flush(); // what a checkpoint is ahead of the log, a resumed run would not log again
    await keepCheckpoint(this.#files, this.#savedAt, this.#recipe.checkpoint.keep);
    const { pending } = this.#records;
    await writeTrainingCheckpoint(this.#files.last, {
      weights,
      slots,
      run: {
        version: 1,
        recipe: this.#recipe,
        ...next,
        ...session.counts,
        best: this.#best,
        records: log.records,
        pending: [...pending],
      },
      metadata: { format: "pt", [METADATA_KEY]: formatDescription(this.#training.description) },
    });
    this.#savedAt = this.#steps;
  }

  /** The first one at once; later ones when they take no more than their share of the time. */
  #reportDue(): boolean {
    const { at, ms } = this.#reported;
    return performance.now() - at > ms / REPORT_SHARE;
  }

  async #report(status: RunStatus, { session, loader, samples }: Workshop): Promise<void> {
    const begin = performance.now();
    await writeRunReport(this.#files.folder, {
      status,
      training: this.#training,
      best: this.#best,
      validation: this.#validation,
      device: session.device,
      threads: this.#threads,
      data: { samples: loader.length, batches: loader.batchesPerEpoch },
      samples,
    });
    const end = performance.now();
    this.#reported = { at: end, ms: end - begin };
  }

  #result(finished: boolean, next: Position): TrainingResult {
    const { folder, last, best, onnx } = this.#files;
    const kept = existsSync(best) ? { best, onnx } : {};
    return {
      folder,
      finished,
      epochs: next.epoch,
      steps: this.#steps,
      best: this.#best,
      files: { last, report: join(folder, REPORT_FILE), ...kept },
    };
  }
}

/**
 * Share of the parameters that enters their average after `steps` steps: 1 − decay, and more at the start, where
 * (1 + steps)/(10 + steps) is below the decay (TensorFlow's ExponentialMovingAverage with num_updates).
 */
const averageRate =
  (decay: number) =>
  (steps: number): number =>
    1 - Math.min(decay, (1 + steps) / (10 + steps));
