// FCOS's outputs decoded place by place in plain code: what the graph's detections are compared with.
import type { FcosLevel } from "../../src/detection/fcos-places.ts";
import { suppress } from "../../src/detection/nms.ts";

/** What the network says, by level: K×h×w logits, 4×h×w distances in pixels, 1×h×w logits. */
export interface FcosOutputs {
  readonly classes: readonly Float32Array[];
  readonly distances: readonly Float32Array[];
  readonly centerness: readonly Float32Array[];
}

/** How detections are made. */
export interface FcosDecoding {
  /** Classes with a lower probability are left out. 0.05. */
  readonly minScore: number;
  /** Best places of each level that are looked at. 1000. */
  readonly perLevel: number;
  /** IoU above which the weaker of two boxes of a class goes. 0.5 in mmdetection, 0.6 in the original code. */
  readonly nms: number;
  /** Detections of a picture at most. 100. */
  readonly most: number;
}

/** Source: `test_cfg` of mmdetection's FCOS configurations. */
export const FCOS_DECODING: FcosDecoding = { minScore: 0.05, perLevel: 1000, nms: 0.5, most: 100 };

/** A detected object. */
export interface FcosDetection {
  /** `x1, y1, x2, y2` in pixels, within the picture. */
  readonly box: readonly [number, number, number, number];
  /** Probability of the class times centreness. */
  readonly score: number;
  readonly class: number;
}

/** Calls `visit` for every place of a level: its index, its centre in pixels. */
function eachPlace(
  { height, width, stride }: FcosLevel,
  visit: (at: number, x: number, y: number) => void,
): void {
  const half = Math.floor(stride / 2);
  for (let at = 0; at < height * width; at++)
    visit(at, half + (at % width) * stride, half + Math.floor(at / width) * stride);
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** A place that says something: by its best class times centreness. */
interface Candidate {
  readonly box: readonly [number, number, number, number];
  readonly centerness: number;
  readonly level: number;
  readonly at: number;
  readonly best: number;
}

/**
 * Detections of a picture, the best first. Source: `FCOSHead.get_bboxes` of mmdetection: the best places of each level by class ×
 * centreness, the threshold on the class alone, suppression within each class by the product.
 * @param size `[height, width]` of the picture without padding: boxes are cut there
 */
export function decodeFcos(
  outputs: FcosOutputs,
  levels: readonly FcosLevel[],
  size: readonly [number, number],
  { minScore, perLevel, nms, most }: FcosDecoding = FCOS_DECODING,
): FcosDetection[] {
  const candidates: Candidate[][] = levels.map(() => []);
  levels.forEach((level, l) => {
    const area = level.height * level.width;
    const [logits, distances, centers] = [outputs.classes[l]!, outputs.distances[l]!, outputs.centerness[l]!];
    const classes = logits.length / area;
    eachPlace(level, (at, x, y) => {
      let highest = Number.NEGATIVE_INFINITY;
      for (let k = 0; k < classes; k++) highest = Math.max(highest, logits[k * area + at]!);
      const probability = sigmoid(highest);
      if (!(probability > minScore)) return;
      const center = sigmoid(centers[at]!);
      const side = (d: number): number => distances[d * area + at]!;
      const box = [
        Math.max(0, Math.min(size[1], x - side(0))),
        Math.max(0, Math.min(size[0], y - side(1))),
        Math.max(0, Math.min(size[1], x + side(2))),
        Math.max(0, Math.min(size[0], y + side(3))),
      ] as const;
      // Nothing of it within the picture, or numbers that are none.
      if (!(box[2] > box[0] && box[3] > box[1])) return;
      candidates[l]!.push({ box, centerness: center, level: l, at, best: probability * center });
    });
  });
  const kept = candidates.flatMap((list) => list.sort((a, b) => b.best - a.best).slice(0, perLevel));
  const boxes: number[] = [];
  const scores: number[] = [];
  const labels: number[] = [];
  const owners: Candidate[] = [];
  for (const candidate of kept) {
    const { level, at, centerness, box } = candidate;
    const area = levels[level]!.height * levels[level]!.width;
    const logits = outputs.classes[level]!;
    for (let k = 0; k < logits.length / area; k++) {
      const probability = sigmoid(logits[k * area + at]!);
      if (!(probability > minScore)) continue;
      boxes.push(...box);
      scores.push(probability * centerness);
      labels.push(k);
      owners.push(candidate);
    }
  }
  const left = suppress(Float64Array.from(boxes), scores, { threshold: nms, classes: labels, most });
  return left.map((i) => ({ box: owners[i]!.box, score: scores[i]!, class: labels[i]! }));
}
