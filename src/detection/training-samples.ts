// One training sample of FCOS: an augmented picture and what every place is to find in it.

import { z } from "zod";
import { type PhotometricOptions, varyPhotometrically } from "../image/photometric.ts";
import { resizeIntoPlanes } from "../image/resize.ts";
import type { RgbImage } from "../image/rgb-image.ts";
import type { Random } from "../random/random.ts";
import { fcosLevels, fcosTargets, placesOf } from "./fcos-places.ts";

/** Reads {@link DetectionAugmentation} from untrusted data, such as a recipe. */
export const detectionAugmentationSchema = z.strictObject({
  scales: z
    .tuple([z.number().positive().max(16), z.number().positive().max(16)])
    .refine(([least, most]) => least <= most, "the smallest scale must not be above the largest")
    .default([1, 1])
    .describe(
      "Smallest and largest size of the picture; at 1 it is as large as the input holds it whole. What is larger is cropped anywhere, what is smaller padded to the right and below.",
    ),
  flipProbability: z
    .number()
    .min(0)
    .max(1)
    .default(0.5)
    .describe("How often a sample is mirrored left to right."),
  minVisible: z
    .number()
    .min(0)
    .max(1)
    .default(0.3)
    .describe(
      "Objects of whose box a smaller share is left in the crop are neither to be found nor wrong to find.",
    ),
});

/** How samples are varied; each key is described by {@link detectionAugmentationSchema}. */
export type DetectionAugmentation = z.output<typeof detectionAugmentationSchema>;

/** How samples are made. Plain data. */
export interface DetectionSampleOptions {
  /** The network's input `[H, W]` in pixels. */
  readonly input: readonly [number, number];
  readonly augmentation: DetectionAugmentation;
  /** Left out: colours stay as they are. */
  readonly photometric?: PhotometricOptions | undefined;
}

/** An object of a picture. */
export interface SampleObject {
  /** `[x, y, width, height]` in pixels. */
  readonly box: readonly [number, number, number, number];
  readonly class: number;
  /** Crowds and regions of which nobody knows: neither to be found nor wrong to find. */
  readonly ignored: boolean;
}

/** Where a sample is written. P: places of all levels. */
export interface DetectionSampleArrays {
  /** 3×H×W: red, green and blue plane, 0–255; {@link PADDING} beyond the picture. */
  readonly image: Uint8Array;
  /** P: the class, −1 where there is nothing, −2 where nothing is asked. */
  readonly classes: Float32Array;
  /** P×4 pixels. */
  readonly distances: Float32Array;
  /** P, 0 … 1. */
  readonly centerness: Float32Array;
}

/** Writes one random variation of a picture. Uses `random` alone: the same stream gives the same sample. */
export type DetectionSampleMaker = (
  image: RgbImage,
  objects: readonly SampleObject[],
  random: Random,
  into: DetectionSampleArrays,
) => void;

/** Places of an input of that size. */
export const samplePlaces = ([height, width]: readonly [number, number]): number =>
  placesOf(fcosLevels(height, width));

/** ImageNet's mean colour, which is 0 to the network: mmdetection pads after normalising. */
export const PADDING = [124, 116, 104] as const;

const NOTHING = -1;
const NOT_ASKED = -2;

/** Order of one sample: scale, crop or pad, change of colours, mirror. */
export function createDetectionSampleMaker({
  input,
  augmentation,
  photometric,
}: DetectionSampleOptions): DetectionSampleMaker {
  const [height, width] = input;
  const levels = fcosLevels(height, width);
  const { scales, flipProbability, minVisible } = augmentation;
  return (image, objects, random, into) => {
    const factor =
      Math.min(width / image.width, height / image.height) * (scales[0] + random() * (scales[1] - scales[0]));
    const size = [image.width, image.height].map((side) => Math.max(1, Math.round(side * factor))) as [
      number,
      number,
    ];
    const x = Math.floor(random() * (Math.max(0, size[0] - width) + 1));
    const y = Math.floor(random() * (Math.max(0, size[1] - height) + 1));
    const mirrored = random() < flipProbability;
    resizeIntoPlanes(image, { size, x, y, width, height, mirrored }, into.image);
    fillBeyond(into.image, input, [size[0] - x, size[1] - y], mirrored);
    if (photometric) varyPhotometrically({ width, height, data: into.image }, photometric, random);
    const [fx, fy] = [size[0] / image.width, size[1] / image.height];
    const moved = objects.map(({ box, class: label, ignored }) => {
      const left = box[0] * fx - x;
      const right = left + box[2] * fx;
      const corners = [
        mirrored ? width - right : left,
        box[1] * fy - y,
        mirrored ? width - left : right,
        (box[1] + box[3]) * fy - y,
      ] as const;
      const inside = corners.map((side, i) => Math.max(0, Math.min(i % 2 === 0 ? width : height, side))) as [
        number,
        number,
        number,
        number,
      ];
      const share = areaOf(inside) / areaOf(corners);
      return { corners: inside, label, seen: share > 0, asked: !ignored && share >= minVisible };
    });
    writeTargets(
      levels,
      moved.filter(({ seen }) => seen),
      into,
    );
  };
}

/** Writes {@link PADDING} where the picture, which has that many columns and rows of the sample, is not. */
function fillBeyond(
  planes: Uint8Array,
  [height, width]: readonly [number, number],
  [columns, rows]: readonly [number, number],
  mirrored: boolean,
): void {
  const empty = Math.max(0, width - columns);
  PADDING.forEach((value, c) => {
    const first = c * height * width;
    for (let row = 0; row < height && empty > 0; row++) {
      const start = first + row * width + (mirrored ? 0 : columns);
      planes.fill(value, start, start + empty);
    }
    if (rows < height) planes.fill(value, first + Math.max(0, rows) * width, first + height * width);
  });
}

const areaOf = ([x1, y1, x2, y2]: readonly [number, number, number, number]): number =>
  Math.max(0, x2 - x1) * Math.max(0, y2 - y1);

interface MovedObject {
  readonly corners: readonly [number, number, number, number];
  readonly label: number;
  readonly asked: boolean;
}

function writeTargets(
  levels: ReturnType<typeof fcosLevels>,
  objects: readonly MovedObject[],
  into: DetectionSampleArrays,
): void {
  const asked = objects.filter((object) => object.asked);
  const targets = fcosTargets(
    levels,
    Float64Array.from(asked.flatMap(({ corners }) => [...corners])),
    asked.map(({ label }) => label),
  );
  into.distances.set(targets.distances);
  into.centerness.set(targets.centerness);
  into.classes.set(targets.classes);
  const others = objects.filter((object) => !object.asked).map(({ corners }) => corners);
  if (others.length === 0) return;
  let place = 0;
  for (const { height, width, stride } of levels) {
    const half = Math.floor(stride / 2);
    for (let i = 0; i < height * width; i++, place++) {
      if (into.classes[place] !== NOTHING) continue;
      const [px, py] = [half + (i % width) * stride, half + Math.floor(i / width) * stride];
      if (others.some(([x1, y1, x2, y2]) => px > x1 && px < x2 && py > y1 && py < y2))
        into.classes[place] = NOT_ASKED;
    }
  }
}
