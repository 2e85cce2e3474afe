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
 * @param resumeAt step from which a resumed run goes on
 * @throws HRNetError as `openMetricsLog` and `openEventFile`
 */
export async function openRunLog(folder: string, resumeAt?: number): Promise<RunLog> {
  const options = resumeAt === undefined ? {} : { resumeAt };
  const metrics = await openMetricsLog(join(folder, METRICS_FILE), options);
  const events = await openEventFile(folder, options);
  return {
    step(record) {
      metrics.append({ kind: "step", ...record });
      const values = DRAWN.flatMap((name) => {
        const value = record[name];
        return value === undefined ? [] : [[`train/${name}`, value] as const];
      });
      events.scalars(record.step, Object.fromEntries(values));
    },
    validation(record) {
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
