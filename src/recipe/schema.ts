// The schema of a recipe: what every task's has, and one variant per task.

import { z } from "zod";
import { HRNetError } from "../errors.ts";
import { findVariant } from "../models/find-variant.ts";
import { parseNetworkConfig } from "../models/network.ts";
import type { Task } from "../models/variants.ts";
import { skeletonByName } from "../skeleton/skeletons.ts";
import { DETECTION_KEYS, DETECTION_METRICS } from "./detection-schema.ts";
import { COCO_JOINT_WEIGHTS, POSE_KEYS, POSE_METRICS } from "./pose-schema.ts";
import { isFileName } from "./recipe-paths.ts";
import { SEGMENTATION_KEYS, SEGMENTATION_METRICS } from "./segmentation-schema.ts";
import { TRAINING_KEYS } from "./training-schema.ts";

/** Keys of the file alone; a recipe that has been read has none of them. */
const FILE_KEYS = {
  $schema: z.string().optional().describe("For editors; `recipe.schema.json` of this folder. Ignored."),
  extends: z
    .string()
    .min(1)
    .optional()
    .describe(
      "Name or file of a recipe that gives every key this one leaves out, apart from `name`, `about` and `paper`.",
    ),
};

const sizeInPixels = z.int().min(32).max(4096);

const NAME_TEXT = "Name of the run and its model; the file's name if left out.";

const about = (metrics: readonly [string, ...string[]]) => ({
  name: z.string().min(1).max(200).describe(NAME_TEXT),
  about: z.string().max(2000).default("").describe("What it is, and what it leaves open."),
  paper: z
    .strictObject({
      metric: z.enum(metrics).describe("What the figure measures."),
      value: z.number().min(0).max(100).describe("In percent."),
      of: z.string().min(1).max(500).describe("Where it is printed, and how it was measured."),
    })
    .nullable()
    .default(null)
    .describe("Published figure of this training; null: none."),
});

const network = (task: Task) =>
  z
    .union([z.string().min(1), z.looseObject({ family: z.string() })])
    .superRefine((value, context) => {
      try {
        checkNetwork(value, task);
      } catch (error) {
        if (!(error instanceof HRNetError)) throw error;
        context.addIssue({ code: "custom", message: error.message });
      }
    })
    .describe(
      "Name of a network (`hrnet models`) or a configuration (see [Models](models.md)); its number of outputs is made to fit.",
    );

/** @throws HRNetError when it is no network for the task */
function checkNetwork(value: string | object, task: Task): void {
  if (typeof value !== "string") {
    parseNetworkConfig(value);
    return;
  }
  const variant = findVariant(value);
  if (variant.task !== task) {
    throw new HRNetError(
      "invalid-config",
      `${value} is a network for ${variant.task}, not for ${task}; \`hrnet models\` lists them.`,
    );
  }
}

const NETWORK_KEYS = {
  input: z.tuple([sizeInPixels, sizeInPixels]).describe("Height and width of the input in pixels."),
  initialize: z
    .strictObject({
      from: z
        .string()
        .min(1)
        .max(4096)
        .describe("Checkpoint or model file, or the name of a published one (`hrnet download` lists them)."),
      strict: z
        .boolean()
        .default(false)
        .describe(
          "Every parameter must be there in its shape. false: what is not, as the head for another number of keypoints, starts anew and is listed.",
        ),
    })
    .nullable()
    .default(null)
    .describe("Weights to start from; null: the network's random ones."),
};

const pose = z.strictObject({
  ...about(POSE_METRICS),
  task: z.literal("pose").describe("Keypoints of persons in boxes (top-down)."),
  network: network("pose"),
  ...NETWORK_KEYS,
  ...POSE_KEYS,
  ...TRAINING_KEYS,
});

