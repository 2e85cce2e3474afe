// What a two-stage detector is to find in a sample: which anchors show an object and where it is, the objects themselves, and their masks.

import { shuffle } from "../random/random.ts";
import { ANCHORS, anchorBoxes, anchorLevels } from "./anchors.ts";
import { encodeBox, RPN_STDS } from "./box-coding.ts";
import { type BoxExtent, boxAreas, pairwiseIou } from "./boxes.ts";
import type { SampleArrays, TargetWriter, VariedSample } from "./target-writer.ts";
import type { PlacedObject } from "./vary-picture.ts";

/** How many of what a sample holds. Plain data. */
export interface RegionTargetOptions {
  /** Levels of the pyramid. */
  readonly levels: number;
  readonly extent: BoxExtent;
  /** Anchors of a picture that the proposals learn from, and how many of them show an object at most. */
  readonly anchors: number;
  readonly anchorPositives: number;
  /** Objects of a picture that count; of more, some are drawn by lot. */
  readonly objects: number;
  /** Random numbers for draws in the graph. */
  readonly draws: number;
  /** Whether masks are learned. */
  readonly masks: boolean;
  /** Whether classes of pixels are learned at stride 8: 0 for none, n + 1 for class n. */
  readonly semantic: boolean;
}

/** Cells of an object's mask along each axis, the outermost of which lie around its box and are empty. */
export const MASK_CELLS = 66;
/** Stride of the classes of pixels that a semantic branch learns. */
export const SEMANTIC_STRIDE = 8;

const NOTHING = -1;
const NOT_ASKED = -2;

/**
 * Fields: `anchorLabels` float32 P (1 for anchors with an object, 0 for those without, −1 for those that do not count), `anchorTargets`
 * float32 P×4, `objectBoxes` float32 G×4 (corners in pixels), `objectClasses` float32 G (the class, −1 where there is none, −2 where
 * nothing is asked), `draws` float32, 0 … 1; with masks `objectMasks` uint8 G×cells×cells, 0 … 255 over the box; `pixelClasses` float32 h×w.
 */
export function createRegionTargets(
  [height, width]: readonly [number, number],
  options: RegionTargetOptions,
): TargetWriter {
  const { levels, extent, objects: most, draws, masks, semantic } = options;
  const anchors = anchorBoxes(anchorLevels(height, width, levels), { ...ANCHORS, extent });
  const count = anchors.length / 4;
  const [rows, columns] = [Math.ceil(height / SEMANTIC_STRIDE), Math.ceil(width / SEMANTIC_STRIDE)];
  return {
    fields: [
      { name: "anchorLabels", dtype: "float32", shape: [count] },
      { name: "anchorTargets", dtype: "float32", shape: [count, 4] },
      { name: "objectBoxes", dtype: "float32", shape: [most, 4] },
      { name: "objectClasses", dtype: "float32", shape: [most] },
      { name: "draws", dtype: "float32", shape: [draws] },
      ...(masks
        ? [{ name: "objectMasks", dtype: "uint8", shape: [most, MASK_CELLS, MASK_CELLS] } as const]
        : []),
      ...(semantic ? [{ name: "pixelClasses", dtype: "float32", shape: [rows, columns] } as const] : []),
    ],
    write(sample, into) {
      const { random } = sample;
      const objects = drawObjects(sample, most);
      // The lower right corner is the first pixel outside, or the last one inside.
      const more = extent === "pixels" ? 1 : 0;
      const counted = objects.map(({ corners: [x1, y1, x2, y2], ...object }) => ({
        ...object,
        corners: [x1, y1, x2 - more, y2 - more] as const,
      }));
      writeAnchors(anchors, counted, options, sample, into);
      into["objectClasses"]!.fill(NOTHING);
      counted.forEach(({ corners, class: label, asked }, i) => {
        into["objectBoxes"]!.set(corners, 4 * i);
        into["objectClasses"]![i] = asked ? label : NOT_ASKED;
      });
      const numbers = into["draws"]!;
      for (let i = 0; i < draws; i++) numbers[i] = random();
      if (!masks && !semantic) return;
      const decoded = objects.map(({ source }) => sample.masks[source]?.());
      if (masks)
        objects.forEach((object, i) => {
          writeMask(object, decoded[i], sample, width, into["objectMasks"]!, i);
        });
      if (semantic)
        writePixelClasses(objects, decoded, sample, [rows, columns, width], into["pixelClasses"]!);
    },
  };
}

