// The keys of a recipe that every task shares: optimizer, schedule, batches, precision, checkpoints.

import { z } from "zod";

const fraction = z.number().min(0).lt(1);

/** Longest pattern: no parameter name is near it, and patterns come with files. */
const MAX_PATTERN = 500;

/** A regular expression on parameter names, as text. */
const pattern = z
  .string()
  .min(1)
  .max(MAX_PATTERN)
  .refine(isPattern, "is no regular expression of JavaScript");

function isPattern(text: string): boolean {
  try {
    new RegExp(text);
    return true;
  } catch {
    return false;
  }
}

const learningRate = z.number().positive().max(10).describe("Learning rate that the schedule starts from.");
const betas = z
  .tuple([fraction, fraction])
  .default([0.9, 0.999])
  .describe("Decay of the running means of gradient and squared gradient.");
const epsilon = z
  .number()
  .positive()
  .max(1)
  .default(1e-8)
  .describe("Added to the root of the squared gradient's mean.");
const decay = (preset: number, text: string) => z.number().min(0).max(1).default(preset).describe(text);

const optimizerSchema = z
  .discriminatedUnion("type", [
    z.strictObject({
      type: z.literal("adam").describe("Kingma & Ba 2015; the published pose recipes."),
      learningRate,
      weightDecay: decay(
        0,
        "Added to the gradient as weightDecay × parameter, as PyTorch's Adam does. The pose papers use 0.",
      ),
      betas,
      epsilon,
    }),
    z.strictObject({
      type: z.literal("adamw").describe("Loshchilov & Hutter 2019: decay apart from the gradient."),
      learningRate,
      weightDecay: decay(0.01, "Each step takes learningRate × weightDecay of the parameter away."),
      betas,
      epsilon,
    }),
    z.strictObject({
      type: z.literal("sgd").describe("Gradient descent with momentum, as PyTorch computes it."),
      learningRate,
      weightDecay: decay(0, "Added to the gradient as weightDecay × parameter."),
      momentum: fraction.default(0.9).describe("Share of the last step that is kept."),
      nesterov: z.boolean().default(false).describe("Look ahead along the momentum."),
    }),
  ])
  .describe("How gradients become steps.");

const groupSchema = z.strictObject({
  match: pattern.describe("Regular expression on parameter names. The first group that matches counts."),
  learningRateFactor: z
    .number()
    .min(0)
    .max(1000)
    .default(1)
    .describe("Multiplies the learning rate of these parameters."),
  weightDecay: z
    .number()
    .min(0)
    .max(1)
    .nullable()
    .default(null)
    .describe("Weight decay of these parameters; null: the optimizer's."),
});

const minimum = z
  .number()
  .min(0)
  .max(1)
  .default(0)
  .describe("Learning rate at the end, before the groups' factors.");

const scheduleSchema = z
  .discriminatedUnion("type", [
    z.strictObject({
      type: z.literal("step").describe("Multiplied by `factor` at each milestone."),
      milestones: z
        .array(z.int().min(1).max(1_000_000))
        .max(100)
        .refine((list) => list.every((epoch, i) => i === 0 || epoch > list[i - 1]!), "must rise")
        .describe("Epochs, counted from 0, that begin with a lower rate."),
      factor: z.number().positive().max(1).default(0.1).describe("What each milestone multiplies by."),
    }),
    z.strictObject({
      type: z.literal("poly").describe("(1 − step/steps)^power, at every step."),
      power: z.number().positive().max(10).default(0.9).describe("Exponent of the curve."),
      minimum,
    }),
    z.strictObject({
      type: z.literal("cosine").describe("Half a cosine without restarts (Loshchilov & Hutter 2017)."),
      minimum,
    }),
    z.strictObject({ type: z.literal("constant").describe("The same throughout.") }),
  ])
  .default({ type: "constant" })
  .describe("The learning rate over the run.");

const warmUpSchema = z
  .strictObject({
    steps: z.int().min(1).max(1_000_000).describe("Optimizer steps until the full rate."),
    from: z
      .number()
      .min(0)
      .max(1)
      .default(0.001)
      .describe("Share of the scheduled rate at step 0; rises in a straight line."),
  })
  .nullable()
  .default(null)
  .describe("Lower learning rate at the start; null: none.");

