// Figures of a run to both of its logs: JSON lines and TensorBoard.

import { join } from "node:path";
import {
  METRICS_FILE,
  openMetricsLog,
  type StepRecord,
  type ValidationRecord,
} from "../report/metrics-log.ts";
import { openEventFile } from "../report/tensorboard.ts";

/** The logs of a run. */
export interface RunLog extends AsyncDisposable {
  /** Records of steps and validations so far, those of the run before a resumption included. */
  readonly records: number;
  step(record: Omit<StepRecord, "kind">): void;
  validation(record: Omit<ValidationRecord, "kind">): void;
  /** Something to know, in a sentence. */
  event(text: string, step?: number): void;
  /** @throws HRNetError `write-failed` */
  flush(): Promise<void>;
}

/** Figures of a step that TensorBoard draws. */
const DRAWN = ["loss", "learningRate", "imagesPerSecond", "waitShare", "gradientNorm", "accuracy"] as const;

/**
 * Opens the logs in a run's folder.
 * @param resumed step and number of records from which a resumed run goes on
 * @throws HRNetError as `openMetricsLog` and `openEventFile`
 */
export async function openRunLog(
  folder: string,
  resumed?: { readonly steps: number; readonly records: number },
): Promise<RunLog> {
  const at = resumed && { resumeAt: resumed.steps };
  const metrics = await openMetricsLog(join(folder, METRICS_FILE), {
    ...at,
    ...(resumed && { resumeRecords: resumed.records }),
  });
  const events = await openEventFile(folder, { ...at });
  let records = resumed?.records ?? 0;
  return {
    get records() {
      return records;
    },
    step(record) {
      records++;
      metrics.append({ kind: "step", ...record });
      const values = DRAWN.flatMap((name) => {
        const value = record[name];
        return value === undefined ? [] : [[`train/${name}`, value] as const];
      });
      events.scalars(record.step, Object.fromEntries(values));
    },
    validation(record) {
      records++;
      metrics.append({ kind: "validation", ...record });
      const values = Object.entries(record.metrics).map(([name, value]) => [`validation/${name}`, value]);
      events.scalars(record.step, Object.fromEntries(values));
    },
    event: (text, step) => metrics.append({ kind: "event", text, ...(step !== undefined && { step }) }),
    async flush() {
      await metrics.flush();
      await events.flush();
    },
    async [Symbol.asyncDispose]() {
      // `flush` is what tells of a full disk; here the error that ended the run would be hidden.
      await metrics.close().catch(() => {});
      await events.close().catch(() => {});
    },
  };
}
