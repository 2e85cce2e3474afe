// One training sample of a segmentation network: an augmented crop and the classes of its pixels.

import { z } from "zod";
import { HRNetError } from "../errors.ts";
import type { LabelMap } from "../image/label-map.ts";
import { type PhotometricOptions, varyPhotometrically } from "../image/photometric.ts";
import { resizeImage, resizeIntoPlanes, resizeLabels } from "../image/resize.ts";
import type { RgbImage } from "../image/rgb-image.ts";
import type { Random } from "../random/random.ts";
import { type ClassTable, flipPermutationOf, labelLookup } from "./class-table.ts";
import { sizeOfLongSide } from "./long-side.ts";

const side = z.int().min(8).max(16_384);

/** Reads {@link SegmentationAugmentation} from untrusted data, such as a recipe. */
export const segmentationAugmentationSchema = z.strictObject({
  baseSize: side.describe(
    "Longer side of the picture at scale 1, in pixels: 2048 for Cityscapes, 520 for PASCAL-Context, 473 for LIP.",
  ),
  scales: z
    .tuple([z.number().positive().max(16), z.number().positive().max(16)])
    .refine(([least, most]) => least <= most, "the smallest scale must not be above the largest")
    .default([0.5, 2.1])
    .describe(
      "Smallest and largest scale, drawn in steps of 0.1 from the smallest: 0.5 to 2.1 (SCALE_FACTOR 16), to 1.6 (11).",
    ),
  flipProbability: z
    .number()
    .min(0)
    .max(1)
    .default(0.5)
    .describe("How often a sample is mirrored left to right."),
  stretch: z
    .tuple([side, side])
    .nullable()
    .default(null)
    .describe(
      "Height and width that pictures are brought to before, whatever their shape: [473, 473] for LIP.",
    ),
});

/** How samples are varied; each key is described by {@link segmentationAugmentationSchema}. */
export type SegmentationAugmentation = z.output<typeof segmentationAugmentationSchema>;

/** How samples are made. Plain data. */
export interface SegmentationSampleOptions {
  readonly classes: ClassTable;
  /** The network's input `[H, W]` in pixels. */
  readonly input: readonly [number, number];
  readonly augmentation: SegmentationAugmentation;
  /** Left out: colours stay as they are. */
  readonly photometric?: PhotometricOptions | undefined;
}

/** Where a sample is written. */
export interface SegmentationSampleArrays {
  /** 3×H×W: red, green and blue plane, 0–255; 0 beyond the picture. */
  readonly image: Uint8Array;
  /** H×W: the class of each pixel, 255 (65535 with more than 255 classes) where it is ignored and beyond the picture. */
  readonly labels: Float32Array;
}

/** Writes one random variation of a labelled picture. Uses `random` alone: the same stream gives the same sample. */
export type SegmentationSampleMaker = (
  image: RgbImage,
  labels: LabelMap,
  random: Random,
  into: SegmentationSampleArrays,
) => void;

/**
 * Order of one sample, as in `BaseDataset.gen_sample` of HRNet-Semantic-Segmentation: scale, pad to the right and below, crop,
 * change of colours (ours), mirror. LIP's stretch comes first. Mirroring changes the places of left and right classes.
 */
export function createSegmentationSampleMaker(options: SegmentationSampleOptions): SegmentationSampleMaker {
  const { classes, input, augmentation, photometric } = options;
  const [height, width] = input;
  const plain = labelLookup(classes);
  const ignored = plain[65_535]!;
  const permutation = flipPermutationOf(classes);
  const swapped = plain.map((label) => (label === ignored ? ignored : permutation[label]!));
  return (image, labels, random, into) => {
    checkSizes(image, labels);
    const { stretch } = augmentation;
    const picture = stretch ? resizeImage(image, [stretch[1], stretch[0]]) : image;
    const scaled = scaledSize([picture.width, picture.height], augmentation, random);
    const free = [scaled[0] - width, scaled[1] - height].map((room) => Math.max(0, room)) as [number, number];
    const x = Math.floor(random() * (free[0] + 1));
    const y = Math.floor(random() * (free[1] + 1));
    const mirrored = random() < augmentation.flipProbability;
    const window = { size: scaled, x, y, width, height, mirrored };
    resizeIntoPlanes(picture, window, into.image);
    if (photometric) varyPhotometrically({ width, height, data: into.image }, photometric, random);
    resizeLabels(labels, window, mirrored ? swapped : plain, ignored, into.labels);
  };
}

/** r = least + 0.1·(a whole number), the longer side ⌊base·r + ½⌋. Source: `multi_scale_aug` of `lib/datasets/base_dataset.py`. */
function scaledSize(
  size: readonly [number, number],
  { baseSize, scales: [least, most] }: SegmentationAugmentation,
  random: Random,
): [number, number] {
  const steps = Math.round((most - least) * 10);
  const scale = least + Math.floor(random() * (steps + 1)) / 10;
  return sizeOfLongSide(size, Math.floor(baseSize * scale + 0.5));
}

function checkSizes(image: RgbImage, labels: LabelMap): void {
  if (image.width === labels.width && image.height === labels.height) return;
  throw new HRNetError(
    "invalid-data",
    `A picture of ${image.width}×${image.height} has a label map of ${labels.width}×${labels.height}; both must have one size.`,
  );
}