/** All objects, or as many as there is room for. */
function drawObjects({ objects, random }: VariedSample, most: number): readonly PlacedObject[] {
  if (objects.length <= most) return objects;
  const order = shuffle(
    objects.map((_, i) => i),
    random,
  );
  return Array.from(order.slice(0, most), (i) => objects[i]!);
}

/** Anchors with an IoU from which they show the object, and below which they show none. Source: `rpn` of mmdetection's `train_cfg`. */
const POSITIVE_IOU = 0.7;
const NEGATIVE_IOU = 0.3;
/** Share of an anchor in a region of which nobody knows, from which it does not count. */
const MOST_IGNORED = 0.5;

/**
 * Labels and differences of the anchors that the proposals learn from: an object's best anchors show it as well, however little they overlap
 * (from {@link NEGATIVE_IOU} on). Source: Ren et al. 2015 (arXiv:1506.01497), §3.1.2; `MaxIoUAssigner` of mmdetection.
 */
function writeAnchors(
  anchors: Float32Array,
  objects: readonly PlacedObject[],
  { extent, anchors: wanted, anchorPositives }: RegionTargetOptions,
  { random }: VariedSample,
  into: SampleArrays,
): void {
  const count = anchors.length / 4;
  const labels = into["anchorLabels"]!.fill(NOTHING);
  const asked = objects.filter((object) => object.asked);
  const cornersOf = (list: readonly PlacedObject[]): Float64Array =>
    Float64Array.from(list.flatMap(({ corners }) => [...corners]));
  const truth = cornersOf(asked);
  const iou = pairwiseIou(anchors, truth, extent);
  const best = new Int32Array(count).fill(-1);
  const overlap = new Float64Array(count);
  const bestOfObject = new Float64Array(asked.length);
  for (let a = 0; a < count; a++) {
    for (let g = 0; g < asked.length; g++) {
      const value = iou[a * asked.length + g]!;
      if (value > overlap[a]!) {
        overlap[a] = value;
        best[a] = g;
      }
      if (value > bestOfObject[g]!) bestOfObject[g] = value;
    }
  }
  const shows = new Uint8Array(count);
  for (let a = 0; a < count; a++) {
    if (overlap[a]! >= POSITIVE_IOU) shows[a] = 1;
    for (let g = 0; g < asked.length; g++) {
      if (bestOfObject[g]! < NEGATIVE_IOU || iou[a * asked.length + g] !== bestOfObject[g]) continue;
      shows[a] = 1;
      best[a] = g;
    }
  }
  const hidden = ignoredAnchors(anchors, cornersOf(objects.filter((object) => !object.asked)), extent);
  const [positives, negatives]: [number[], number[]] = [[], []];
  for (let a = 0; a < count; a++) {
    if (shows[a] === 1) positives.push(a);
    else if (overlap[a]! < NEGATIVE_IOU && hidden[a] === 0) negatives.push(a);
  }
  const chosen = shuffle(positives, random).slice(0, anchorPositives);
  for (const a of chosen) {
    labels[a] = 1;
    const box = truth.subarray(4 * best[a]!, 4 * best[a]! + 4);
    into["anchorTargets"]!.set(
      encodeBox(anchors.subarray(4 * a, 4 * a + 4), box, { stds: RPN_STDS, extent }),
      4 * a,
    );
  }
  for (const a of shuffle(negatives, random).slice(0, wanted - chosen.length)) labels[a] = 0;
}

