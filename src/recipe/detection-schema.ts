// The keys of a detection recipe that are not those of every task: data, augmentation.

import { z } from "zod";
import { detectionAugmentationSchema } from "../detection/vary-picture.ts";
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

const positiveShare = z.number().positive().max(1);

/** How many of what a two-stage detector learns from; presets are those of mmdetection 2.x. */
const regionsSchema = z
  .strictObject({
    anchors: z
      .int()
      .min(1)
      .max(4096)
      .default(256)
      .describe("Anchors of a picture that the region proposals learn from."),
    anchorPositives: positiveShare.default(0.5).describe("Largest share of them that shows an object."),
    proposals: z
      .int()
      .min(1)
      .max(4096)
      .default(1000)
      .describe("Proposals of a picture that regions are drawn from, beside the true boxes."),
    samples: z
      .int()
      .min(1)
      .max(4096)
      .default(512)
      .describe("Regions of a picture that the heads learn from."),
    samplePositives: positiveShare.default(0.25).describe("Largest share of them that shows an object."),
    objects: z
      .int()
      .min(1)
      .max(1000)
      .default(100)
      .describe("Objects of a picture that count; of more, some are drawn by lot."),
  })
  .describe(
    "How many of what a two-stage detector learns from; of CenterNet `objects` alone, of FCOS nothing.",
  );

/** Keys of a detection recipe before those of every task. */
export const DETECTION_KEYS = {
  data: dataSchema,
  augmentation: detectionAugmentationSchema.prefault({}).describe("Random scale, crop and mirror."),
  photometric: photometricSchema
    .prefault({})
    .describe(
      "Random changes to the pictures' colours, sharpness and what covers them; the papers use none.",
    ),
  regions: regionsSchema.prefault({}),
} as const;

/** What papers measure detection by. */
export const DETECTION_METRICS = ["AP", "mask AP"] as const;

const DETECTION = z.strictObject(DETECTION_KEYS);

/** What a detection recipe learns from. */
export type DetectionData = z.infer<typeof DETECTION>["data"];
/** One of its data sets. */
export type DetectionSet = DetectionData["train"][number] | NonNullable<DetectionData["validation"]>;
/** How many of what a two-stage detector learns from. */
export type RegionCounts = z.infer<typeof DETECTION>["regions"];
