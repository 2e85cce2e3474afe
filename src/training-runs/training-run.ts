// A recipe carried out: from its data to a folder with checkpoints, figures, a report and the finished model.

import { openBatchLoader } from "../data/batch-loader.ts";
import { HRNetError, messageOf } from "../errors.ts";
import { writeFileAtomic } from "../files/atomic-write.ts";
import { formatDescription, METADATA_KEY } from "../model-file/description.ts";
import type { Model } from "../model-file/import-checkpoint.ts";
import { saveModel } from "../model-file/load-model.ts";
import { toOnnx } from "../model-file/onnx-model.ts";
import { groupParameters } from "../recipe/parameter-groups.ts";
import { parseRecipe } from "../recipe/read-recipe.ts";
import { learningRateAt } from "../recipe/schedule.ts";
import type { Recipe } from "../recipe/schema.ts";
import { availableCpus } from "../runtime/threads.ts";
import {
  type RunState,
  readTrainingCheckpoint,
  type TrainingCheckpoint,
  writeTrainingCheckpoint,
} from "../train/checkpoint.ts";
import { type BatchRecord, type Position, trainLoop } from "../train/train-loop.ts";
import { TrainingSession } from "../train/training-session.ts";
import { openPoseTraining, type PoseTraining } from "./pose-training.ts";
import { keepCheckpoint, openRunFiles, type RunFiles } from "./run-files.ts";
import { openRunLog, type RunLog } from "./run-log.ts";
import { writeRunReport } from "./run-report.ts";
import { openTeacher, type Teacher } from "./teacher.ts";
import type { DeviceOptions, Validation } from "./training-task.ts";

/** How a recipe is carried out. */
export interface TrainingRunOptions extends DeviceOptions {
  /** Folder of the run. */
  readonly out: string;
  /** Go on with the run that is there; its own recipe counts, but for `epochs`. */
  readonly resume?: boolean;
  readonly onLog?: (line: string) => void;
  readonly onProgress?: (progress: TrainingProgress) => void;
}

/** Where a run stands. */
export interface TrainingProgress {
  /** From 1. */
  readonly epoch: number;
  readonly epochs: number;
  /** Batches done in this epoch, and of it. */
  readonly batch: number;
  readonly batches: number;
  /** Optimizer steps done. */
  readonly step: number;
  /** Mean over the batches of late. */
  readonly loss: number;
  readonly learningRate: number;
  readonly imagesPerSecond: number;
  /** Of the training alone, without validation. */
  readonly secondsLeft: number;
}

/** How a run ended. */
export interface TrainingResult {
  readonly folder: string;
  readonly finished: boolean;
  readonly epochs: number;
  readonly steps: number;
  readonly best: RunState["best"];
  readonly files: Readonly<Record<"last" | "report", string>> &
    Partial<Readonly<Record<"best" | "onnx", string>>>;
}

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
  const training = await openPoseTraining(recipe, { weights: checkpoint?.weights, onLog });
  await writeFileAtomic(files.recipe, `${JSON.stringify(recipe, null, 2)}\n`);
  const run = new TrainingRun(training, files, checkpoint, options);
  return run.carryOut();
}

/** The recipe of a checkpoint; a run may be made longer, nothing else. */
function resumedRecipe({ run }: TrainingCheckpoint, given: Recipe, onLog: (line: string) => void): Recipe {
  const recipe = parseRecipe(run.recipe, "The recipe in the checkpoint");
  const changed = (Object.keys(given) as (keyof Recipe)[]).filter(
    (key) => key !== "epochs" && JSON.stringify(given[key]) !== JSON.stringify(recipe[key]),
  );
  if (changed.length > 0) {
    throw new HRNetError(
      "usage",
      `The run was begun with another ${changed.join(", ")}. A resumed run goes on with its own recipe, of which only epochs ` +
        "may change; begin a new run in another folder, with initialize.from naming the old run's checkpoint.",
    );
  }
  if (given.epochs !== recipe.epochs) onLog(`epochs: ${recipe.epochs} before, ${given.epochs} now`);
  return { ...recipe, epochs: given.epochs };
}

/** Batches whose figures make one record of the log. */
const RECORD_BATCHES = 10;
/** Weight of a batch in the running mean that the terminal shows. */
const SHOWN_WEIGHT = 0.1;

class TrainingRun {
  readonly #training: PoseTraining;
  readonly #recipe: Recipe;
  readonly #files: RunFiles;
  readonly #checkpoint: TrainingCheckpoint | undefined;
  readonly #options: TrainingRunOptions;
  readonly #kept: number[] = [];
  readonly #pending: BatchRecord[] = [];
  #best: RunState["best"];
  #validation: Validation | undefined;
  #shown = { loss: Number.NaN, ms: Number.NaN };

  constructor(
    training: PoseTraining,
    files: RunFiles,
    checkpoint: TrainingCheckpoint | undefined,
    options: TrainingRunOptions,
  ) {
    this.#training = training;
    this.#recipe = training.recipe;
    this.#files = files;
    this.#checkpoint = checkpoint;
    this.#options = options;
    this.#best = checkpoint?.run.best ?? null;
  }

