// `hrnet eval` of a detector: COCO's AP and AR of boxes and masks.

import { writeCocoDetections } from "../data/coco-results.ts";
import { findDetectionSplit } from "../data/detection-layout.ts";
import { type DetectionPictures, readDetectionPictures } from "../data/detection-sets.ts";
import { Detector } from "../estimators/detector.ts";
import { type DetectorEvaluation, evaluateDetector } from "../estimators/evaluate-detection.ts";
import type { DetectionEvaluation } from "../metrics/detection-eval.ts";
import type { Model } from "../model-file/import-checkpoint.ts";
import { type EvalOptions, refuseOptions } from "./eval-options.ts";
import { sessionOptions } from "./options.ts";
import { createProgress } from "./progress.ts";
import { formatTable } from "./table.ts";

/** COCO marks what cannot be measured with −1. */
const figure = (value: number): string => (value < 0 ? "–" : value.toFixed(3));

/**
 * Measures a detector on a data set and says so, as text or JSON. Classes are told apart by name.
 * @throws HRNetError as `findDetectionSplit` and the evaluation; `usage` for options without effect
 */
export async function evaluateDetectionModel(
  path: string,
  options: EvalOptions,
  model: Model,
  signal: AbortSignal,
): Promise<string> {
  refuseOptions(options, path, "detection");
  const { json = false, split, images, saveResults } = options;
  const found = await findDetectionSplit(path, { split, images });
  await using detector = await Detector.load(model, { minScore: 0, ...sessionOptions(options) });
  const { classes } = detector.classes;
  const set = await readDetectionPictures(found.source, classes);
  const progress = createProgress({ label: "eval", unit: "images", quiet: json });
  let evaluation: DetectorEvaluation;
  try {
    evaluation = await evaluateDetector(detector, set.pictures, {
      signal,
      onProgress: (done, total) => progress.update(done, "", total),
    });
    for (const { reason } of evaluation.unreadable) progress.log(`left out: ${reason}`);
  } finally {
    progress.finish();
  }
  if (saveResults !== undefined) await writeCocoDetections(saveResults, resultsOf(evaluation, set));
  if (evaluation.unreadable.length > 0) process.exitCode = 1;
  const source = { model: detector.description.name, split: found.name };
  return json ? asJson(evaluation, classes, source) : asText(evaluation, classes, source.split);
}

/** With the data set's own ids; classes that it does not have are left out. */
function resultsOf({ results }: DetectorEvaluation, { pictures, categoryIds }: DetectionPictures) {
  return results.flatMap(({ picture, class: number, ...found }) => {
    const categoryId = categoryIds[number];
    return categoryId === undefined ? [] : [{ ...found, imageId: pictures[picture]!.id, categoryId }];
  });
}

function asText(
  { masks, pictures, unreadable, ...boxes }: DetectorEvaluation,
  classes: readonly string[],
  split: string,
): string {
  return [
    ...partText(boxes, classes, `boxes on ${pictures} pictures of ${split}`),
    ...(masks ? ["", ...partText(masks, classes, "masks")] : []),
    ...(unreadable.length > 0
      ? ["", `${unreadable.length} pictures could not be used and are not counted`]
      : []),
  ].join("\n");
}

/** The figures of boxes or of masks. */
function partText(
  { stats, perCategory }: DetectionEvaluation,
  classes: readonly string[],
  what: string,
): string[] {
  const names = Object.keys(stats) as (keyof typeof stats)[];
  return [
    `AP ${figure(stats.AP)} of ${what}`,
    "",
    formatTable([names, names.map((name) => figure(stats[name]))]),
    "",
    formatTable([
      ["class", "objects", "found", "AP", "AP50", "AR100"],
      ...perCategory.map(({ categoryId, objects, results, AP, AP50, AR100 }) => [
        classes[categoryId]!,
        objects,
        results,
        ...[AP, AP50, AR100].map(figure),
      ]),
    ]),
  ];
}

function asJson(
  { masks, pictures, unreadable, ...boxes }: DetectorEvaluation,
  classes: readonly string[],
  source: object,
): string {
  const perClass = ({ perCategory }: DetectionEvaluation): object =>
    Object.fromEntries(perCategory.map(({ categoryId, ...figures }) => [classes[categoryId]!, figures]));
  const figures = {
    ...boxes.stats,
    pictures,
    ...source,
    unreadable,
    perClass: perClass(boxes),
    ...(masks && { masks: { ...masks.stats, perClass: perClass(masks) } }),
  };
  return JSON.stringify(figures, null, 2);
}
