// Scores a pose estimator on a COCO-style data set: predictions on annotated or detected boxes, then AP and AR.

import { join } from "node:path";
import { type CocoKeypointDataset, readCocoKeypoints } from "../data/coco.ts";
import type { CocoImage } from "../data/coco-images.ts";
import { chooseImageFolder, findCocoSplit } from "../data/coco-layout.ts";
import { detectionRecords, groundTruthRecords, type PersonRecord } from "../data/coco-records.ts";
import { type CocoDetection, type CocoKeypointResult, readCocoDetections } from "../data/coco-results.ts";
import { HRNetError } from "../errors.ts";
import { decodeImage } from "../image/decode.ts";
import { evaluateKeypoints, type KeypointEvaluation } from "../metrics/keypoint-eval.ts";
import { evaluatePck, type PckResult, torsoLength } from "../metrics/pck.ts";
import { checkBoxes, unusableBox } from "../pose/boxes.ts";
import type { Person } from "../pose/types.ts";
import type { Skeleton } from "../skeleton/skeleton.ts";
import { mapAhead } from "./map-ahead.ts";
import type { PersonDetector } from "./person-detector.ts";
import type { PoseEstimator, PoseRequest } from "./pose-estimator.ts";

/** What to evaluate on. */
export interface CocoEvaluationOptions {
  /** Such as `val2017`; by default the last split whose name begins with `val`. */
  readonly split?: string | undefined;
  /** Folder of the pictures; by default where COCO's layout has them. */
  readonly images?: string | undefined;
  /** Only the first so many pictures. Default: all. */
  readonly limit?: number | undefined;
  /** A COCO detections file, or what finds the persons; without either the annotated boxes are used. */
  readonly detections?: string | NamedDetector | undefined;
  /** Detections below this score are left out. Default 0. */
  readonly minScore?: number | undefined;
  /**
   * Also PCK: keypoints within this part of the torso's length (0.2 is usual). Only with annotated boxes, and for skeletons
   * with shoulders and hips.
   */
  readonly pck?: number | undefined;
  /** σ per keypoint instead of the data set's. */
  readonly sigmas?: readonly number[] | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** A detector, and what the figures call it. */
export interface NamedDetector {
  readonly name: string;
  readonly find: PersonDetector;
}

/** Figures and how they came about. */
export interface CocoPoseEvaluation extends KeypointEvaluation {
  readonly split: string;
  /** Where the boxes came from: `ground-truth`, the detections file, or the detector's name. */
  readonly boxes: string;
  readonly keypoints: readonly string[];
  /** With `pck`: fractions of keypoints near enough. */
  readonly torsoPck?: TorsoPck;
  readonly results: readonly CocoKeypointResult[];
  /** Detections on pictures outside the split. */
  readonly onOtherImages: number;
  /** Boxes without extent or wholly outside their picture, left out. */
  readonly unusableBoxes: number;
  /** Pictures that could not be read, with the reason; what is on them counts as not found. */
  readonly unreadable: readonly { readonly path: string; readonly reason: string }[];
}

/** PCK by the torso's length. */
export interface TorsoPck extends PckResult {
  /** Part of the torso that counts as near. */
  readonly alpha: number;
  /** Persons whose torso is annotated; the others are left out. */
  readonly persons: number;
  /** Over shoulders, elbows, wrists, hips, knees and ankles alone. */
  readonly limbs: number;
}

/** Pictures decoded while a detector looks at one. */
const DECODING_AHEAD = 2;

interface ImageRequest extends PoseRequest {
  readonly image: string;
  readonly records: readonly PersonRecord[];
}

/** Records of one picture together, in order of first appearance. */
function byImage(records: readonly PersonRecord[]): ImageRequest[] {
  const groups = new Map<string, PersonRecord[]>();
  for (const record of records) {
    const group = groups.get(record.imagePath);
    if (group) group.push(record);
    else groups.set(record.imagePath, [record]);
  }
  return [...groups].map(([image, group]) => ({
    image,
    records: group,
    boxes: group.map(({ box, score }) => ({ box, score })),
  }));
}

function checkSkeleton(dataset: CocoKeypointDataset, estimator: PoseEstimator): void {
  const expected = dataset.skeleton.keypoints.length;
  const given = estimator.skeleton.keypoints.length;
  if (expected !== given) {
    throw new HRNetError(
      "invalid-data",
      `${dataset.source} has ${expected} keypoints (${dataset.skeleton.name}), the model ${given} ` +
        `(${estimator.skeleton.name}). Evaluate a model of that skeleton.`,
    );
  }
}

const LIMB = /shoulder|elbow|wrist|hip|knee|ankle/;

/** @throws HRNetError `usage` where there is no torso to measure by */
function torsoPck(pairs: readonly PosePair[], { keypoints }: Skeleton, alpha: number): TorsoPck {
  const at = (name: string): number => keypoints.indexOf(name);
  const diagonals = [
    [at("left_shoulder"), at("right_hip")],
    [at("right_shoulder"), at("left_hip")],
  ] as const;
  if (diagonals.flat().includes(-1)) {
    throw new HRNetError(
      "usage",
      "PCK by the torso needs a skeleton with left and right shoulders and hips.",
    );
  }
  const measured = pairs.flatMap(({ truth, prediction }) => {
    const size = diagonals
      .map(([shoulder, hip]) => torsoLength(truth, shoulder, hip))
      .find((length) => length !== undefined && length > 0);
    return size === undefined ? [] : [{ truth, prediction, size }];
  });
  const result = evaluatePck(measured, alpha);
  const limbs = keypoints.flatMap((name, k) => (LIMB.test(name) ? [k] : []));
  const sum = (value: (k: number) => number): number => limbs.reduce((total, k) => total + value(k), 0);
  const counted = (k: number): number => result.annotated[k] ?? 0;
  const right = (k: number): number => (counted(k) === 0 ? 0 : result.keypoints[k]! * counted(k));
  return { ...result, alpha, persons: measured.length, limbs: sum(right) / sum(counted) };
}

/** A person's annotation and what was found in its box, K×3 each. */
interface PosePair {
  readonly truth: ArrayLike<number>;
  readonly prediction: ArrayLike<number>;
}

/** The data set's first `limit` pictures and what is annotated on them. */
function limited(dataset: CocoKeypointDataset, limit = Number.POSITIVE_INFINITY): CocoKeypointDataset {
  if (dataset.images.size <= limit) return dataset;
  const images = new Map([...dataset.images].slice(0, limit));
  return {
    ...dataset,
    images,
    annotations: dataset.annotations.filter(({ imageId }) => images.has(imageId)),
  };
}

/** The number of images' first record decides which folder holds the pictures. */
async function imageFolderOf(
  split: Parameters<typeof chooseImageFolder>[0],
  dataset: CocoKeypointDataset,
): Promise<string> {
  const [first] = dataset.images.values();
  if (!first) throw new HRNetError("invalid-data", `${dataset.source} lists no images.`);
  return chooseImageFolder(split, first.fileName);
}

/** COCO's number of the class person. */
const PERSON = 1;

/** Detections of a file, or of a detector on every picture; pictures that cannot be read have none. */
async function detectionsOf(
  source: string | NamedDetector,
  dataset: CocoKeypointDataset,
  folder: string,
  signal: AbortSignal | undefined,
): Promise<readonly CocoDetection[]> {
  if (typeof source === "string") return readCocoDetections(source);
  const found: CocoDetection[] = [];
  const decode = ({ id, fileName }: CocoImage) => {
    const options = { orientation: "ignore", ...(signal && { signal }) } as const;
    return decodeImage(join(folder, fileName), options).then(
      (image) => ({ id, image }),
      () => ({ id, image: undefined }),
    );
  };
  for await (const { id, image } of mapAhead(dataset.images.values(), DECODING_AHEAD, decode, signal)) {
    if (!image) continue;
    for (const entry of checkBoxes(await source.find(image), [image.width, image.height]))
      found.push({ imageId: id, categoryId: PERSON, ...entry });
  }
  return found;
}

function resultOf(person: Person, { imageId, categoryId }: PersonRecord): CocoKeypointResult {
  return {
    imageId,
    categoryId,
    keypoints: person.keypoints.flatMap(({ x, y, score }) => [x, y, score]),
    score: person.score,
  };
}

/**
 * Runs the estimator on every box of a split and evaluates. The pictures are read as stored (EXIF orientation ignored) if
 * the estimator was loaded so; annotations are made on stored pixels.
 * @param path a folder laid out as COCO's, or an annotation file
 * @throws HRNetError for a data set that is not there or not valid; `aborted`
 */
export async function evaluateOnCoco(
  estimator: PoseEstimator,
  path: string,
  options: CocoEvaluationOptions = {},
): Promise<CocoPoseEvaluation> {
  const split = await findCocoSplit(path, options.split);
  const dataset = limited(await readCocoKeypoints(split.annotationFile), options.limit);
  checkSkeleton(dataset, estimator);
  const folder = options.images ?? (await imageFolderOf(split, dataset));
  if (options.pck !== undefined && options.detections !== undefined) {
    throw new HRNetError("usage", "PCK needs annotated boxes; leave the detections out.");
  }
  const { detections, minScore: scoreThreshold = 0, sigmas = dataset.skeleton.sigmas } = options;
  const chosen =
    detections === undefined
      ? { records: groundTruthRecords(dataset, folder), onOtherImages: 0 }
      : detectionRecords(dataset, await detectionsOf(detections, dataset, folder, options.signal), folder, {
          scoreThreshold,
        });
  const usable = chosen.records.filter(({ box, imageId }) => {
    const { width, height } = dataset.images.get(imageId)!; // records are of the split's images
    return unusableBox(box, [width, height]) === undefined;
  });
  const requests = byImage(usable);
  const results: CocoKeypointResult[] = [];
  const unreadable: { path: string; reason: string }[] = [];
  const pairs: PosePair[] = [];
  let done = 0;
  for await (const result of estimator.stream(requests, options.signal ? { signal: options.signal } : {})) {
    const { item } = result;
    if ("error" in result) unreadable.push({ path: item.image, reason: result.error.message });
    else {
      const found = result.persons.map((person) => resultOf(person, item.records[0]!));
      results.push(...found);
      if (options.pck !== undefined) {
        item.records.forEach(({ keypoints }, index) => {
          if (keypoints) pairs.push({ truth: keypoints, prediction: found[index]!.keypoints });
        });
      }
    }
    options.onProgress?.(++done, requests.length);
  }
  const { images, annotations, categoryIds } = dataset;
  const evaluation = evaluateKeypoints({ imageIds: [...images.keys()], annotations, categoryIds }, results, {
    sigmas,
  });
  return {
    ...evaluation,
    split: split.name,
    boxes: typeof detections === "object" ? detections.name : (detections ?? "ground-truth"),
    keypoints: dataset.skeleton.keypoints,
    ...(options.pck !== undefined && { torsoPck: torsoPck(pairs, dataset.skeleton, options.pck) }),
    results,
    onOtherImages: chosen.onOtherImages,
    unusableBoxes: chosen.records.length - usable.length,
    unreadable,
  };
}
