// What a run needs of a task, whichever it is.

import type { Value } from "../graph/value.ts";
import type { ModelDescription } from "../model-file/description.ts";
import type { Network } from "../models/network.ts";
import type { Recipe } from "../recipe/schema.ts";
import type { GalleryItem, ReportTable } from "../report/run-report.ts";
import type { Device } from "../runtime/session.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Companion } from "../train/companion.ts";
import type { LossTerms } from "../train/step-options.ts";
import type { PreparedSamples } from "../training-data/prepared-samples.ts";

/** A recipe with its data read and its network built. */
export interface TaskTraining {
  readonly recipe: Recipe;
  readonly description: ModelDescription;
  /** Built for one of the recipe's `replicas` parts of a batch. */
  readonly network: Network;
  readonly weights: ReadonlyMap<string, Tensor>;
  readonly samples: PreparedSamples;
  /** Inputs of the step beside the picture. */
  readonly feeds: Readonly<Record<string, Value>>;
  /** What gives some of them. */
  readonly companion?: Companion | undefined;
  loss(outputs: Readonly<Record<string, Value>>, feeds: Readonly<Record<string, Value>>): LossTerms;
  /** Share of a batch that was found right, from what the loss reports. */
  accuracy(report: Readonly<Record<string, Tensor>>): number | undefined;
  /** Metrics of the weights on the recipe's validation data; `undefined` without such data. */
  validate(weights: ReadonlyMap<string, Tensor>, options: ValidationOptions): Promise<Validation | undefined>;
  /** The first samples of an epoch as the network sees them, drawn with their targets. */
  sampleGallery(epoch: number): Promise<GalleryItem[]>;
  /** What the network gives, in words: `17 keypoints`. */
  readonly outputs: string;
  /** What the report's pictures show, in sentences. */
  readonly galleryNotes: Readonly<Record<"samples" | "predictions" | "worst", string>>;
}

/** What opening a recipe is told. */
export interface OpenTrainingOptions {
  /** Weights of a checkpoint that is resumed; they take the place of the recipe's initial ones. */
  readonly weights?: ReadonlyMap<string, Tensor> | undefined;
  readonly onLog: (line: string) => void;
}

/** Where networks run. */
export interface DeviceOptions {
  readonly device?: Device;
  readonly threads?: number;
  readonly signal?: AbortSignal;
}

/** How a validation is done. */
export interface ValidationOptions extends DeviceOptions {
  /** After each picture. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** Pictures of predictions beside the truth. */
export interface ValidationPictures {
  /** The same persons in every validation, chosen by the recipe's seed. */
  readonly chosen: readonly GalleryItem[];
  /** Those that were found worst, the worst first. */
  readonly worst: readonly GalleryItem[];
}

/** Figures of one validation. */
export interface Validation {
  /** The metric that decides which weights are best; larger is better. */
  readonly main: string;
  /** 0 … 1; NaN where there was nothing to measure. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Names of those that a line of text shows. */
  readonly headline: readonly string[];
  /** For the report. */
  readonly tables: readonly ReportTable[];
  /** Sentences about what went wrong on the way. */
  readonly notes: readonly string[];
  /** Draws a few persons; reads their pictures when it is called. */
  pictures(): Promise<ValidationPictures>;
}

/** `AP 0.512  AP50 0.781  AR 0.560`; a dash where there was nothing to measure. */
export function headlineOf({ headline, metrics }: Pick<Validation, "headline" | "metrics">): string {
  return headline.map((name) => `${name} ${figureText(metrics[name] ?? Number.NaN)}`).join("  ");
}

/** Three digits, or a dash for what is no number. */
export const figureText = (value: number): string => (Number.isFinite(value) ? value.toFixed(3) : "–");
