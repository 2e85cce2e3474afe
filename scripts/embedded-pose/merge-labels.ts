// Labels for the embedded model: annotations of people and the answers of a teacher brought together, keypoint by keypoint.
// Where nobody annotated keypoints, the teacher's are taken.
// Usage: tsx scripts/embedded-pose/merge-labels.ts ANNOTATIONS IMAGES TEACHER OUT

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { PoseEstimator } from "../../src/estimators/pose-estimator.ts";
import { writeFileAtomic } from "../../src/files/atomic-write.ts";
import { COCO_17 } from "../../src/skeleton/skeletons.ts";

interface Annotation {
  image_id: number;
  bbox: [number, number, number, number];
  keypoints: number[];
  num_keypoints: number;
}

/** A teacher's keypoint counts from this score on. */
const SURE = 0.5;
/** Up to this part of the trunk's length two positions are the same keypoint. */
const SAME = 0.35;
/** A teacher above this score that puts a keypoint elsewhere makes the annotation doubtful: neither is used. */
const CONTRADICTS = 0.7;

const FIRST_LIMB = COCO_17.keypoints.indexOf("left_shoulder");

type Point = readonly [x: number, y: number];

const distance = (a: Point, b: Point): number => Math.hypot(a[0] - b[0], a[1] - b[1]);

/** Mean distance from shoulder to hip of either side, by the labels; by the box where they are missing. */
function trunkLength({ keypoints, bbox }: Annotation): number {
  const at = (name: string): Point & { v?: number } => {
    const k = 3 * COCO_17.keypoints.indexOf(name as never);
    return [keypoints[k]!, keypoints[k + 1]!];
  };
  const labelled = (name: string): boolean =>
    keypoints[3 * COCO_17.keypoints.indexOf(name as never) + 2]! > 0;
  const sides = (["left", "right"] as const).flatMap((side) =>
    labelled(`${side}_shoulder`) && labelled(`${side}_hip`)
      ? [distance(at(`${side}_shoulder`), at(`${side}_hip`))]
      : [],
  );
  const mean = sides.reduce((sum, side) => sum + side, 0) / sides.length;
  return mean > 5 ? mean : 0.25 * Math.max(bbox[2], bbox[3]);
}

const counts = { agreed: 0, teacher: 0, human: 0, doubtful: 0, none: 0 };

/** The keypoint to learn: `[x, y, v]`. */
function merge(human: readonly number[], teacher: readonly number[], reach: number, face: boolean): number[] {
  const [hx, hy, hv] = human as [number, number, number];
  const [tx, ty, score] = teacher as [number, number, number];
  const sure = score >= SURE;
  if (face) return sure ? [tx, ty, 2] : [0, 0, 0]; // nobody labelled faces here
  if (hv === 0) {
    counts[sure ? "teacher" : "none"]++;
    return sure ? [tx, ty, 2] : [0, 0, 0];
  }
  if (sure && distance([hx, hy], [tx, ty]) <= SAME * reach) {
    counts.agreed++;
    return [tx, ty, 2];
  }
  if (score >= CONTRADICTS) {
    counts.doubtful++;
    return [0, 0, 0];
  }
  counts.human++;
  return [hx, hy, hv];
}

const [annotations, images, teacher, out] = process.argv.slice(2);
if (!annotations || !images || !teacher || !out) throw new Error("usage: ANNOTATIONS IMAGES TEACHER OUT");
const dataset = JSON.parse(await readFile(annotations, "utf8")) as {
  images: { id: number; file_name: string }[];
  annotations: Annotation[];
  categories: object[];
};
if (dataset.annotations.some(({ keypoints }) => !keypoints)) {
  for (const annotation of dataset.annotations)
    annotation.keypoints ??= COCO_17.keypoints.flatMap(() => [0, 0, 0]);
  dataset.categories = [{ id: 1, name: "person", keypoints: COCO_17.keypoints, skeleton: [] }];
}
const fileOf = new Map(dataset.images.map(({ id, file_name }) => [id, file_name]));
await using estimator = await PoseEstimator.load(teacher, {
  flipTest: true,
  codec: { name: "tinypose" },
  decode: { orientation: "ignore" },
});
const requests = dataset.annotations.map((annotation) => ({
  image: join(images, fileOf.get(annotation.image_id)!),
  boxes: [annotation.bbox],
  annotation,
}));
let done = 0;
for await (const result of estimator.stream(requests)) {
  if ("error" in result) throw result.error;
  const { annotation } = result.item;
  const reach = trunkLength(annotation);
  const merged = result.persons[0]!.keypoints.flatMap(({ x, y, score }, k) =>
    merge(annotation.keypoints.slice(3 * k, 3 * k + 3), [x, y, score], reach, k < FIRST_LIMB),
  );
  annotation.keypoints = merged;
  annotation.num_keypoints = merged.filter((v, i) => i % 3 === 2 && v > 0).length;
  if (++done % 500 === 0) process.stderr.write(`${done}/${requests.length}\n`);
}
await writeFileAtomic(out, JSON.stringify(dataset));
process.stdout.write(`${JSON.stringify(counts)}\n`);
