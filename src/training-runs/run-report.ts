// The report of a run: its figures so far, what the network sees, and how well it finds what it should.

import { join } from "node:path";
import type { BatchLoader } from "../data/batch-loader.ts";
import { trainingSeries } from "../report/curves.ts";
import { REPORT_FILE, writeReport } from "../report/html-report.ts";
import { METRICS_FILE, readMetricsLog } from "../report/metrics-log.ts";
import type { RunStatus } from "../report/run-report.ts";
import type { Device } from "../runtime/session.ts";
import type { RunState } from "../train/checkpoint.ts";
import type { PoseTraining } from "./pose-training.ts";
import type { Validation } from "./training-task.ts";

/** What a report is made from, beside the log in the run's folder. */
export interface RunReportInput {
  readonly status: RunStatus;
  readonly training: PoseTraining;
  readonly best: RunState["best"];
  readonly validation: Validation | undefined;
  readonly device: Device;
  /** For pictures of augmented samples; left out while the run needs its samples for itself. */
  readonly samples?: BatchLoader | undefined;
}

/** Writes the report into the run's folder. */
export async function writeRunReport(folder: string, input: RunReportInput): Promise<void> {
  const { status, training, best, device } = input;
  const { recipe } = training;
  const records = await readMetricsLog(join(folder, METRICS_FILE));
  await writeReport(join(folder, REPORT_FILE), {
    title: recipe.name,
    status,
    subtitle: recipe.about,
    figures: best
      ? [
          {
            label: best.metric,
            value: best.value.toFixed(3),
            note: `epoch ${best.epoch}, step ${best.steps}`,
          },
        ]
      : [],
    facts: [["device", device]],
    series: trainingSeries(records),
    galleries: [],
    tables: [],
    recipe,
  });
}
