// hrnet eval: the figures of a pose model on a data set, with the source of its boxes.

import { stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Command } from "commander";
import { writeCocoResults } from "../data/coco-results.ts";
import { HRNetError } from "../errors.ts";
import { type CocoPoseEvaluation, evaluateOnCoco } from "../estimators/evaluate-coco.ts";
import { evaluateOnMpii } from "../estimators/evaluate-mpii.ts";
import type { PoseEstimator } from "../estimators/pose-estimator.ts";
import type { PckhResult } from "../metrics/pckh.ts";
import { OKS_NMS_THRESHOLD } from "../pose/oks-nms.ts";
import { interruptSignal } from "./interrupt.ts";
import { addLoadOptions } from "./load-options.ts";
import { addDeviceOptions, addSessionsOption, jsonOption, numberFrom, wholeNumber } from "./options.ts";
import { addModelOption, loadEstimator, type PoseModelCommandOptions } from "./pose-model.ts";
import { createProgress } from "./progress.ts";
import { formatTable } from "./table.ts";

interface Options extends PoseModelCommandOptions {
  readonly split?: string;
  readonly detections?: string;
  readonly minScore?: number;
  readonly oksNms?: number;
  readonly pck?: number;
  readonly sigmas?: string;
  readonly batchSize?: number;
  readonly images?: string;
  readonly pckhTruth?: string;
  readonly saveResults?: string;
  readonly json?: boolean;
}

const percent = (value: number): string => (Number.isNaN(value) ? "–" : value.toFixed(1));
const fraction = (value: number | null): string =>
  value === null || Number.isNaN(value) ? "–" : value.toFixed(3);

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (info) => info.isFile(),
    () => false,
  );
}

/** Where MPII's parts lie: `annot/valid.json`, `images/` and `annot/gt_valid.mat` below a folder, or as options say. */
async function findMpii(path: string, { split = "valid", images, pckhTruth }: Options) {
  const inFolder = join(path, "annot", `${split}.json`);
  const annotations = (await isFile(inFolder))
    ? inFolder
    : pckhTruth !== undefined && (await isFile(path))
      ? path
      : undefined;
  if (annotations === undefined) return undefined;
  const root = dirname(dirname(annotations));
  return {
    annotations,
    images: images ?? join(root, "images"),
    truth: pckhTruth ?? join(dirname(annotations), `gt_${split}.mat`),
  };
}

/** `[0.026, 0.025, …]` as text or in a file. */
async function sigmasOption(value: string | undefined): Promise<number[] | undefined> {
  const json = await jsonOption(value, "--sigmas");
  if (json === undefined) return undefined;
  if (Array.isArray(json) && json.every((sigma) => typeof sigma === "number" && sigma > 0))
    return json as number[];
  throw new HRNetError("usage", "--sigmas must be a JSON list of numbers above 0, one per keypoint.");
}

function cocoText(evaluation: CocoPoseEvaluation, flipTest: boolean): string {
  const { stats, perKeypoint, keypoints, counts, boxes, split, unreadable, onOtherImages, unusableBoxes } =
    evaluation;
  const names = Object.keys(stats) as (keyof typeof stats)[];
  const boxText = boxes === "ground-truth" ? "ground-truth boxes" : `boxes of ${boxes}`;
  const rows = perKeypoint.map(({ labelled, found, similar, meanError }, k) => [
    keypoints[k]!,
    labelled,
    found,
    fraction(similar),
    fraction(meanError),
  ]);
  return [
    `AP ${fraction(stats.AP)} on ${split} with ${boxText}${flipTest ? ", flip test" : ""}`,
    `${counts.persons} persons on ${counts.images} images, ${counts.results} results`,
    ...(onOtherImages > 0 ? [`${onOtherImages} detections on other images were left out`] : []),
    ...(unusableBoxes > 0
      ? [`${unusableBoxes} boxes without extent or outside their image were left out`]
      : []),
    ...(unreadable.length > 0
      ? [`${unreadable.length} images could not be read (counted as not found)`]
      : []),
    "",
    formatTable([names, names.map((name) => fraction(stats[name]))]),
    "",
    formatTable([["keypoint", "labelled", "of found persons", "similar ≥ 0.5", "error/√area"], ...rows]),
    ...pckLines(evaluation),
  ].join("\n");
}

function pckLines({ torsoPck, keypoints }: CocoPoseEvaluation): string[] {
  if (!torsoPck) return [];
  const { alpha, pck, limbs, persons, keypoints: shares } = torsoPck;
  const rows = shares.map((share, k) => [keypoints[k]!, fraction(share)]);
  return [
    "",
    `PCK@${alpha} of the torso: ${fraction(pck)}, limbs alone ${fraction(limbs)} (${persons} persons with a labelled torso)`,
    "",
    formatTable([["keypoint", "PCK"], ...rows]),
  ];
}

function cocoJson(evaluation: CocoPoseEvaluation, options: Options): string {
  const { stats, perKeypoint, keypoints, counts, boxes, split, unreadable, onOtherImages, unusableBoxes } =
    evaluation;
  const { torsoPck } = evaluation;
  const named = Object.fromEntries(perKeypoint.map((figures, k) => [keypoints[k]!, figures]));
  const flipTest = options.flipTest ?? false;
  const rest = {
    boxes,
    split,
    flipTest,
    model: options.model,
    counts,
    onOtherImages,
    unusableBoxes,
    unreadable,
    ...(torsoPck && { torsoPck }),
  };
  return JSON.stringify({ ...stats, ...rest, perKeypoint: named }, null, 2);
}

