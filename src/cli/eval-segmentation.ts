// `hrnet eval` of a segmentation model: mIoU and what belongs to it.

import { findSegmentationSplit } from "../data/segmentation-layout.ts";
import { findLabelledPictures } from "../data/segmentation-pairs.ts";
import { HRNetError } from "../errors.ts";
import { evaluateSegmentation, type SegmentationEvaluation } from "../estimators/evaluate-segmentation.ts";
import { Segmenter } from "../estimators/segmenter.ts";
import { writeFileAtomic } from "../files/atomic-write.ts";
import { encodeImage } from "../image/encode.ts";
import type { Model } from "../model-file/import-checkpoint.ts";
import { readClassTable } from "../segmentation/class-file.ts";
import type { ClassTable } from "../segmentation/class-table.ts";
import { drawConfusion } from "../segmentation/draw-confusion.ts";
import { INFERENCE_METHODS, type InferenceMethod } from "../segmentation/inference-method.ts";
import { type EvalOptions, refuseOptions } from "./eval-options.ts";
import { createProgress } from "./progress.ts";
import { formatTable } from "./table.ts";

/** Where the pictures of an evaluation are, and what their labels mean. */
interface EvaluatedSet {
  readonly name: string;
  readonly folders: Parameters<typeof findLabelledPictures>[0];
  readonly classes?: ClassTable;
}

/** The set that a folder and options name. */
async function setOf(path: string, { split, images, labels, classes }: EvalOptions): Promise<EvaluatedSet> {
  if ((images === undefined) !== (labels === undefined))
    throw new HRNetError("usage", "--images and --labels belong together: give both folders, or none.");
  const found =
    images !== undefined && labels !== undefined
      ? { name: split ?? path, folders: { images, labels }, layout: "folder" as const, classFile: undefined }
      : await findSegmentationSplit(path, split);
  // A published layout has its own numbers, which the network's classes know.
  const source = classes ?? (found.layout === "folder" ? found.classFile : undefined);
  return {
    name: found.name,
    folders: found.folders,
    ...(source !== undefined && { classes: await readClassTable(source) }),
  };
}

/** The method that options ask for; `undefined` for pictures at their own size, in tiles where they are large. */
function methodOf({ method = "whole", scales, window }: EvalOptions): InferenceMethod | undefined {
  const base: InferenceMethod = INFERENCE_METHODS[method];
  if (window && !base.windows) {
    const withWindows = Object.values(INFERENCE_METHODS as Readonly<Record<string, InferenceMethod>>)
      .filter(({ windows }) => windows)
      .map(({ name }) => name);
    throw new HRNetError(
      "usage",
      `The method ${method} has no windows, so --window has no effect. With windows: ${withWindows.join(", ")}.`,
    );
  }
  if (method === "whole" && !scales) return undefined;
  return {
    ...base,
    ...(scales && { scales }),
    ...(window && base.windows && { windows: { ...base.windows, size: window } }),
  };
}

/**
 * Measures a segmentation model on a data set and says so, as text or JSON.
 * @throws HRNetError as the evaluation; `usage` for options without effect
 */
export async function evaluateSegmentationModel(
  path: string,
  options: EvalOptions,
  model: Model,
  signal: AbortSignal,
): Promise<string> {
  refuseOptions(options, path, "segmentation");
  const { json = false, flipTest = false, device, threads, confusion } = options;
  const method = methodOf(options);
  const set = await setOf(path, options);
  const pictures = await findLabelledPictures(set.folders);
  await using segmenter = await Segmenter.load(model, {
    flipTest,
    ...(method && { method }),
    ...(device && { device }),
    ...(threads !== undefined && { threads }),
  });
  const progress = createProgress({ label: "eval", unit: "images", quiet: json });
  let evaluation: SegmentationEvaluation;
  try {
    evaluation = await evaluateSegmentation(segmenter, pictures, {
      ...(set.classes && { classes: set.classes }),
      signal,
      onProgress: (done, total) => progress.update(done, "", total),
    });
    for (const { reason } of evaluation.unreadable) progress.log(`left out: ${reason}`);
  } finally {
    progress.finish();
  }
  if (evaluation.unreadable.length > 0) process.exitCode = 1;
  if (confusion !== undefined) {
    const drawn = drawConfusion(evaluation.matrix.counts, segmenter.classes);
    await writeFileAtomic(confusion, await encodeImage(drawn, "png"));
  }
  const { name } = segmenter.description;
  return json
    ? asJson(evaluation, segmenter.classes, { model: name, split: set.name, flipTest })
    : asText(evaluation, segmenter.classes, set.name);
}

const percent = (share: number): string => (Number.isNaN(share) ? "–" : (100 * share).toFixed(2));

function asText(evaluation: SegmentationEvaluation, { classes }: ClassTable, split: string): string {
  const { meanIou, meanIouOfPresent, pixelAccuracy, meanAccuracy, pictures, method, unreadable } = evaluation;
  const absent = evaluation.classes.filter(({ iou }) => Number.isNaN(iou)).length;
  return [
    `mIoU ${percent(meanIou)} on ${pictures} pictures of ${split}`,
    method,
    ...(unreadable.length > 0 ? [`${unreadable.length} pictures could not be used and are not counted`] : []),
    ...(absent > 0
      ? [
          `${absent} of ${classes.length} classes are neither annotated nor found and count as 0; mIoU of the others ${percent(meanIouOfPresent)}`,
        ]
      : []),
    "",
    formatTable([
      ["mIoU", "pixel accuracy", "mean accuracy"],
      [meanIou, pixelAccuracy, meanAccuracy].map(percent),
    ]),
    "",
    formatTable([
      ["class", "pixels", "IoU", "accuracy"],
      ...evaluation.classes.map(({ iou, accuracy, pixels }, index) => [
        classes[index]!,
        pixels,
        percent(iou),
        percent(accuracy),
      ]),
    ]),
  ].join("\n");
}

function asJson(evaluation: SegmentationEvaluation, { classes }: ClassTable, source: object): string {
  const { meanIou, meanIouOfPresent, pixelAccuracy, meanAccuracy, pictures, method, matrix, unreadable } =
    evaluation;
  const figures = { mIoU: meanIou, mIoUOfPresent: meanIouOfPresent, pixelAccuracy, meanAccuracy };
  const perClass = Object.fromEntries(evaluation.classes.map((entry, index) => [classes[index]!, entry]));
  const confusion = classes.map((_, row) =>
    Array.from(matrix.counts.subarray(row * classes.length, (row + 1) * classes.length)),
  );
  return JSON.stringify(
    { ...figures, method, pictures, ...source, unreadable, perClass, confusion },
    null,
    2,
  );
}
