// Options of `hrnet eval` as parsed, and which of them mean something for which kind of data.

import { HRNetError } from "../errors.ts";
import type { InferenceMethodName } from "../segmentation/inference-method.ts";
import type { PoseModelCommandOptions } from "./pose-model.ts";

export interface EvalOptions extends PoseModelCommandOptions {
  readonly split?: string;
  readonly images?: string;
  readonly json?: boolean;
  readonly detections?: string;
  readonly detector?: string;
  readonly minScore?: number;
  readonly oksNms?: number;
  readonly pck?: number;
  readonly sigmas?: string;
  readonly batchSize?: number;
  readonly pckhTruth?: string;
  readonly saveResults?: string;
  readonly labels?: string;
  readonly classes?: string;
  readonly method?: InferenceMethodName;
  readonly scales?: readonly number[];
  readonly window?: readonly [number, number];
  readonly confusion?: string;
}

type Flags = Partial<Record<keyof EvalOptions, string>>;

/** Options for one kind of data only, by their flags. */
const FLAGS = {
  COCO: {
    detections: "--detections",
    detector: "--detector",
    minScore: "--min-score",
    oksNms: "--oks-nms",
    pck: "--pck",
    sigmas: "--sigmas",
  },
  mirrored: { flipTest: "--flip-test" },
  results: { saveResults: "--save-results" },
  MPII: { pckhTruth: "--pckh-truth" },
  pose: {
    batchSize: "--batch-size",
    skeleton: "--skeleton",
    input: "--input",
  },
  segmentation: {
    labels: "--labels",
    classes: "--classes",
    method: "--method",
    scales: "--scales",
    window: "--window",
    confusion: "--confusion",
  },
} as const satisfies Record<string, Flags>;

/** Which of {@link FLAGS} each kind of data takes. */
const TAKEN = {
  COCO: ["COCO", "pose", "results", "mirrored"],
  MPII: ["MPII", "pose", "mirrored"],
  segmentation: ["segmentation", "mirrored"],
  detection: ["results"],
} as const;

/** @throws HRNetError `usage` for an option that would be without effect on data of that kind */
export function refuseOptions(options: EvalOptions, path: string, kind: keyof typeof TAKEN): void {
  const taken: readonly string[] = TAKEN[kind];
  const refused = Object.entries(FLAGS).flatMap(([group, flags]) =>
    taken.includes(group) ? [] : Object.entries(flags),
  );
  const given = refused.filter(([name]) => options[name as keyof EvalOptions] !== undefined);
  if (given.length === 0) return;
  throw new HRNetError(
    "usage",
    `${path} is read as ${kind} data, where ${given.map(([, flag]) => flag).join(", ")} has no meaning. Leave it out.`,
  );
}
