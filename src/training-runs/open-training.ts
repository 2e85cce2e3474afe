// What a recipe trains, by its task.

import type { Recipe } from "../recipe/schema.ts";
import { openPoseTraining } from "./pose-training.ts";
import { openSegmentationTraining } from "./segmentation-training.ts";
import type { OpenTrainingOptions, TaskTraining } from "./training-task.ts";

/**
 * Reads data and weights of a recipe.
 * @throws HRNetError as the task's readers of data, checkpoints, skeletons and classes
 */
export function openTraining(recipe: Recipe, options: OpenTrainingOptions): Promise<TaskTraining> {
  return recipe.task === "pose"
    ? openPoseTraining(recipe, options)
    : openSegmentationTraining(recipe, options);
}
