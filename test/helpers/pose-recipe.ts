// Recipes that tests know to be for pose.
import { readRecipe } from "../../src/recipe/read-recipe.ts";
import type { PoseRecipe } from "../../src/recipe/schema.ts";

/** `readRecipe` of a pose recipe. */
export async function readPoseRecipe(...args: Parameters<typeof readRecipe>): Promise<PoseRecipe> {
  const recipe = await readRecipe(...args);
  if (recipe.task !== "pose") throw new Error(`${recipe.name} is a recipe for ${recipe.task}`);
  return recipe;
}
