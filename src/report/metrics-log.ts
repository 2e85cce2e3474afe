// The figures of a training run as JSON lines: appended while it runs, cut back when it resumes, read for the report.

import { z } from "zod";
import { HRNetError, messageOf } from "../errors.ts";
import { writeFileAtomic } from "../files/atomic-write.ts";
import { readFileWithin } from "../files/read-file.ts";
import { openAppendFile } from "./append-file.ts";

/** Name of the log in a run's folder. */
export const METRICS_FILE = "metrics.jsonl";

/** Largest log accepted, in bytes: two million steps of 250 bytes. */
const MAX_LOG_BYTES = 500_000_000;

/** JSON has no NaN: a diverged loss stands in the file as null. */
const figure = z
  .number()
  .nullable()
  .transform((value) => value ?? Number.NaN);
const count = z.int().nonnegative();
/** Milliseconds since 1970. */
const time = z.number().nonnegative().optional();

const stepSchema = z.object({
  kind: z.literal("step"),
  step: count,
  epoch: z.number().nonnegative(),
  loss: figure,
  learningRate: figure,
  imagesPerSecond: figure,
  waitShare: figure,
  gradientNorm: figure,
  accuracy: figure.optional(),
  time,
});
const validationSchema = z.object({
  kind: z.literal("validation"),
  step: count,
  epoch: z.number().nonnegative(),
  metrics: z.record(z.string().max(200), figure),
  time,
});
const eventSchema = z.object({
  kind: z.literal("event"),
  text: z.string().max(10_000),
  step: count.optional(),
  time,
});
const recordSchema = z.discriminatedUnion("kind", [stepSchema, validationSchema, eventSchema]);

interface Timed {
  /** When it was logged, in milliseconds since 1970; the log sets it. */
  readonly time?: number | undefined;
}

/** One optimizer step, or the mean of those since the record before. Figures that are not finite are read back as NaN. */
export interface StepRecord extends Timed {
  readonly kind: "step";
  /** Optimizer steps done so far, from 1. */
  readonly step: number;
  /** Epochs begun so far, from 1. */
  readonly epoch: number;
  readonly loss: number;
  readonly learningRate: number;
  readonly imagesPerSecond: number;
  /** Share of the time spent waiting for data, 0–1. */
  readonly waitShare: number;
  /** Euclidean norm of the gradient before clipping. */
  readonly gradientNorm: number;
  /** Share of predictions that are right on the training batch, 0–1. */
  readonly accuracy?: number | undefined;
}

/** One validation of the state after `step`. */
export interface ValidationRecord extends Timed {
  readonly kind: "validation";
  readonly step: number;
  readonly epoch: number;
  /** By name: `AP`, `PCKh@0.5`, `mIoU`, `loss`. */
  readonly metrics: Readonly<Record<string, number>>;
}

/** Something to know about the run, in a sentence. */
export interface EventRecord extends Timed {
  readonly kind: "event";
  readonly text: string;
  /** The step it belongs to. Without one, it is kept whenever the run resumes. */
  readonly step?: number | undefined;
}

/** One line of the log. */
export type MetricsRecord = StepRecord | ValidationRecord | EventRecord;

/** A log open for appending. */
export interface MetricsLog {
  readonly path: string;
  /** Queues a line; it reaches the file within seconds. Sets `time` if the record has none. */
  append(record: MetricsRecord): void;
  /** Waits until all lines are on the disk. @throws HRNetError `write-failed`; the lines stay queued */
  flush(): Promise<void>;
  /** Flushes and closes; further calls do nothing. @throws HRNetError `write-failed` */
  close(): Promise<void>;
}

/** Options of {@link openMetricsLog}. */
export interface MetricsLogOptions {
  /** Continues an existing log from this step: what it says of later ones is dropped. Default: a new log. */
  readonly resumeAt?: number;
  /** With `resumeAt`: how many records of steps and validations hold; later ones are dropped, whatever their step. */
  readonly resumeRecords?: number;
  /** Lines are written after at most this long. Default 2. */
  readonly flushSeconds?: number;
}

/**
 * Opens the log of a run.
 * @throws HRNetError `usage` when the log exists and `resumeAt` is not given; `invalid-data` when a line of an existing
 * log is damaged (but for the last, which a crash may tear); `write-failed`, `limit-exceeded`.
 */
export async function openMetricsLog(path: string, options: MetricsLogOptions = {}): Promise<MetricsLog> {
  const { resumeAt, resumeRecords, ...appending } = options;
  const existing = await readIfThere(path);
  if (existing !== undefined && resumeAt === undefined && existing.length > 0) {
    throw new HRNetError(
      "usage",
      `${path} holds the figures of an earlier run. Resume that run, or choose another folder.`,
    );
  }
  if (existing !== undefined && resumeAt !== undefined)
    await cutBack(path, existing, resumeAt, resumeRecords);
  const file = await openAppendFile(path, appending);
  return {
    path,
    append: (record) => file.append(Buffer.from(`${JSON.stringify({ time: Date.now(), ...record })}\n`)),
    flush: file.flush,
    close: file.close,
  };
}

/**
 * All records of a log, in the order of the file. A last line that a crash has torn is left out.
 * @throws HRNetError `file-not-found`, `read-failed`, `limit-exceeded`, `invalid-data` with the number of the line.
 */
export async function readMetricsLog(path: string): Promise<MetricsRecord[]> {
  const bytes = await readFileWithin(path, "metrics log", MAX_LOG_BYTES);
  return [...entries(path, bytes)].map(({ record }) => record);
}

async function readIfThere(path: string): Promise<Buffer | undefined> {
  return readFileWithin(path, "metrics log", MAX_LOG_BYTES).catch((error: unknown) => {
    if (error instanceof HRNetError && error.code === "file-not-found") return undefined;
    throw error;
  });
}

/** Leaves the lines that hold at `step`, as they were written. */
async function cutBack(
  path: string,
  bytes: Buffer,
  step: number,
  records = Number.POSITIVE_INFINITY,
): Promise<void> {
  let figures = 0;
  const kept = [...entries(path, bytes)]
    .filter(({ record }) => record.step === undefined || record.step <= step)
    .filter(({ record }) => record.kind === "event" || ++figures <= records)
    .map(({ line }) => Buffer.concat([line, Buffer.from("\n")]));
  const whole = Buffer.concat(kept);
  if (!whole.equals(bytes)) await writeFileAtomic(path, whole);
}

function* entries(path: string, bytes: Buffer): Generator<{ line: Buffer; record: MetricsRecord }> {
  for (let start = 0, number = 1; start < bytes.length; number++) {
    const newline = bytes.indexOf(0x0a, start);
    const end = newline === -1 ? bytes.length : newline;
    const line = bytes.subarray(start, end);
    start = end + 1;
    if (line.length === 0) continue;
    const record = parseLine(line);
    if (typeof record !== "string") yield { line, record };
    else if (newline !== -1) {
      throw new HRNetError(
        "invalid-data",
        `Line ${number} of the metrics log ${path} is not valid: ${record}. Remove the line, or restore the file.`,
      );
    }
  }
}

/** A record, or what is wrong with the line. */
function parseLine(line: Buffer): MetricsRecord | string {
  try {
    const parsed = recordSchema.safeParse(JSON.parse(line.toString("utf8")));
    if (parsed.success) return parsed.data;
    const issue = parsed.error.issues[0]!;
    return `${issue.path.map(String).join(".") || "the record"}: ${issue.message}`;
  } catch (error) {
    return messageOf(error);
  }
}
