// Validation of a pose network during its training: AP on data in COCO's format, PCKh on MPII.

import { readCocoKeypoints } from "../data/coco.ts";
import { groundTruthRecords } from "../data/coco-records.ts";
import { readMpii } from "../data/mpii.ts";
import { readMpiiPckhTruth } from "../data/mpii-pckh.ts";
import { HRNetError } from "../errors.ts";
import { type CocoPoseEvaluation, evaluateOnCoco } from "../estimators/evaluate-coco.ts";
import { evaluateOnMpii } from "../estimators/evaluate-mpii.ts";
import { PoseEstimator } from "../estimators/pose-estimator.ts";
import { oks, oksVariances } from "../metrics/oks.ts";
import { HEAD_SIZE_FACTOR, type PckhResult } from "../metrics/pckh.ts";
import type { Model } from "../model-file/import-checkpoint.ts";
import { toOnnx } from "../model-file/onnx-model.ts";
import type { Person } from "../pose/types.ts";
import { resolveData } from "../recipe/recipe-paths.ts";
import type { PoseRecipe } from "../recipe/schema.ts";
import type { ReportTable } from "../report/run-report.ts";
import type { Skeleton } from "../skeleton/skeleton.ts";
import type { Validation, ValidationOptions } from "./training-task.ts";
import { choosePersons, drawPersons, unreadableNote, type ValidatedPerson } from "./validated-persons.ts";

type ValidationSet = NonNullable<PoseRecipe["data"]["validation"]>;
type CocoSet = Extract<ValidationSet, { format: "coco" }>;
type MpiiSet = Extract<ValidationSet, { format: "mpii" }>;

/**
 * Looks at the validation data before hours of training end in it.
 * @throws HRNetError as its readers; `invalid-data` when its keypoints are not the network's
 */
export async function checkValidationData({ data }: PoseRecipe, skeleton: Skeleton): Promise<void> {
  const { validation } = resolveData(data);
  if (validation === null) return;
  const { annotations } = validation;
  const keypoints =
    validation.format === "mpii"
      ? (await readMpiiPckhTruth(validation.truth))[0]?.missing.length
      : (await readCocoKeypoints(annotations)).skeleton.keypoints.length;
  if (validation.format === "mpii") await readMpii(annotations, validation.images);
  if (keypoints === undefined || keypoints === skeleton.keypoints.length) return;
  throw new HRNetError(
    "invalid-data",
    `The validation data ${annotations} has ${keypoints} keypoints, the network to train ${skeleton.keypoints.length} ` +
      `(${skeleton.name}). Validate on data with the same keypoints, or with data.validation=null.`,
  );
}

/**
 * Measures a model on the validation data of its recipe.
 * @returns `undefined` without such data
 * @throws HRNetError as the evaluations; `aborted`
 */
export async function validatePose(
  recipe: PoseRecipe,
  model: Model,
  options: ValidationOptions,
): Promise<Validation | undefined> {
  const { validation, validationBoxes } = resolveData(recipe.data);
  if (validation === null) return undefined;
  const { signal, onProgress, ...device } = options;
  await using estimator = await PoseEstimator.load(toOnnx(model), {
    ...device,
    flipTest: recipe.validate.flipTest,
    decode: { orientation: "ignore" },
  });
  const watch = { ...(signal && { signal }), ...(onProgress && { onProgress }) };
  const { skeleton } = estimator;
  const limit = recipe.validate.limit ?? undefined;
  if (validation.format === "mpii") {
    const found: Person[] = [];
    const onPerson = (person: Person): void => void found.push(person);
    const result = await evaluateOnMpii(estimator, { ...validation, ...watch, onPerson });
    return mpiiValidation(result, skeleton, () =>
      pictures(mpiiPersons(validation, found), skeleton, recipe.seed),
    );
  }
  const evaluation = await evaluateOnCoco(estimator, validation.annotations, {
    images: validation.images,
    limit,
    detections: validationBoxes ?? undefined,
    ...watch,
  });
  return cocoValidation(evaluation, () =>
    pictures(cocoPersons(validation, evaluation, limit), skeleton, recipe.seed),
  );
}

async function pictures(persons: Promise<readonly ValidatedPerson[]>, skeleton: Skeleton, seed: number) {
  const { chosen, worst } = choosePersons(await persons, seed);
  return { chosen: await drawPersons(chosen, skeleton), worst: await drawPersons(worst, skeleton) };
}

/** COCO's −1, for nothing to measure, as NaN. */
const measured = (value: number): number => (value < 0 ? Number.NaN : value);

