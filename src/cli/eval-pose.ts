// `hrnet eval` of a pose model: COCO's or MPII's figures.

import { stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { writeCocoResults } from "../data/coco-results.ts";
import { HRNetError } from "../errors.ts";
import { type CocoPoseEvaluation, evaluateOnCoco } from "../estimators/evaluate-coco.ts";
import { evaluateOnMpii } from "../estimators/evaluate-mpii.ts";
import { personsOf } from "../estimators/person-detector.ts";
import type { PoseEstimator } from "../estimators/pose-estimator.ts";
import type { PckhResult } from "../metrics/pckh.ts";
import { type EvalOptions, refuseOptions } from "./eval-options.ts";
import { openDetector } from "./open-detector.ts";
import { jsonOption } from "./options.ts";
import { createProgress } from "./progress.ts";
import { formatTable } from "./table.ts";

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
async function findMpii(path: string, { split = "valid", images, pckhTruth }: EvalOptions) {
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

function cocoJson(evaluation: CocoPoseEvaluation, options: EvalOptions): string {
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

/** Scores from which a detector's boxes are run: classes less probable are not looked at in published figures either. */
const LEAST_BOX_SCORE = 0.05;

/**
 * Measures a pose model on a data set and says so, as text or JSON.
 * @throws HRNetError as the evaluations; `usage` for options without effect
 */
export async function evaluatePose(
  path: string,
  options: EvalOptions,
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
    refuseOptions(options, path, mpii ? "MPII" : "COCO");
    if (mpii) {
      const result = await evaluateOnMpii(estimator, { ...mpii, signal, onProgress });
      return options.json ? JSON.stringify({ ...result, boxes: "ground-truth" }, null, 2) : pckhText(result);
    }
    const { split, minScore, pck } = options;
    await using detector =
      options.detector === undefined
        ? undefined
        : await openDetector(options.detector, options, signal, { minScore: LEAST_BOX_SCORE });
    const sigmas = await sigmasOption(options.sigmas);
    const evaluation = await evaluateOnCoco(estimator, path, {
      split,
      detections: detector
        ? { name: detector.description.name, find: personsOf(detector) }
        : options.detections,
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