/** Keys that every task's recipe has, as zod shapes. */
export const TRAINING_KEYS = {
  optimizer: optimizerSchema,
  groups: z
    .array(groupSchema)
    .max(100)
    .default([])
    .describe("Parameters with a learning rate or weight decay of their own."),
  schedule: scheduleSchema,
  warmUp: warmUpSchema,
  epochs: z.int().min(1).max(1_000_000).describe("Passes over the training data."),
  batchSize: z
    .int()
    .min(1)
    .max(4096)
    .describe("Samples that go through the network at once; batch normalisation sees these."),
  replicas: z
    .int()
    .min(1)
    .max(256)
    .default(1)
    .describe(
      "Equal parts of a batch that go through copies of the network side by side, their gradients averaged (as PyTorch's DistributedDataParallel). On a CPU, up to one for each core: Lite-HRNet-18 gains a third on two cores, HRNet-W32 a tenth. Batch normalisation sees batchSize / replicas samples.",
    ),
  accumulate: z
    .int()
    .min(1)
    .max(4096)
    .default(1)
    .describe(
      "Batches whose mean gradient makes one step. As many as the paper had GPUs, with the batch of one GPU, is its training.",
    ),
  clipNorm: z
    .number()
    .positive()
    .nullable()
    .default(null)
    .describe("Largest Euclidean norm of the whole gradient; a longer one is scaled down. null: no limit."),
  ema: z
    .strictObject({
      decay: fraction.describe("Share of the average that each step keeps."),
    })
    .nullable()
    .default(null)
    .describe("Also keep a moving average of the weights; validation and export use it. null: none."),
  freeze: z
    .strictObject({
      parameters: z
        .array(pattern)
        .max(100)
        .default([])
        .describe("Regular expressions on parameter names: these stay as they are."),
      batchNorm: z
        .array(pattern)
        .max(100)
        .default([])
        .describe(
          "Regular expressions on the names of batch normalisations: these use and keep their stored mean and variance.",
        ),
    })
    .prefault({})
    .describe("What does not change."),
  batchNormMomentum: z
    .number()
    .min(0)
    .max(1)
    .default(0.1)
    .describe(
      "Weight of a batch in the running mean and variance, as in PyTorch: running × (1 − m) + batch × m.",
    ),
  precision: z
    .enum(["fp32", "fp16"])
    .default("fp32")
    .describe("Numbers in the step; fp16 keeps parameters and optimizer in fp32, on devices that have it."),
  validate: z
    .strictObject({
      every: z.int().min(1).max(1_000_000).default(1).describe("Epochs between validations."),
      flipTest: z.boolean().default(true).describe("Average with the mirrored picture."),
      limit: z
        .int()
        .min(1)
        .nullable()
        .default(null)
        .describe("Pictures of the validation data that are used; null: all."),
    })
    .prefault({})
    .describe("Measuring during the run; the last epoch is always measured."),
  checkpoint: z
    .strictObject({
      every: z.int().min(1).max(10_000_000).default(1).describe("Epochs or steps between checkpoints."),
      unit: z.enum(["epoch", "step"]).default("epoch").describe("What `every` counts."),
      keep: z
        .int()
        .min(1)
        .max(10_000)
        .default(1)
        .describe("Latest checkpoints that stay, beside the best one."),
    })
    .prefault({})
    .describe("What a run can be resumed from."),
  seed: z
    .int()
    .min(0)
    .max(2 ** 32 - 1)
    .default(0)
    .describe("Of weights, order and augmentation."),
  workers: z
    .int()
    .min(0)
    .max(256)
    .nullable()
    .default(null)
    .describe(
      "Threads that prepare samples; 0: none beside the step's own. null: by the machine. The result does not depend on it.",
    ),
} as const;

const TRAINING = z.strictObject(TRAINING_KEYS);
type Training = z.infer<typeof TRAINING>;

/** How gradients become steps. */
export type OptimizerRecipe = Training["optimizer"];
/** Parameters with a rate of their own. */
export type GroupRecipe = Training["groups"][number];
/** The learning rate over a run. */
export type ScheduleRecipe = Training["schedule"];
/** Lower rate at the start. */
export type WarmUpRecipe = Training["warmUp"];
/** What does not change. */
export type FreezeRecipe = Training["freeze"];
