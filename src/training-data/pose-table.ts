// The persons of a training set as flat arrays in shared memory: threads read them without a copy each.

import { HRNetError } from "../errors.ts";
import type { LabelledPerson } from "../pose/training-samples.ts";
import type { CenterScale } from "../pose/transforms.ts";

/** A labelled person of a picture. */
export interface TrainingPerson {
  readonly imagePath: string;
  /** What a crop shows, padding included, in image pixels. */
  readonly region: CenterScale;
  /** K×3, `[x, y, v]` in image pixels; v above 0 where labelled. */
  readonly keypoints: readonly number[];
  /** K factors of the targets' weights, such as the confidence of pseudo-labels; left out: all 1. */
  readonly keypointWeights?: readonly number[];
  /** Factor of all the person's weights; default 1. */
  readonly weight?: number;
}

/** N persons of K keypoints. Plain data; the arrays lie in shared memory. */
export interface PoseTable {
  readonly keypoints: number;
  readonly imagePaths: readonly string[];
  /** N; the picture of each person. */
  readonly images: Int32Array;
  /** N×4: centre and scale of the region. */
  readonly regions: Float64Array;
  /** N×K×2, x and y. */
  readonly points: Float64Array;
  /** N×K; 1 labelled, 0 not. */
  readonly visibility: Float32Array;
  /** N×K. */
  readonly weights: Float32Array;
}

/**
 * Packs persons.
 * @param keypoints K
 * @throws HRNetError `invalid-data` for a person with another number of keypoints, or numbers that are not finite
 */
export function packPersons(persons: readonly TrainingPerson[], keypoints: number): PoseTable {
  const count = persons.length;
  const shared = (elements: number, bytes: number) => new SharedArrayBuffer(Math.max(1, elements) * bytes);
  const pathIndex = new Map<string, number>();
  const table: PoseTable = {
    keypoints,
    imagePaths: [...new Set(persons.map(({ imagePath }) => imagePath))],
    images: new Int32Array(shared(count, 4), 0, count),
    regions: new Float64Array(shared(4 * count, 8), 0, 4 * count),
    points: new Float64Array(shared(2 * keypoints * count, 8), 0, 2 * keypoints * count),
    visibility: new Float32Array(shared(keypoints * count, 4), 0, keypoints * count),
    weights: new Float32Array(shared(keypoints * count, 4), 0, keypoints * count),
  };
  table.imagePaths.forEach((path, index) => {
    pathIndex.set(path, index);
  });
  persons.forEach((person, n) => {
    const { region, keypointWeights, weight = 1 } = person;
    checkPerson(person, keypoints);
    table.images[n] = pathIndex.get(person.imagePath)!;
    table.regions.set([...region.center, ...region.scale], 4 * n);
    for (let k = 0; k < keypoints; k++) {
      const [x, y, v] = person.keypoints.slice(3 * k, 3 * k + 3) as [number, number, number];
      const at = n * keypoints + k;
      table.points.set([x, y], 2 * at);
      table.visibility[at] = v > 0 ? 1 : 0;
      table.weights[at] = weight * (keypointWeights?.[k] ?? 1);
    }
  });
  return table;
}

function checkPerson(
  { imagePath, region, keypoints, keypointWeights, weight = 1 }: TrainingPerson,
  count: number,
): void {
  const fits = keypoints.length === 3 * count && (keypointWeights?.length ?? count) === count;
  const finite = [...keypoints, ...region.center, ...region.scale, ...(keypointWeights ?? []), weight].every(
    Number.isFinite,
  );
  if (fits && finite) return;
  throw new HRNetError(
    "invalid-data",
    `A person of ${imagePath} has ${keypoints.length} keypoint numbers` +
      `${keypointWeights ? ` and ${keypointWeights.length} weights` : ""}${finite ? "" : ", not all finite"}; ` +
      `expected ${count} times x, y, v, a weight each or none, and finite numbers.`,
  );
}

/** Person `index` of the table, as views. */
export function personOf(table: PoseTable, index: number): LabelledPerson & { readonly imagePath: string } {
  const { keypoints: k, regions } = table;
  return {
    imagePath: table.imagePaths[table.images[index]!]!,
    center: [regions[4 * index]!, regions[4 * index + 1]!],
    scale: [regions[4 * index + 2]!, regions[4 * index + 3]!],
    keypoints: table.points.subarray(2 * k * index, 2 * k * (index + 1)),
    visibility: table.visibility.subarray(k * index, k * (index + 1)),
    weights: table.weights.subarray(k * index, k * (index + 1)),
  };
}