const segmentation = z.strictObject({
  ...about(SEGMENTATION_METRICS),
  task: z.literal("segmentation").describe("A class for each pixel."),
  network: network("segmentation"),
  ...NETWORK_KEYS,
  ...SEGMENTATION_KEYS,
  ...TRAINING_KEYS,
});

const detection = z.strictObject({
  ...about(DETECTION_METRICS),
  task: z.literal("detection").describe("Boxes of objects."),
  network: network("detection"),
  ...NETWORK_KEYS,
  ...DETECTION_KEYS,
  ...TRAINING_KEYS,
});

/** A complete detection recipe: every default filled in. */
export type DetectionRecipe = z.infer<typeof detection>;

/** A complete segmentation recipe: every default filled in. */
export type SegmentationRecipe = z.infer<typeof segmentation>;

/** A complete pose recipe: every default filled in. */
export type PoseRecipe = z.infer<typeof pose>;

type Issue = (path: (string | number)[], message: string) => void;

const issuesOf =
  (context: z.RefinementCtx): Issue =>
  (path, message) =>
    context.addIssue({ code: "custom", path, message });

/** What no single key can say, of any task. */
function checkTraining(
  { optimizer, batchSize, replicas }: Pick<PoseRecipe, "optimizer" | "batchSize" | "replicas">,
  issue: Issue,
): void {
  if (optimizer.type === "sgd" && optimizer.nesterov && optimizer.momentum === 0) {
    issue(["optimizer", "nesterov"], "needs a momentum above 0");
  }
  if (batchSize % replicas !== 0) {
    issue(["replicas"], `a batch of ${batchSize} does not come in ${replicas} equal parts`);
  }
}

function checkPose(recipe: PoseRecipe, context: z.RefinementCtx): void {
  const issue = issuesOf(context);
  checkTraining(recipe, issue);
  const { skeleton, loss, data } = recipe;
  if (data.validationBoxes !== null && data.validation?.format !== "coco") {
    issue(["data", "validationBoxes"], "works only with validation data in COCO's format");
  }
  if (skeleton === null || isFileName(skeleton)) return;
  let keypoints: number;
  try {
    keypoints = skeletonByName(skeleton).keypoints.length;
  } catch (error) {
    issue(["skeleton"], (error as Error).message);
    return;
  }
  if ((loss.hardKeypoints ?? 0) > keypoints) {
    issue(["loss", "hardKeypoints"], `the skeleton ${skeleton} has ${keypoints} keypoints`);
  }
  const weights = loss.jointWeights === "coco" ? COCO_JOINT_WEIGHTS : loss.jointWeights;
  if (weights !== null && weights.length !== keypoints) {
    issue(
      ["loss", "jointWeights"],
      `${weights.length} weights for the ${keypoints} keypoints of ${skeleton}`,
    );
  }
}

/** Any task's recipe, complete. A further task is a further member here and in {@link recipeFileSchema}. */
export const recipeSchema = z.discriminatedUnion("task", [
  pose.superRefine(checkPose),
  segmentation.superRefine((recipe, context) => checkTraining(recipe, issuesOf(context))),
  detection.superRefine((recipe, context) => checkTraining(recipe, issuesOf(context))),
]);

/** A recipe as a file has it: the description of every key is taken from here. */
export const recipeFileSchema = z.discriminatedUnion("task", [
  z.strictObject({ ...FILE_KEYS, ...pose.shape, name: pose.shape.name.optional().describe(NAME_TEXT) }),
  z.strictObject({
    ...FILE_KEYS,
    ...segmentation.shape,
    name: segmentation.shape.name.optional().describe(NAME_TEXT),
  }),
  z.strictObject({
    ...FILE_KEYS,
    ...detection.shape,
    name: detection.shape.name.optional().describe(NAME_TEXT),
  }),
]);

/** Any task's recipe, complete: every default filled in. */
export type Recipe = z.infer<typeof recipeSchema>;

/** A recipe as people write it: what has a default may be left out. */
export type RecipeInput = z.input<typeof recipeSchema>;
