// The report of a run: its figures so far, what the network sees, and how well it finds what it should.

import { readFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { countMacs } from "../graph/complexity.ts";
import { countParameters } from "../models/complexity.ts";
import { buildNetwork } from "../models/network.ts";
import { trainingSeries } from "../report/curves.ts";
import { REPORT_FILE, writeReport } from "../report/html-report.ts";
import {
  type EventRecord,
  METRICS_FILE,
  type MetricsRecord,
  readMetricsLog,
  type StepRecord,
} from "../report/metrics-log.ts";
import type { Fact, GalleryItem, ReportFigure, RunStatus } from "../report/run-report.ts";
import type { Device } from "../runtime/session.ts";
import type { RunState } from "../train/checkpoint.ts";
import { figureText, headlineOf, type TaskTraining, type Validation } from "./training-task.ts";

/** What a report is made from, beside the log in the run's folder. */
export interface RunReportInput {
  readonly status: RunStatus;
  readonly training: TaskTraining;
  readonly best: RunState["best"];
  readonly validation: Validation | undefined;
  readonly device: Device;
  readonly threads: number;
  /** Samples of an epoch, and its batches. */
  readonly data: { readonly samples: number; readonly batches: number };
  /** Augmented samples with their targets. */
  readonly samples: readonly GalleryItem[];
}

/** Step records that "of late" means. */
const LATE = 100;
/** Notes that a report lists; a folder of damaged pictures makes one each. */
const MOST_NOTES = 30;

/** Writes the report into the run's folder. @throws HRNetError as `readMetricsLog` and `writeReport` */
export async function writeRunReport(folder: string, input: RunReportInput): Promise<void> {
  const { status, training, validation, samples } = input;
  const { recipe } = training;
  const records = await readMetricsLog(join(folder, METRICS_FILE));
  const pictures = await validation?.pictures();
  await writeReport(join(folder, REPORT_FILE), {
    title: recipe.name,
    status,
    ...(recipe.about !== "" && { subtitle: recipe.about }),
    figures: figuresOf(input, records),
    facts: factsOf(input, records),
    notes: notesOf(records),
    series: trainingSeries(records, validation ? { metrics: validation.headline } : {}),
    galleries: [
      {
        title: "Input samples",
        note: training.galleryNotes.samples,
        items: samples,
      },
      {
        title: "Predictions",
        note: training.galleryNotes.predictions,
        items: pictures?.chosen ?? [],
      },
      {
        title: "Worst cases",
        note: training.galleryNotes.worst,
        items: pictures?.worst ?? [],
      },
    ],
    tables: validation?.tables ?? [],
    recipe,
    environment: environment(),
  });
}

const isStep = (record: MetricsRecord): record is StepRecord => record.kind === "step";
const isEvent = (record: MetricsRecord): record is EventRecord => record.kind === "event";

function figuresOf({ training, best, validation }: RunReportInput, records: readonly MetricsRecord[]) {
  const { paper } = training.recipe;
  const last = records.findLast(isStep);
  const figures: ReportFigure[] = [];
  if (best) {
    const note = `epoch ${best.epoch}, step ${best.steps}`;
    figures.push({ label: `best ${best.metric}`, value: figureText(best.value), note });
  }
  if (paper) {
    figures.push({
      label: `${paper.metric} of the paper`,
      value: figureText(paper.value / 100),
      note: paper.of,
    });
  }
  if (validation) {
    const { main, metrics } = validation;
    const note = headlineOf(validation);
    figures.push({ label: `last ${main}`, value: figureText(metrics[main] ?? Number.NaN), note });
  }
  if (last) figures.push({ label: "loss", value: last.loss.toPrecision(3), note: `step ${last.step}` });
  return figures;
}

function factsOf(
  { status, training, device, threads, data }: RunReportInput,
  records: readonly MetricsRecord[],
): Fact[] {
  const { recipe, network, description } = training;
  const [height, width] = recipe.input;
  // Built for one picture: multiply-adds are counted per picture.
  const single = buildNetwork(description.network, recipe.input);
  const late = records.filter(isStep).slice(-LATE);
  const speeds = late.map(({ imagesPerSecond }) => imagesPerSecond).sort((a, b) => a - b);
  const waiting = late.reduce((sum, { waitShare }) => sum + waitShare, 0) / Math.max(1, late.length);
  const times = records.flatMap(({ time }) => (time === undefined ? [] : [time]));
  const date = (time: number | undefined) =>
    time === undefined ? "–" : `${new Date(time).toISOString().slice(0, 19).replace("T", " ")} UTC`;
  const { batchSize, accumulate } = recipe;
  return [
    ["recipe", recipe.name],
    ["network", typeof recipe.network === "string" ? recipe.network : `${recipe.network.family} of its own`],
    ["parameters", countParameters(network.parameters).toLocaleString("en")],
    ["multiply-adds per picture", `${(countMacs(single.graph) / 1e9).toPrecision(3)} G`],
    ["input", `${height}×${width}, ${training.outputs}`],
    ["samples in an epoch", data.samples.toLocaleString("en")],
    [
      "batches in an epoch",
      `${data.batches} of ${batchSize}${accumulate > 1 ? `, ${accumulate} to a step` : ""}`,
    ],
    ["seed", String(recipe.seed)],
    ["device", device === "cpu" ? `cpu, ${threads} threads` : device],
    ["images/s of late", speeds.length === 0 ? "–" : (speeds[speeds.length >> 1] as number).toPrecision(3)],
    ["waiting for data of late", `${(100 * waiting).toFixed(1)} % of the time`],
    ["peak memory of the process", `${(process.resourceUsage().maxRSS / 2 ** 20).toPrecision(3)} GiB`],
    ["begun", date(times[0])],
    [status === "running" ? "as of" : "ended", date(times.at(-1))],
  ];
}

function notesOf(records: readonly MetricsRecord[]): string[] {
  const events = records.filter(isEvent);
  const notes = events
    .slice(-MOST_NOTES)
    .map(({ text, step }) => (step === undefined ? text : `${text} (step ${step})`));
  const left = events.length - notes.length;
  return left > 0 ? [`${left} earlier notes are in ${METRICS_FILE}`, ...notes] : notes;
}

function environment(): Fact[] {
  // Two folders above, in the source tree as in the built package.
  const file = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  const { name, version } = JSON.parse(file) as { name: string; version: string };
  const processors = cpus();
  return [
    [name, version],
    ["Node.js", process.version],
    ["platform", `${process.platform} ${process.arch}`],
    ["processor", `${processors[0]?.model ?? "unknown"}, ${processors.length} logical cores`],
  ];
}
