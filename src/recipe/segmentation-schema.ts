// The keys of a segmentation recipe that are not those of every task: classes, data, augmentation, loss.

import { z } from "zod";
import { photometricSchema } from "../image/photometric.ts";
import { INFERENCE_METHODS, type InferenceMethodName } from "../segmentation/inference-method.ts";
import { segmentationAugmentationSchema } from "../segmentation/training-samples.ts";
import { path, repeat } from "./data-keys.ts";

const split = path.describe("Name of the split in the set's folders: train, val, training, validation.");

const folder = {
  format: z.literal("folder").describe("Folders of pictures and of label maps with the same names."),
  images: path.describe("Folder of the pictures, relative to `data.root`; what is below it counts."),
  labels: path.describe("Folder of the label maps: PNG files of one channel, a class number for each pixel."),
  imageSuffix: path
    .optional()
    .describe("How pictures' names end after what they share with their labels' names."),
  labelSuffix: path.optional().describe("How label maps' names end after that."),
  list: path.optional().describe("Text file with a name in each line: only these, in this order."),
};

/** Published sets, of which the split says everything. */
const published = [
  z.literal("cityscapes").describe("`leftImg8bit/<split>` and `gtFine/<split>` (`…_labelIds.png`)."),
  z
    .literal("lip")
    .describe("`TrainVal_images/<split>_images`, `TrainVal_parsing_annotations/<split>_segmentations`."),
  z
    .literal("pascal-context")
    .describe("`JPEGImages`, `SegmentationClassContext`, `ImageSets/SegmentationContext/<split>.txt`."),
  z.literal("ade20k").describe("`images/<split>`, `annotations/<split>`."),
] as const;

const [cityscapes, lip, pascalContext, ade20k] = published;
const trainSchema = z.discriminatedUnion("format", [
  z.strictObject({ ...folder, repeat }),
  z.strictObject({ format: cityscapes, split, repeat }),
  z.strictObject({ format: lip, split, repeat }),
  z.strictObject({ format: pascalContext, split, repeat }),
  z.strictObject({ format: ade20k, split, repeat }),
]);

const validationSchema = z
  .discriminatedUnion("format", [
    z.strictObject(folder),
    z.strictObject({ format: cityscapes, split }),
    z.strictObject({ format: lip, split }),
    z.strictObject({ format: pascalContext, split }),
    z.strictObject({ format: ade20k, split }),
  ])
  .nullable()
  .default(null)
  .describe("Data that measures the run by mIoU. null: none.");

const dataSchema = z
  .strictObject({
    root: path
      .nullable()
      .default(null)
      .describe("Folder that the paths of the data start from; null: the current one."),
    cacheMegabytes: z
      .int()
      .min(0)
      .max(1_000_000)
      .default(256)
      .describe("Decoded pictures and label maps that each loading thread keeps, in MiB (4 bytes a pixel)."),
    train: z.array(trainSchema).min(1).max(100).describe("Data sets to learn from, mixed."),
    validation: validationSchema,
  })
  .describe("What is learned from.");

const lossSchema = z
  .strictObject({
    type: z
      .literal("cross-entropy")
      .default("cross-entropy")
      .describe(
        "−ln of the probability of a pixel's class, a weighted mean over the pixels that are not ignored.",
      ),
    classWeights: z
      .union([z.literal("cityscapes"), z.array(z.number().min(0).max(1000)).min(1).max(4096)])
      .nullable()
      .default(null)
      .describe('Weight of each class; "cityscapes": those of the official code. null: all alike.'),
    hardPixels: z
      .strictObject({
        threshold: z
          .number()
          .min(0)
          .max(1)
          .default(0.9)
          .describe("Pixels whose true class has a lower probability are hard."),
        kept: z.int().min(1).default(131_072).describe("The hardest pixels of a batch that count at least."),
      })
      .nullable()
      .default(null)
      .describe("Only the hard pixels of the last output (OHEM); null: all."),
    auxiliaryWeight: z
      .number()
      .min(0)
      .max(100)
      .default(0.4)
      .describe("Weight of the auxiliary output of networks that have one (OCR), beside 1 for the last."),
  })
  .prefault({})
  .describe("What is made small.");

/** Keys of a segmentation recipe before those of every task. */
export const SEGMENTATION_KEYS = {
  classes: path.describe(
    "Name of a set of classes (cityscapes, lip, pascal-context-59, pascal-context-60, ade20k, …) or a JSON file with one, relative to `data.root`.",
  ),
  data: dataSchema,
  augmentation: segmentationAugmentationSchema.describe("Random scale, crop and mirror."),
  photometric: photometricSchema
    .prefault({})
    .describe("Random changes to the crops' colours, sharpness and what covers them; the papers use none."),
  loss: lossSchema,
  inference: z
    .enum(Object.keys(INFERENCE_METHODS) as [InferenceMethodName, ...InferenceMethodName[]])
    .default("whole")
    .describe(
      "How validation pictures go through the network: at their own size, or as the code for a published set brings them there, at one scale. `hrnet eval` has scales and windows.",
    ),
} as const;

/** What papers measure segmentation by. */
export const SEGMENTATION_METRICS = ["mIoU"] as const;

const SEGMENTATION = z.strictObject(SEGMENTATION_KEYS);
type SegmentationKeys = z.infer<typeof SEGMENTATION>;

/** What a segmentation recipe learns from. */
export type SegmentationData = SegmentationKeys["data"];
/** What a segmentation recipe makes small. */
export type SegmentationLoss = SegmentationKeys["loss"];