function cocoValidation(evaluation: CocoPoseEvaluation, draw: Validation["pictures"]): Validation {
  const { stats, counts, perKeypoint, keypoints, unreadable, boxes } = evaluation;
  const metrics = Object.fromEntries(Object.entries(stats).map(([name, value]) => [name, measured(value)]));
  const tables: ReportTable[] = [
    {
      title: "Validation",
      note:
        `${counts.persons} persons on ${counts.images} pictures, ` +
        `${boxes === "ground-truth" ? "annotated boxes" : `boxes of ${boxes}`}.`,
      columns: ["figure", ...Object.keys(metrics)],
      rows: [["last validation", ...Object.values(metrics).map((value) => Number(value.toFixed(3)))]],
    },
    {
      title: "By keypoint",
      note: "Of the persons found with OKS ≥ 0.5: how often a keypoint is right (similarity ≥ 0.5), and its mean error.",
      columns: ["keypoint", "labelled", "of persons found", "right, %", "error, % of √area"],
      rows: perKeypoint.map(({ labelled, found, similar, meanError }, k) => [
        keypoints[k]!,
        labelled,
        found,
        100 * measured(similar),
        100 * measured(meanError),
      ]),
    },
  ];
  const notes = unreadableNote(unreadable);
  return { main: "AP", metrics, headline: ["AP", "AP50", "AR"], tables, notes, pictures: draw };
}

/** Every annotated person with the prediction of its picture that fits it best. */
async function cocoPersons(
  set: CocoSet,
  { results, unreadable }: CocoPoseEvaluation,
  limit = Number.POSITIVE_INFINITY,
): Promise<ValidatedPerson[]> {
  const dataset = await readCocoKeypoints(set.annotations);
  const variances = oksVariances(dataset.skeleton.sigmas);
  const seen = new Set([...dataset.images.keys()].slice(0, limit));
  const lost = new Set(unreadable.map(({ path }) => path));
  const byImage = new Map<number, (typeof results)[number][]>();
  for (const result of results) {
    const list = byImage.get(result.imageId);
    if (list) list.push(result);
    else byImage.set(result.imageId, [result]);
  }
  return groundTruthRecords(dataset, set.images)
    .filter(({ imageId, imagePath }) => seen.has(imageId) && !lost.has(imagePath))
    .map(({ imageId, imagePath, box, area, keypoints }) => {
      const truth = { keypoints: keypoints!, area: area!, box };
      const rated = (byImage.get(imageId) ?? []).map(({ keypoints: found }) => ({
        found,
        value: oks(truth, { keypoints: found }, variances),
      }));
      const best = rated.reduce<(typeof rated)[number] | undefined>(
        (old, one) => (old && old.value >= one.value ? old : one),
        undefined,
      );
      const value = best?.value ?? 0;
      return {
        imagePath,
        name: dataset.images.get(imageId)!.fileName,
        truth: points(keypoints!),
        prediction: best ? points(best.found) : points(keypoints!).map((point) => ({ ...point, score: -1 })),
        box,
        error: 1 - value,
        figure: best ? `OKS ${value.toFixed(2)}` : "not found",
      };
    });
}

/** K×3 numbers as points. */
function points(numbers: ArrayLike<number>): { x: number; y: number; score: number }[] {
  return Array.from({ length: numbers.length / 3 }, (_, k) => ({
    x: numbers[3 * k]!,
    y: numbers[3 * k + 1]!,
    score: numbers[3 * k + 2]!,
  }));
}

const share = (percent: number): number => percent / 100;

function mpiiValidation(
  { groups, joints, mean50, mean10, persons }: PckhResult,
  skeleton: Skeleton,
  draw: Validation["pictures"],
): Validation {
  const parts = Object.fromEntries(Object.entries(groups).map(([name, value]) => [name, share(value)]));
  const tables: ReportTable[] = [
    {
      title: "Validation",
      note: `PCKh@0.5 in percent, ${persons} persons at the annotated centres.`,
      columns: ["figure", ...Object.keys(groups), "Mean", "Mean@0.1"],
      rows: [
        [
          "last validation",
          ...[...Object.values(groups), mean50, mean10].map((value) => Number(value.toFixed(1))),
        ],
      ],
    },
    {
      title: "By keypoint",
      columns: ["keypoint", "PCKh@0.5, %"],
      rows: joints.map((value, k) => [skeleton.keypoints[k]!, value]),
    },
  ];
  const metrics = { PCKh: share(mean50), "PCKh@0.1": share(mean10), ...parts };
  return { main: "PCKh", metrics, headline: ["PCKh", "PCKh@0.1"], tables, notes: [], pictures: draw };
}

/** MPII's persons by their mean error over the labelled joints, in head sizes. */
async function mpiiPersons(set: MpiiSet, found: readonly Person[]): Promise<ValidatedPerson[]> {
  const persons = await readMpii(set.annotations, set.images);
  const truths = await readMpiiPckhTruth(set.truth);
  return persons.flatMap(({ imagePath, keypoints }, index): ValidatedPerson[] => {
    const prediction = found[index]?.keypoints;
    if (!keypoints || !prediction) return [];
    const truth = points(keypoints);
    const [x1, y1, x2, y2] = truths[index]!.headBox as readonly [number, number, number, number];
    const head = HEAD_SIZE_FACTOR * Math.hypot(x2 - x1, y2 - y1);
    const errors = truth.flatMap(({ x, y, score }, k) =>
      score > 0 ? [Math.hypot(prediction[k]!.x - x, prediction[k]!.y - y) / head] : [],
    );
    if (errors.length === 0) return [];
    const error = errors.reduce((sum, one) => sum + one, 0) / errors.length;
    const name = imagePath.slice(set.images.length).replace(/^[\\/]+/, "");
    return [{ imagePath, name, truth, prediction, error, figure: `error ${error.toFixed(2)} heads` }];
  });
}
