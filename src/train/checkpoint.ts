// Training checkpoints: one safetensors file with the weights under their state-dict keys, so that it opens as a model, and
// beside them what the run resumes from.

import { z } from "zod";
import { HRNetError, messageOf } from "../errors.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { readCheckpoint } from "../weights/read-checkpoint.ts";
import { writeSafetensors } from "../weights/safetensors.ts";
import { TRAINING_PREFIX } from "../weights/training-keys.ts";
import type { Arrays, Slots } from "./training-state.ts";

/** Where a checkpoint keeps what is no tensor: an entry of safetensors' `__metadata__`. */
const METADATA_KEY = "training";

const count = z.int().nonnegative();

const batchFigures = z.strictObject({
  /** Optimizer steps done after it. */
  step: count,
  /** From 1. */
  epoch: count,
  learningRate: z.number(),
  /** Loss and norm are 0 where they were not finite. */
  finite: z.boolean(),
  loss: z.number(),
  gradientNorm: z.number(),
  accuracy: z.number().nullable(),
  /** Whether the optimizer stepped. */
  stepped: z.boolean(),
  elapsedMs: z.number(),
  waitedMs: z.number(),
});

/** Figures of one batch. */
export type BatchFigures = Readonly<z.infer<typeof batchFigures>>;

/** A record spans a few batches, or those of one step with `accumulate`. */
const MOST_PENDING = 10_000;

const schema = z.strictObject({
  version: z.literal(1),
  recipe: z.unknown(),
  epoch: count,
  batch: count,
  steps: count,
  batches: count,
  collected: count,
  lossScale: z
    .number()
    .positive()
    .max(2 ** 30),
  scaledFor: count,
  best: z.strictObject({ metric: z.string(), value: z.number(), epoch: count, steps: count }).nullable(),
  /** Records of steps and validations in the log. */
  records: count,
  /** Batches whose figures the log does not have yet. */
  pending: z.array(batchFigures).max(MOST_PENDING),
});

/** What a checkpoint says beside its tensors. */
export type RunState = z.infer<typeof schema>;

/** A checkpoint read. */
export interface TrainingCheckpoint {
  readonly weights: Arrays;
  readonly slots: Slots;
  readonly run: RunState;
  /** The file's other metadata: the description of the model. */
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Writes a checkpoint; an earlier one of that name is there until the new one is whole.
 * @param metadata further entries, such as the model's description
 * @throws HRNetError `write-failed`
 */
export async function writeTrainingCheckpoint(path: string, checkpoint: TrainingCheckpoint): Promise<void> {
  const tensors = new Map<string, Tensor>(checkpoint.weights);
  for (const [role, arrays] of checkpoint.slots) {
    for (const [name, array] of arrays) tensors.set(`${TRAINING_PREFIX}${role}.${name}`, array);
  }
  const metadata = { ...checkpoint.metadata, [METADATA_KEY]: JSON.stringify(checkpoint.run) };
  await writeSafetensors(path, tensors, metadata);
}

/**
 * Reads a checkpoint that {@link writeTrainingCheckpoint} wrote.
 * @throws HRNetError as `readCheckpoint`; `invalid-checkpoint` when it is no checkpoint of a training run
 */
export async function readTrainingCheckpoint(path: string): Promise<TrainingCheckpoint> {
  const { stateDict, metadata } = await readCheckpoint(path);
  const { [METADATA_KEY]: text, ...rest } = metadata;
  if (text === undefined) {
    throw new HRNetError(
      "invalid-checkpoint",
      `${path} holds weights, but nothing of a training run to resume. Give it as initialize.from to start from it.`,
    );
  }
  const weights = new Map<string, Tensor>();
  const slots = new Map<string, Map<string, Tensor>>();
  for (const [key, value] of stateDict) {
    if (!key.startsWith(TRAINING_PREFIX)) {
      weights.set(key, value);
      continue;
    }
    const [role, ...name] = key.slice(TRAINING_PREFIX.length).split(".");
    const arrays = slots.get(role!) ?? new Map<string, Tensor>();
    slots.set(role!, arrays);
    arrays.set(name.join("."), value);
  }
  return { weights, slots, run: parseRun(text, path), metadata: rest };
}

function parseRun(text: string, path: string): RunState {
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    throw new HRNetError(
      "invalid-checkpoint",
      `What ${path} says of its training run is not valid: ${messageOf(error)}`,
      { cause: error },
    );
  }
}