function pckhText({ groups, mean50, mean10, mean11, persons }: PckhResult): string {
  const names = [...Object.keys(groups), "Mean", "Mean@0.1 (official: 0.11)", "Mean@0.10"];
  const values = [...Object.values(groups), mean50, mean11, mean10].map(percent);
  return [
    `PCKh@0.5 ${percent(mean50)} on ${persons} persons at the annotated centres`,
    "",
    formatTable([names, values]),
  ].join("\n");
}

/** Options that mean something for one kind of data set only, by their flags. */
const COCO_OPTIONS = {
  detections: "--detections",
  minScore: "--min-score",
  oksNms: "--oks-nms",
  pck: "--pck",
  sigmas: "--sigmas",
  saveResults: "--save-results",
} as const;
const MPII_OPTIONS = { pckhTruth: "--pckh-truth" } as const;

/** @throws HRNetError `usage` for an option that would be without effect */
function refuseOptions(
  options: Options,
  refused: Partial<Record<keyof Options, string>>,
  path: string,
  kind: string,
): void {
  const given = Object.entries(refused).filter(([name]) => options[name as keyof Options] !== undefined);
  if (given.length === 0) return;
  const flags = given.map(([, flag]) => flag).join(", ");
  throw new HRNetError(
    "usage",
    `${path} is read as ${kind} data, where ${flags} has no meaning. Leave it out.`,
  );
}

async function evaluate(
  path: string,
  options: Options,
  estimator: PoseEstimator,
  signal: AbortSignal,
): Promise<string> {
  const progress = createProgress({ label: "eval", unit: "images", quiet: options.json ?? false });
  let started = false;
  const onProgress = (done: number, total: number): void => {
    started = true;
    progress.update(done, "", total);
  };
  try {
    const mpii = await findMpii(path, options);
    refuseOptions(options, mpii ? COCO_OPTIONS : MPII_OPTIONS, path, mpii ? "MPII" : "COCO");
    if (mpii) {
      const result = await evaluateOnMpii(estimator, { ...mpii, signal, onProgress });
      return options.json ? JSON.stringify({ ...result, boxes: "ground-truth" }, null, 2) : pckhText(result);
    }
    const { split, detections, minScore, pck } = options;
    const sigmas = await sigmasOption(options.sigmas);
    const evaluation = await evaluateOnCoco(estimator, path, {
      split,
      detections,
      minScore,
      pck,
      images: options.images,
      sigmas,
      signal,
      onProgress,
    });
    for (const { path: file, reason } of evaluation.unreadable)
      progress.log(`cannot read ${file}: ${reason}`);
    if (options.saveResults !== undefined) await writeCocoResults(options.saveResults, evaluation.results);
    if (evaluation.unreadable.length > 0) process.exitCode = 1;
    return options.json ? cocoJson(evaluation, options) : cocoText(evaluation, options.flipTest ?? false);
  } finally {
    if (started) progress.finish();
  }
}

export function command(): Command {
  const verb = addModelOption(new Command("hrnet eval"))
    .description(
      "Scores a pose model: COCO AP and AR (equal to pycocotools), or MPII PCKh. The source of the boxes stands beside\n" +
        "the AP: annotated boxes give about 2 AP more than a detector's.",
    )
    .argument("<data>", "folder in COCO layout, a COCO annotation file, or a folder in MPII layout")
    .option("--split <name>", "such as val2017 (default: the last val…)")
    .option("--detections <file>", "COCO detections to take the boxes from (default: annotated boxes)")
    .option("--min-score <n>", "leave out detections below", numberFrom(0))
    .option("--flip-test", "average with the mirrored crop, as published figures do")
    .option(
      "--oks-nms <threshold>",
      "suppress persons more similar than this (default: 0.9 with --detections)",
      numberFrom(0),
    )
    .option(
      "--pck <part>",
      "also PCK: keypoints within this part of the torso (0.2 is usual)",
      numberFrom(0.001),
    )
    .option("--sigmas <json|file>", "σ per keypoint instead of the data set's")
    .option("--batch-size <n>", "crops per run of the network", wholeNumber(1))
    .option("--images <dir>", "folder of the pictures (default: where the layout has them)")
    .option("--pckh-truth <file>", "MPII: gt_valid.mat, or the same as JSON")
    .option("--save-results <file>", "also write the predictions as COCO results")
    .option("--json", "figures as JSON on stdout");
  return addSessionsOption(addDeviceOptions(addLoadOptions(verb)))
    .addHelpText(
      "after",
      `
Examples:
  hrnet eval coco --model w32.onnx --flip-test
  hrnet eval coco --model w32.onnx --flip-test --detections COCO_val2017_detections_AP_H_56_person.json
  hrnet eval coco --split val2017 --model hrnet-w32-udp-coco-256x192 --json
  hrnet eval mpii --model hrnet-w32-mpii-256x256 --flip-test`,
    )
    .action(async (path: string, options: Options) => {
      const detected = options.detections !== undefined;
      const { signal, release } = interruptSignal();
      try {
        await using estimator = await loadEstimator(options, {
          signal,
          batchSize: options.batchSize,
          oksThreshold: options.oksNms ?? (detected ? OKS_NMS_THRESHOLD : undefined),
          // Annotations are made on the stored pixels, as the official code reads them.
          decode: { orientation: "ignore" },
        });
        process.stdout.write(`${await evaluate(path, options, estimator, signal)}\n`);
      } finally {
        release();
      }
    });
}
