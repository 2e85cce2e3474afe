// Validation of a detector during its training: AP on annotated pictures.

import type { DetectionPicture } from "../data/detection-sets.ts";
import { pairwiseIou } from "../detection/boxes.ts";
import { drawnDetections, drawObjects } from "../detection/draw-detections.ts";
import { type Detection, Detector } from "../estimators/detector.ts";
import { evaluateDetector } from "../estimators/evaluate-detection.ts";
import { decodeImage } from "../image/decode.ts";
import type { Color } from "../image/draw.ts";
import type { DetectionEvaluation } from "../metrics/detection-eval.ts";
import type { Model } from "../model-file/import-checkpoint.ts";
import { shuffle, uniformRandom } from "../random/random.ts";
import type { DetectionRecipe } from "../recipe/schema.ts";
import type { GalleryItem, ReportTable } from "../report/run-report.ts";
import type { ClassTable } from "../segmentation/class-table.ts";
import type { Validation, ValidationOptions } from "./training-task.ts";

/** A picture of the report: what was found in it. */
interface ShownPicture {
  readonly picture: DetectionPicture;
  readonly found: readonly Detection[];
  /** Objects that were found and nothing else, as F1 at IoU 0.5; 1 where there is nothing and nothing was found. */
  readonly agreement: number;
}

/** Pictures under each heading of the report. */
const MOST_SHOWN = 8;
/** What is drawn, and counted for the pictures. */
const SHOWN_MIN_SCORE = 0.3;
const TRUTH: Color = [255, 255, 255];

/**
 * Measures a model on the validation data of its recipe.
 * @throws HRNetError as the evaluation; `aborted`
 */
export async function validateDetection(
  recipe: DetectionRecipe,
  model: Model,
  pictures: readonly DetectionPicture[],
  { signal, onProgress, ...device }: ValidationOptions,
): Promise<Validation> {
  await using detector = await Detector.load(model, { ...device, minScore: 0 });
  const { classes } = detector;
  const limit = recipe.validate.limit ?? undefined;
  const order = shuffle(
    pictures.slice(0, limit).map((_, index) => index),
    uniformRandom(recipe.seed),
  );
  const wanted = new Set(Array.from(order.slice(0, MOST_SHOWN), (index) => pictures[index]!));
  const chosen: ShownPicture[] = [];
  let worst: ShownPicture[] = [];
  const evaluation = await evaluateDetector(detector, pictures, {
    limit,
    ...(signal && { signal }),
    ...(onProgress && { onProgress }),
    onPicture: (picture, all) => {
      const found = all.filter(({ score }) => score >= SHOWN_MIN_SCORE);
      const shown = { picture, found, agreement: agreementOf(picture, found) };
      if (wanted.has(picture)) chosen.push(shown);
      worst = [...worst, shown].sort((a, b) => a.agreement - b.agreement).slice(0, MOST_SHOWN);
    },
  });
  const { stats, masks, unreadable } = evaluation;
  const measured = (figures: object, kind = ""): [string, number][] =>
    Object.entries(figures).map(([name, value]) => [`${kind}${name}`, value < 0 ? Number.NaN : value]);
  return {
    main: masks ? "mask AP" : "AP",
    metrics: Object.fromEntries([...measured(stats), ...measured(masks?.stats ?? {}, "mask ")]),
    headline: ["AP", "AP50", ...(masks ? ["mask AP", "mask AP50"] : ["AR100"])],
    tables: [
      tableOf("Boxes by class", evaluation, evaluation.pictures, classes),
      ...(masks ? [tableOf("Masks by class", masks, evaluation.pictures, classes)] : []),
    ],
    notes:
      unreadable.length > 0
        ? [
            `${unreadable.length} pictures could not be read and are not counted; the first: ${unreadable[0]!.reason}`,
          ]
        : [],
    pictures: async () => ({
      chosen: await Promise.all(chosen.map((shown) => drawPicture(shown, classes))),
      worst: await Promise.all(worst.map((shown) => drawPicture(shown, classes))),
    }),
  };
}

/** F1 of found objects of the right class at IoU 0.5, the best-scored first; crowds count neither way. */
function agreementOf({ objects }: DetectionPicture, found: readonly Detection[]): number {
  const corners = ([x, y, w, h]: readonly [number, number, number, number]): number[] => [x, y, x + w, y + h];
  const counting = objects.filter(({ crowd }) => !crowd);
  if (counting.length === 0 && found.length === 0) return 1;
  const ious = pairwiseIou(
    Float64Array.from(found.flatMap(({ box }) => corners(box))),
    Float64Array.from(counting.flatMap(({ box }) => corners(box))),
  );
  const taken = new Set<number>();
  found.forEach((detection, d) => {
    const match = counting.findIndex(
      (object, g) =>
        !taken.has(g) && object.class === detection.class && ious[d * counting.length + g]! >= 0.5,
    );
    if (match >= 0) taken.add(match);
  });
  return (2 * taken.size) / (found.length + counting.length);
}

function tableOf(
  title: string,
  { perCategory }: DetectionEvaluation,
  pictures: number,
  { classes }: ClassTable,
): ReportTable {
  const percent = (share: number): string | number => (share < 0 ? "–" : Number((100 * share).toFixed(1)));
  return {
    title,
    note: `${pictures} pictures. AP over IoU 0.5 to 0.95, in per cent, as COCO's evaluation has it.`,
    columns: ["class", "objects", "found", "AP, %", "AP50, %", "AR100, %"],
    rows: perCategory.map(({ categoryId, AP, AP50, AR100, objects, results }) => [
      classes[categoryId]!,
      objects,
      results,
      percent(AP),
      percent(AP50),
      percent(AR100),
    ]),
  };
}

/** Annotated boxes in white, found ones above them. */
async function drawPicture(
  { picture, found, agreement }: ShownPicture,
  { colors }: ClassTable,
): Promise<GalleryItem> {
  const image = await decodeImage(picture.path, { orientation: "ignore" });
  drawObjects(
    image,
    picture.objects.map(({ box }) => ({ box, color: TRUTH })),
  );
  drawObjects(image, drawnDetections(found, colors));
  const name = picture.path.slice(picture.path.lastIndexOf("/") + 1);
  return {
    image,
    caption: `${name}: ${found.length} found, ${picture.objects.length} annotated, F1 ${agreement.toFixed(2)}`,
  };
}
