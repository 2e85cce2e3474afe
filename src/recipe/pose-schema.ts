// The keys of a pose recipe that are not those of every task: skeleton, codec, data, augmentation, loss, teacher.

import { z } from "zod";
import { photometricSchema } from "../image/photometric.ts";
import { augmentationSchema } from "../pose/augment.ts";
import { heatmapCodecOptionsSchema } from "../pose/codecs/codec-table.ts";
import { path, repeat } from "./data-keys.ts";

const { name, refinement, sigma, blurKernel } = heatmapCodecOptionsSchema.shape;

const codecSchema = z
  .strictObject({
    name: name.describe(
      "Crop, targets, decoding and flip rule together, see [Pose](pose.md#codecs). The papers of HRNet, SimpleBaseline and Lite-HRNet: quarter-offset.",
    ),
    refinement: refinement.describe(
      "Another way from the maximum to a position; the codec's own if left out.",
    ),
    sigma: sigma.describe(
      "Standard deviation of the targets in heatmap cells; 2 if left out. The papers: 2 at 256 pixels, 3 at 384×288.",
    ),
    blurKernel: blurKernel.describe(
      "Odd size of the blur before DARK; by sigma if left out: 11 for 2, 17 for 3.",
    ),
  })
  .prefault({ name: "quarter-offset" })
  .describe("Keypoints as heatmaps.");

const place = {
  annotations: path.describe("Annotation file, relative to `data.root`."),
  images: path.describe("Folder of the pictures, relative to `data.root`."),
};

const source = {
  ...place,
  repeat,
  minKeypoints: z
    .int()
    .min(1)
    .max(2048)
    .default(1)
    .describe("Persons with fewer labelled keypoints are left out."),
};

const coco = z.literal("coco").describe("COCO's keypoint annotations, of any skeleton.");
const mpii = z.literal("mpii").describe("MPII as HRNet's json files list it (`train.json`).");

const trainSchema = z.discriminatedUnion("format", [
  z.strictObject({ format: coco, ...source }),
  z.strictObject({ format: mpii, ...source }),
]);

const validationSchema = z
  .discriminatedUnion("format", [
    z.strictObject({ format: coco, ...place }),
    z.strictObject({
      format: mpii,
      ...place,
      truth: path.describe("`gt_valid.mat`, or the same as JSON, relative to `data.root`."),
    }),
  ])
  .nullable()
  .default(null)
  .describe("Data that measures the run: AP for coco, PCKh for mpii. null: none.");

const dataSchema = z
  .strictObject({
    root: path
      .nullable()
      .default(null)
      .describe(
        "Folder that the paths of the data start from; null: the current one. The published recipes have `data/coco` and `data/mpii`.",
      ),
    cacheMegabytes: z
      .int()
      .min(0)
      .max(1_000_000)
      .default(256)
      .describe(
        "Decoded pictures that each loading thread keeps, in MiB (3 bytes a pixel); the others are decoded again in every epoch.",
      ),
    train: z.array(trainSchema).min(1).max(100).describe("Data sets to learn from, mixed."),
    validation: validationSchema,
    validationBoxes: path
      .nullable()
      .default(null)
      .describe(
        "Detections in COCO's format for the validation pictures, relative to `data.root`; null: the annotated boxes.",
      ),
  })
  .describe("What is learned from.");

const lossSchema = z
  .discriminatedUnion("type", [
    z.strictObject({
      type: z
        .literal("joints-mse")
        .describe("½ mean (w·(heatmap − target))², mean over keypoints (JointsMSELoss of the HRNet code)."),
      hardKeypoints: z
        .int()
        .min(1)
        .max(2048)
        .nullable()
        .default(null)
        .describe("Only that many keypoints of each person, those with the largest loss (OHKM; CPN uses 8)."),
      useTargetWeight: z
        .boolean()
        .default(true)
        .describe("Unlabelled keypoints do not count; false: they are learned as empty maps."),
      jointWeights: z
        .union([z.literal("coco"), z.array(z.number().min(0).max(1000)).min(1).max(2048)])
        .nullable()
        .default(null)
        .describe(
          'Weight of each keypoint; "coco": 1.2 for elbows and knees, 1.5 for wrists and ankles (USE_DIFFERENT_JOINTS_WEIGHT). null: all alike.',
        ),
    }),
  ])
  .prefault({ type: "joints-mse" })
  .describe("What is made small.");

const teacherSchema = z
  .strictObject({
    model: path.describe("Model file or published name; same skeleton and codec as the recipe."),
    weight: z
      .number()
      .positive()
      .max(1000)
      .default(1)
      .describe("Weight of the loss against the teacher's heatmaps, beside that against the annotations."),
    features: z
      .strictObject({
        layers: z
          .array(z.string().min(1).max(200))
          .min(1)
          .max(64)
          .describe(
            "Rectified layers by path, `*` for a name or a part of one: `backbone.stage*.*.relu`. Both networks must have them, in the same shapes.",
          ),
        weight: z
          .number()
          .positive()
          .max(1000)
          .default(0.01)
          .describe(
            "Weight of 1 − r, r the mean correlation of the network's channels with the teacher's; 0.01 is as much as heatmaps of nothing cost.",
          ),
      })
      .nullable()
      .default(null)
      .describe("Maps inside the network that are to be like the teacher's, too; null: heatmaps only."),
  })
  .nullable()
  .default(null)
  .describe("A trained network whose heatmaps are a second target (distillation); null: none.");

/** Keys of a pose recipe before those of every task. */
export const POSE_KEYS = {
  skeleton: path
    .nullable()
    .default(null)
    .describe("Name of a skeleton, or a JSON file with one; null: that of the first data set."),
  codec: codecSchema,
  data: dataSchema,
  augmentation: augmentationSchema.prefault({}).describe("Random crops: place, scale, rotation, mirror."),
  photometric: photometricSchema
    .prefault({})
    .describe("Random changes to the crops' colours, sharpness and what covers them; the papers use none."),
  loss: lossSchema,
  teacher: teacherSchema,
} as const;

/** What papers measure pose by. */
export const POSE_METRICS = ["AP", "PCKh"] as const;

const POSE = z.strictObject(POSE_KEYS);
type PoseKeys = z.infer<typeof POSE>;

/** What a pose recipe learns from. */
export type PoseData = PoseKeys["data"];
/** What a pose recipe makes small. */
export type PoseLoss = PoseKeys["loss"];

/**
 * Weights of COCO's keypoints under USE_DIFFERENT_JOINTS_WEIGHT (lib/dataset/coco.py of the official code): nose, eyes,
 * ears, shoulders 1; elbows 1.2; wrists 1.5; hips 1; knees 1.2; ankles 1.5.
 */
export const COCO_JOINT_WEIGHTS: readonly number[] = [
  1, 1, 1, 1, 1, 1, 1, 1.2, 1.2, 1.5, 1.5, 1, 1, 1.2, 1.2, 1.5, 1.5,
];
