// Drawn persons as COCO's annotations.

import { COCO_17 } from "../skeleton/skeletons.ts";
import type { SyntheticPerson, SyntheticScene } from "./scene.ts";

/** An object of COCO's `annotations`, without the ids of itself and its picture. */
export interface PersonAnnotation {
  readonly category_id: 1;
  readonly iscrowd: 0;
  readonly bbox: SyntheticPerson["box"];
  readonly area: number;
  /** Lengths of runs of 0 and 1 by columns, beginning with 0 (COCO's uncompressed RLE). */
  readonly segmentation: {
    readonly size: readonly [height: number, width: number];
    readonly counts: number[];
  };
  readonly num_keypoints: number;
  readonly keypoints: number[];
}

/** COCO's category of persons, with keypoint names and edges counted from 1 as COCO does. */
export const PERSON_CATEGORY = {
  id: 1,
  name: "person",
  supercategory: "person",
  keypoints: COCO_17.keypoints,
  skeleton: COCO_17.edges.map(([a, b]) => [a + 1, b + 1]),
};

/** What a scene's persons are in COCO's format; coordinates to a hundredth of a pixel. */
export function annotate({ image: { width, height }, persons }: SyntheticScene): PersonAnnotation[] {
  const round = (value: number): number => Math.round(value * 100) / 100;
  return persons.map(({ keypoints, box, area, mask }) => ({
    category_id: 1,
    iscrowd: 0,
    bbox: box,
    area,
    segmentation: { size: [height, width], counts: runLengths(mask, width, height) },
    num_keypoints: keypoints.filter(([, , v]) => v > 0).length,
    keypoints: keypoints.flatMap(([x, y, v]) => [round(x), round(y), v]),
  }));
}

/** COCO's uncompressed RLE of an H×W mask: lengths of runs down the columns, zeros first. */
export function runLengths(mask: Uint8Array, width: number, height: number): number[] {
  const counts: number[] = [];
  let value = 0;
  let run = 0;
  for (let x = 0; x < width; x++) {
    for (let y = 0; y < height; y++) {
      if (mask[y * width + x] !== value) {
        counts.push(run);
        run = 0;
        value = 1 - value;
      }
      run++;
    }
  }
  counts.push(run);
  return counts;
}
