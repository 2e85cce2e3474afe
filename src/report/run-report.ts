// What a report shows, as plain data that any task can fill.

import type { RgbImage } from "../image/rgb-image.ts";

/** How the run stands. */
export type RunStatus = "running" | "finished" | "stopped" | "failed";

/** A label and its value, shown side by side. */
export type Fact = readonly [label: string, value: string];

/** A point of a line; y that is not finite leaves a gap. */
export type Point = readonly [x: number, y: number];

/** A figure that stands out at the head of the report: the best AP, the paper's. */
export interface ReportFigure {
  readonly label: string;
  readonly value: string;
  /** A few words below it: the step it was reached at. */
  readonly note?: string;
}

/** One line of a chart. */
export interface ReportLine {
  readonly name: string;
  /** In any order; of several with one x, the last counts. */
  readonly points: readonly Point[];
  /** Drawn pale, in the colour of the next line that is not: the raw values behind their smoothed line. */
  readonly faint?: boolean;
}

/** One chart over the steps. */
export interface ReportSeries {
  readonly title: string;
  readonly unit?: string;
  /** Logarithmic axis; values that are not positive leave gaps. */
  readonly log?: boolean;
  readonly lines: readonly ReportLine[];
}

/** A picture with a line of text. */
export interface GalleryItem {
  readonly image: RgbImage;
  readonly caption: string;
}

/** Pictures under one heading. */
export interface ReportGallery {
  readonly title: string;
  /** A sentence on what is to be seen. */
  readonly note?: string;
  readonly items: readonly GalleryItem[];
}

/** A table; columns of numbers are set right. */
export interface ReportTable {
  readonly title: string;
  readonly note?: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
}

/** Everything a report shows. All text is shown as it is; none is taken as HTML. */
export interface RunReport {
  readonly title: string;
  readonly status: RunStatus;
  /** A line below the title: the recipe's description. */
  readonly subtitle?: string;
  readonly figures?: readonly ReportFigure[];
  /** Recipe, device, data, dates, … */
  readonly facts: readonly Fact[];
  /** Sentences the reader should know: "The head was initialised anew: 14 keypoints instead of 17." */
  readonly notes?: readonly string[];
  readonly series: readonly ReportSeries[];
  readonly galleries: readonly ReportGallery[];
  readonly tables: readonly ReportTable[];
  /** The recipe as run, anything JSON can hold. */
  readonly recipe: unknown;
  /** Versions, platform, threads. */
  readonly environment?: readonly Fact[];
}
