// The recipe that a resumed run goes on with.

import { HRNetError } from "../errors.ts";
import { parseRecipe } from "../recipe/read-recipe.ts";
import type { Recipe } from "../recipe/schema.ts";
import type { TrainingCheckpoint } from "../train/checkpoint.ts";

/** What may be otherwise in a resumed run: how long it is, and what changes no number. */
const MAY_CHANGE: readonly string[] = ["epochs", "workers"];

/**
 * The recipe of a checkpoint, with what of the given one may change.
 * @throws HRNetError `usage` when anything else is different
 */
export function resumedRecipe(
  { run }: TrainingCheckpoint,
  given: Recipe,
  onLog: (line: string) => void,
): Recipe {
  const recipe = parseRecipe(run.recipe, "The recipe in the checkpoint");
  const changed = (Object.keys(given) as (keyof Recipe)[]).filter(
    (key) => !MAY_CHANGE.includes(key) && JSON.stringify(given[key]) !== JSON.stringify(recipe[key]),
  );
  if (changed.length > 0) {
    throw new HRNetError(
      "usage",
      `The run was begun with another ${changed.join(", ")}. A resumed run goes on with its own recipe, of which only ` +
        `${MAY_CHANGE.join(" and ")} may change; begin a new run in another folder, with initialize.from naming the old run's ` +
        "checkpoint.",
    );
  }
  if (given.epochs !== recipe.epochs) onLog(`epochs: ${recipe.epochs} before, ${given.epochs} now`);
  return { ...recipe, epochs: given.epochs, workers: given.workers };
}