  async carryOut(): Promise<TrainingResult> {
    const { signal, onLog = () => {} } = this.#options;
    const recipe = this.#recipe;
    const resumeAt = this.#checkpoint?.run.steps;
    await using log = await openRunLog(this.#files.folder, resumeAt);
    await using loader = await openBatchLoader({
      ...this.#training.samples,
      batchSize: recipe.batchSize,
      seed: recipe.seed,
      workers: recipe.workers ?? Math.max(1, Math.min(4, availableCpus() - 1)),
      shuffle: true,
      onProblem: (line) => {
        log.event(line);
        onLog(line);
      },
    });
    await using teacher = recipe.teacher ? await this.#openTeacher(recipe.teacher.model) : undefined;
    await using session = await this.#openSession();
    const { batchesPerEpoch } = loader;
    const stepsPerEpoch = Math.max(1, Math.floor(batchesPerEpoch / recipe.accumulate));
    const { epoch = 0, batch = 0 } = this.#checkpoint?.run ?? {};
    onLog(
      `${loader.length} samples, ${batchesPerEpoch} batches of ${recipe.batchSize} an epoch, device ${session.device}`,
    );
    let next: Position = { epoch, batch };
    try {
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
        ...(teacher && { complete: (feeds) => withTeacher(teacher, feeds) }),
        onBatch: (record) => this.#recordBatch(record, batchesPerEpoch, log),
        afterBatch: async (position, record) => {
          next = position;
          const { unit, every } = recipe.checkpoint;
          if (unit === "step" && record.steps > 0 && record.steps % every === 0)
            await this.#save(session, position);
        },
        afterEpoch: async (done, position) => {
          next = position;
          this.#flushRecords(log);
          await this.#afterEpoch(session, done, position, log);
        },
        ...(signal && { signal }),
      });
      next = end.next;
      this.#flushRecords(log);
      if (!end.finished) {
        log.event(`stopped in epoch ${next.epoch + 1}, batch ${next.batch}`, session.counts.steps);
        await this.#save(session, next);
      }
      await log.flush();
      await this.#report(end.finished ? "finished" : "stopped", loader);
      return await this.#result(end.finished, next, session);
    } catch (error) {
      log.event(`failed: ${messageOf(error)}`, session.counts.steps);
      await log.flush().catch(() => {}); // the first error is the one to tell
      throw error;
    }
  }

  async #openTeacher(source: string): Promise<Teacher> {
    const { network } = this.#training;
    const { device, threads } = this.#options;
    const { height, width } = network.input;
    const expected = { heatmaps: network.graph.outputs["heatmaps"]!.shape, input: [height, width] as const };
    return openTeacher(source, expected, {
      ...(device && { device }),
      ...(threads !== undefined && { threads }),
    });
  }

  #openSession(): Promise<TrainingSession> {
    const recipe = this.#recipe;
    const { network, weights, description, feeds, loss } = this.#training;
    const { device, threads, onLog } = this.#options;
    const { groups, frozenBatchNorms } = groupParameters(network.parameters, recipe);
    const { learningRate: _, weightDecay: __, ...optimizer } = recipe.optimizer;
    const { slots, run: done } = this.#checkpoint ?? {};
    return TrainingSession.open({
      network,
      weights,
      normalization: description.preprocessing,
      feeds,
      loss,
      optimizer,
      groups,
      frozenBatchNorm: (path) => frozenBatchNorms.has(path),
      batchNormMomentum: recipe.batchNormMomentum,
      accumulate: recipe.accumulate,
      ...(recipe.clipNorm !== null && { clipNorm: recipe.clipNorm }),
      ...(recipe.ema && { ema: true, averageRate: averageRate(recipe.ema.decay) }),
      ...(slots && { slots }),
      ...(done && { done }),
      ...(device && { device }),
      ...(threads !== undefined && { threads }),
      ...(onLog && { onLog }),
    });
  }

  /** Figures of single batches go to the terminal as they come, and to the log as means. */
  #recordBatch(record: BatchRecord, batches: number, log: RunLog): void {
    this.#pending.push(record);
    const { epochs, batchSize } = this.#recipe;
    const blend = (old: number, value: number): number =>
      Number.isNaN(old) ? value : old + SHOWN_WEIGHT * (value - old);
    if (record.finite) this.#shown.loss = blend(this.#shown.loss, record.loss);
    this.#shown.ms = blend(this.#shown.ms, record.elapsedMs);
    const left = (epochs - record.epoch) * batches - record.batch - 1;
    this.#options.onProgress?.({
      epoch: record.epoch + 1,
      epochs,
      batch: record.batch + 1,
      batches,
      step: record.steps,
      loss: this.#shown.loss,
      learningRate: record.learningRate,
      imagesPerSecond: (1000 * batchSize) / this.#shown.ms,
      secondsLeft: (left * this.#shown.ms) / 1000,
    });
    if (!record.finite) log.event("the loss was not finite; the batch changed nothing", record.steps);
    if (this.#pending.length >= RECORD_BATCHES) this.#flushRecords(log);
  }

  #flushRecords(log: RunLog): void {
    const records = this.#pending.splice(0);
    const last = records.at(-1);
    const finite = records.filter((record) => record.finite);
    if (!last || last.steps === 0 || finite.length === 0) return;
    const mean = (value: (record: BatchRecord) => number): number =>
      finite.reduce((sum, record) => sum + value(record), 0) / finite.length;
    const total = (value: (record: BatchRecord) => number): number =>
      records.reduce((sum, record) => sum + value(record), 0);
    const accuracies = finite
      .map(({ report }) => this.#training.accuracy(report))
      .filter((accuracy) => accuracy !== undefined);
    const elapsed = total((record) => record.elapsedMs);
    log.step({
      step: last.steps,
      epoch: last.epoch + 1,
      loss: mean((record) => record.loss),
      learningRate: last.learningRate,
      imagesPerSecond: (1000 * this.#recipe.batchSize * records.length) / elapsed,
      waitShare: total((record) => record.waitedMs) / elapsed,
      gradientNorm: mean((record) => record.gradientNorm),
      ...(accuracies.length > 0 && {
        accuracy: accuracies.reduce((sum, accuracy) => sum + accuracy, 0) / accuracies.length,
      }),
    });
  }

  async #afterEpoch(session: TrainingSession, epoch: number, next: Position, log: RunLog): Promise<void> {
    const { validate, checkpoint, epochs } = this.#recipe;
    const last = epoch + 1 === epochs;
    if (last || (epoch + 1) % validate.every === 0) await this.#validate(session, epoch, log);
    const due = checkpoint.unit === "epoch" && (epoch + 1) % checkpoint.every === 0;
    if (last || due) await this.#save(session, next);
    if (!last) await this.#report("running");
  }

  async #validate(session: TrainingSession, epoch: number, log: RunLog): Promise<void> {
    const { onLog = () => {}, device, threads, signal } = this.#options;
    const { steps } = session.counts;
    const weights = await session.weights();
    const validation = await this.#training
      .validate(weights, {
        ...(device && { device }),
        ...(threads !== undefined && { threads }),
        ...(signal && { signal }),
      })
      .catch((error: unknown) => {
        if (error instanceof HRNetError && error.code === "aborted") return undefined; // the loop ends by itself
        throw error;
      });
    const model: Model = { description: this.#training.description, weights };
    if (!validation) {
      // Without figures the latest weights are the best there are.
      if (!signal?.aborted && this.#recipe.data.validation === null) await this.#writeBest(model);
      return;
    }
    this.#validation = validation;
    const { main, metrics } = validation;
    log.validation({ step: steps, epoch: epoch + 1, metrics });
    const value = metrics[main]!;
    onLog(
      `epoch ${epoch + 1}: ${main} ${value.toFixed(3)}${this.#best ? ` (best ${this.#best.value.toFixed(3)})` : ""}`,
    );
    if (this.#best && !(value > this.#best.value)) return;
    this.#best = { metric: main, value, epoch: epoch + 1, steps };
    await this.#writeBest(model);
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

  async #save(session: TrainingSession, next: Position): Promise<void> {
    const { weights, slots } = await session.snapshot();
    await keepCheckpoint(this.#files, session.counts.steps, this.#recipe.checkpoint.keep, this.#kept);
    await writeTrainingCheckpoint(this.#files.last, {
      weights,
      slots,
      run: { version: 1, recipe: this.#recipe, ...next, ...session.counts, best: this.#best },
      metadata: { format: "pt", [METADATA_KEY]: formatDescription(this.#training.description) },
    });
  }

  #report(
    status: "running" | "finished" | "stopped",
    samples?: Parameters<typeof writeRunReport>[1]["samples"],
  ) {
    return writeRunReport(this.#files.folder, {
      status,
      training: this.#training,
      best: this.#best,
      validation: this.#validation,
      device: this.#options.device ?? "cpu",
      samples,
    });
  }

  async #result(finished: boolean, next: Position, session: TrainingSession): Promise<TrainingResult> {
    const { folder, last, best, onnx } = this.#files;
    const kept = this.#best || this.#recipe.data.validation === null ? { best, onnx } : {};
    return {
      folder,
      finished,
      epochs: next.epoch,
      steps: session.counts.steps,
      best: this.#best,
      files: { last, report: `${folder}/report.html`, ...kept },
    };
  }
}

async function withTeacher(
  teacher: Teacher,
  feeds: Parameters<TrainingSession["run"]>[0],
): Promise<Parameters<TrainingSession["run"]>[0]> {
  return { ...feeds, teacher: await teacher.heatmaps(feeds["image"]!) };
}

/**
 * Share of the parameters that enters their average after `steps` steps: 1 − decay, and more at the start, where
 * (1 + steps)/(10 + steps) is below the decay (TensorFlow's ExponentialMovingAverage with num_updates).
 */
const averageRate =
  (decay: number) =>
  (steps: number): number =>
    1 - Math.min(decay, (1 + steps) / (10 + steps));
