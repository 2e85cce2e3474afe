// What a run needs of a task, whichever it is.

import type { GalleryItem, ReportTable } from "../report/run-report.ts";
import type { Device } from "../runtime/session.ts";

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
