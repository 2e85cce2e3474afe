// Random variations of a picture with objects: scale, crop or pad, colours, mirror; and where its objects come to lie.

import { z } from "zod";
import { type PhotometricOptions, varyPhotometrically } from "../image/photometric.ts";
import { resizeIntoPlanes } from "../image/resize.ts";
import type { RgbImage } from "../image/rgb-image.ts";
import type { Random } from "../random/random.ts";

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

/** How pictures are varied. Plain data. */
export interface VariationOptions {
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

/** Where the picture lies in the sample: x of the sample = offset + x of the picture · factor, or the width less that where mirrored. */
export interface Placement {
  readonly factor: readonly [x: number, y: number];
  readonly offset: readonly [x: number, y: number];
  readonly mirrored: boolean;
}

/** An object of which something is in the sample. */
export interface PlacedObject {
  /** `x1, y1, x2, y2` in pixels of the sample, within it. */
  readonly corners: readonly [number, number, number, number];
  readonly class: number;
  /** Whether it is to be found; otherwise it is not wrong to find it. */
  readonly asked: boolean;
  /** Its place among the objects of the picture. */
  readonly source: number;
}

/** What {@link createPictureVariation} makes of a picture beside its pixels. */
export interface VariedObjects {
  readonly objects: readonly PlacedObject[];
  readonly placement: Placement;
}

/** ImageNet's mean colour, which is 0 to the network: mmdetection pads after normalising. */
export const PADDING = [124, 116, 104] as const;

/** Varies pictures: scale, crop or pad, change of colours, mirror. The function writes 3×H×W planes; the same random stream gives the same. */
export function createPictureVariation({ input, augmentation, photometric }: VariationOptions) {
  const [height, width] = input;
  const { scales, flipProbability, minVisible } = augmentation;
  return (
    image: RgbImage,
    objects: readonly SampleObject[],
    random: Random,
    planes: Uint8Array,
  ): VariedObjects => {
    const factor =
      Math.min(width / image.width, height / image.height) * (scales[0] + random() * (scales[1] - scales[0]));
    const size = [image.width, image.height].map((side) => Math.max(1, Math.round(side * factor))) as [
      number,
      number,
    ];
    const x = Math.floor(random() * (Math.max(0, size[0] - width) + 1));
    const y = Math.floor(random() * (Math.max(0, size[1] - height) + 1));
    const mirrored = random() < flipProbability;
    resizeIntoPlanes(image, { size, x, y, width, height, mirrored }, planes);
    fillBeyond(planes, input, [size[0] - x, size[1] - y], mirrored);
    if (photometric) varyPhotometrically({ width, height, data: planes }, photometric, random);
    const placement: Placement = {
      factor: [size[0] / image.width, size[1] / image.height],
      offset: [-x, -y],
      mirrored,
    };
    const placed = objects.map(({ box, class: label, ignored }, source) => {
      const corners = cornersIn(box, placement, width);
      const inside = corners.map((side, i) => Math.max(0, Math.min(i % 2 === 0 ? width : height, side))) as [
        number,
        number,
        number,
        number,
      ];
      const share = areaOf(inside) / areaOf(corners);
      return {
        corners: inside,
        class: label,
        asked: !ignored && share >= minVisible,
        source,
        seen: share > 0,
      };
    });
    return { objects: placed.filter(({ seen }) => seen), placement };
  };
}

/** A picture's box in a sample that is `width` pixels wide. */
function cornersIn(
  [x, y, w, h]: readonly [number, number, number, number],
  { factor, offset, mirrored }: Placement,
  width: number,
): [number, number, number, number] {
  const left = x * factor[0] + offset[0];
  const right = left + w * factor[0];
  const top = y * factor[1] + offset[1];
  return [mirrored ? width - right : left, top, mirrored ? width - left : right, top + h * factor[1]];
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
