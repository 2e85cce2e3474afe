// The keys of a detection recipe that are not those of every task: data, augmentation.

import { z } from "zod";
import { detectionAugmentationSchema } from "../detection/training-samples.ts";
import { photometricSchema } from "../image/photometric.ts";
import { path, repeat } from "./data-keys.ts";

const coco = {
  format: z.literal("coco").describe("An annotation file in COCO's format with boxes (`instances_…json`)."),
  annotations: path.describe("The annotation file, relative to `data.root`."),
  images: path.describe("Folder of the pictures, relative to `data.root`."),
};
const voc = {
  format: z.literal("voc").describe("A folder of Pascal VOC's XML files."),
  annotations: path.describe("The folder, relative to `data.root`."),
  images: path.describe("Folder of the pictures, relative to `data.root`."),
  list: path.optional().describe("Text file with a name in each line: only these."),
  corners: z
    .enum(["pixels", "edges"])
    .default("pixels")
    .describe(
      "`pixels`: first and last pixel, counted from 1, as VOC has them; `edges`: x and y of two corners.",
    ),
};

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
      .describe("Decoded pictures that each loading thread keeps, in MiB."),
    classes: z
      .array(z.string().min(1).max(200))
      .min(1)
      .max(4096)
      .nullable()
      .default(null)
      .describe(
        "Names of the classes that are learned, in the order of the network's; others are left out. null: all of the first data set, by id.",
      ),
    train: z
      .array(
        z.discriminatedUnion("format", [
          z.strictObject({ ...coco, repeat }),
          z.strictObject({ ...voc, repeat }),
        ]),
      )
      .min(1)
      .max(100)
      .describe("Data sets to learn from, mixed."),
    validation: z
      .discriminatedUnion("format", [z.strictObject(coco), z.strictObject(voc)])
      .nullable()
      .default(null)
      .describe("Data that measures the run by AP. null: none."),
  })
  .describe("What is learned from.");

/** Keys of a detection recipe before those of every task. */
export const DETECTION_KEYS = {
  data: dataSchema,
  augmentation: detectionAugmentationSchema.prefault({}).describe("Random scale, crop and mirror."),
  photometric: photometricSchema
    .prefault({})
    .describe(
      "Random changes to the pictures' colours, sharpness and what covers them; the papers use none.",
    ),
} as const;

/** What papers measure detection by. */
export const DETECTION_METRICS = ["AP"] as const;

const DETECTION = z.strictObject(DETECTION_KEYS);

/** What a detection recipe learns from. */
export type DetectionData = z.infer<typeof DETECTION>["data"];
/** One of its data sets. */
export type DetectionSet = DetectionData["train"][number] | NonNullable<DetectionData["validation"]>;
