// What a recipe trains, by its task.

import type { Recipe } from "../recipe/schema.ts";
import { openDetectionTraining } from "./detection-training.ts";
import { openPoseTraining } from "./pose-training.ts";
import { openSegmentationTraining } from "./segmentation-training.ts";
import type { OpenTrainingOptions, TaskTraining } from "./training-task.ts";

/**
 * Reads data and weights of a recipe.
 * @throws HRNetError as the task's readers of data, checkpoints, skeletons and classes
 */
export function openTraining(recipe: Recipe, options: OpenTrainingOptions): Promise<TaskTraining> {
  switch (recipe.task) {
    case "pose":
      return openPoseTraining(recipe, options);
    case "segmentation":
      return openSegmentationTraining(recipe, options);
    case "detection":
      return openDetectionTraining(recipe, options);
  }
}