/** 1 for anchors much of which lies in a region of which nobody knows. */
function ignoredAnchors(anchors: Float32Array, regions: Float64Array, extent: BoxExtent): Uint8Array {
  const count = anchors.length / 4;
  const hidden = new Uint8Array(count);
  if (regions.length === 0) return hidden;
  const more = extent === "pixels" ? 1 : 0;
  const areas = boxAreas(anchors, extent);
  for (let a = 0; a < count; a++) {
    for (let g = 0; g < regions.length; g += 4) {
      const w =
        Math.min(anchors[4 * a + 2]!, regions[g + 2]!) - Math.max(anchors[4 * a]!, regions[g]!) + more;
      const h =
        Math.min(anchors[4 * a + 3]!, regions[g + 3]!) -
        Math.max(anchors[4 * a + 1]!, regions[g + 1]!) +
        more;
      if (w > 0 && h > 0 && w * h >= MOST_IGNORED * areas[a]!) hidden[a] = 1;
    }
  }
  return hidden;
}

/** Whether the picture's pixel that a point of the sample shows is in the mask; points outside of the picture are in none. */
function maskAt(
  mask: Uint8Array | undefined,
  { image, placement: { factor, offset, mirrored } }: VariedSample,
  sampleWidth: number,
  x: number,
  y: number,
): number {
  const column = Math.floor(((mirrored ? sampleWidth - x : x) - offset[0]) / factor[0]);
  const row = Math.floor((y - offset[1]) / factor[1]);
  if (column < 0 || column >= image.width || row < 0 || row >= image.height) return 0;
  return mask === undefined || mask[row * image.width + column] !== 0 ? 255 : 0;
}

/** The mask over the object's box, {@link MASK_CELLS} − 2 cells along each axis. */
function writeMask(
  { corners: [x1, y1, x2, y2] }: PlacedObject,
  mask: Uint8Array | undefined,
  sample: VariedSample,
  width: number,
  into: Float32Array | Uint8Array,
  at: number,
): void {
  const inner = MASK_CELLS - 2;
  const first = at * MASK_CELLS * MASK_CELLS;
  for (let row = 0; row < inner; row++) {
    const y = y1 + ((row + 0.5) / inner) * (y2 - y1);
    for (let column = 0; column < inner; column++) {
      const x = x1 + ((column + 0.5) / inner) * (x2 - x1);
      into[first + (row + 1) * MASK_CELLS + column + 1] = maskAt(mask, sample, width, x, y);
    }
  }
}

/** Classes of pixels, smaller objects above larger ones. */
function writePixelClasses(
  objects: readonly PlacedObject[],
  masks: readonly (Uint8Array | undefined)[],
  sample: VariedSample,
  [rows, columns, width]: readonly [number, number, number],
  into: Float32Array | Uint8Array,
): void {
  const area = ({ corners: [x1, y1, x2, y2] }: PlacedObject): number => (x2 - x1) * (y2 - y1);
  const order = objects.map((_, i) => i).sort((a, b) => area(objects[b]!) - area(objects[a]!));
  for (const i of order) {
    const { corners, class: label, asked } = objects[i]!;
    const [x1, y1, x2, y2] = corners.map((side) => side / SEMANTIC_STRIDE - 0.5) as [
      number,
      number,
      number,
      number,
    ];
    for (let row = Math.max(0, Math.ceil(y1)); row < Math.min(rows, y2); row++) {
      for (let column = Math.max(0, Math.ceil(x1)); column < Math.min(columns, x2); column++) {
        const inside = maskAt(
          masks[i],
          sample,
          width,
          (column + 0.5) * SEMANTIC_STRIDE,
          (row + 0.5) * SEMANTIC_STRIDE,
        );
        if (inside !== 0) into[row * columns + column] = asked ? label + 1 : IGNORED_PIXEL;
      }
    }
  }
}

/** Class of pixels of which nobody knows. */
const IGNORED_PIXEL = 255;
