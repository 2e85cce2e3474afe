// Which group of a recipe each parameter belongs to, and what is frozen.

import { HRNetError, nearestNames } from "../errors.ts";
import type { FreezeRecipe, GroupRecipe } from "./training-schema.ts";

/** Parameters that are trained alike. */
export interface RecipeGroup {
  /** State-dict keys, in the network's order; at least one. */
  readonly names: readonly string[];
  /** Multiplies the learning rate. */
  readonly learningRateFactor: number;
  readonly weightDecay: number;
}

/** The trainable parameters of a network as a recipe divides them. */
export interface ParameterGroups {
  /** Those in none of the recipe's groups, then the recipe's groups in its order; without empty ones. */
  readonly groups: readonly RecipeGroup[];
  /** Parameters that stay as they are; they are in no group. */
  readonly frozen: readonly string[];
  /** Names of the batch normalisations (`stage4.0.branches.0.0.bn1`) that run on their stored statistics. */
  readonly frozenBatchNorms: ReadonlySet<string>;
}

/** The keys of a recipe that divide its parameters. */
export interface GroupingRecipe {
  readonly groups: readonly GroupRecipe[];
  readonly freeze: FreezeRecipe;
  readonly optimizer: { readonly weightDecay: number };
}

/** What a batch normalisation's running mean is called, below its name. */
const RUNNING_MEAN = ".running_mean";

/**
 * Puts every trainable parameter into the first group whose pattern it matches, and takes the frozen ones out.
 *
 * Patterns are JavaScript regular expressions, found anywhere in the name unless anchored. A frozen batch normalisation
 * keeps its mean and variance; its scale and shift are trained unless `freeze.parameters` matches them too.
 * @param names parameters and buffers by state-dict key, as a network lists them
 * @throws HRNetError `invalid-config` for a pattern that matches nothing, with names near it; when nothing is left to train
 */
export function groupParameters(
  names: ReadonlyMap<string, { readonly trainable: boolean }>,
  { groups, freeze, optimizer }: GroupingRecipe,
): ParameterGroups {
  const trainable = [...names].filter(([, info]) => info.trainable).map(([name]) => name);
  const norms = [...names.keys()]
    .filter((name) => name.endsWith(RUNNING_MEAN))
    .map((name) => name.slice(0, -RUNNING_MEAN.length));

  const matched = groups.map(({ match }, i) => matching(match, trainable, `groups.${i}.match`));
  const frozen = union(
    freeze.parameters.map((pattern, i) => matching(pattern, trainable, `freeze.parameters.${i}`)),
  );
  const frozenBatchNorms = union(
    freeze.batchNorm.map((pattern, i) => matching(pattern, norms, `freeze.batchNorm.${i}`)),
  );
  const left = trainable.filter((name) => !frozen.has(name));
  if (left.length === 0) {
    throw new HRNetError(
      "invalid-config",
      `freeze.parameters (${freeze.parameters.join(", ")}) matches all ${trainable.length} parameters; nothing is left to train.`,
    );
  }
  const groupOf = (name: string): number => matched.findIndex((members) => members.has(name)); // −1: in none
  const divided = [undefined, ...groups].map((group, i) => ({
    names: left.filter((name) => groupOf(name) === i - 1),
    learningRateFactor: group?.learningRateFactor ?? 1,
    weightDecay: group?.weightDecay ?? optimizer.weightDecay,
  }));
  return {
    groups: divided.filter((group) => group.names.length > 0),
    frozen: trainable.filter((name) => frozen.has(name)),
    frozenBatchNorms,
  };
}

const union = (sets: readonly ReadonlySet<string>[]): Set<string> => new Set(sets.flatMap((set) => [...set]));

/** @throws HRNetError `invalid-config` when nothing matches */
function matching(pattern: string, names: readonly string[], key: string): Set<string> {
  const expression = new RegExp(pattern);
  const found = names.filter((name) => expression.test(name));
  if (found.length > 0) return new Set(found);
  const near = nearestNames(literalOf(pattern), modulesAndNames(names));
  throw new HRNetError(
    "invalid-config",
    `${key} is "${pattern}", which matches none of the network's ${names.length} names. ` +
      `Names near it: ${near.join(", ")}.`,
  );
}

/** What is left of a pattern without its special characters: "^stage5\\." → "stage5." */
const literalOf = (pattern: string): string =>
  pattern.replace(/\\(.)/g, "$1").replace(/\.[*+]|[\^$*+?()[\]{}|]/g, "");

/** Every name and the modules that hold it: `stage2`, `stage2.0`, … */
function modulesAndNames(names: readonly string[]): string[] {
  const prefixes = names.flatMap((name) => {
    const parts = name.split(".");
    return parts.map((_, i) => parts.slice(0, i + 1).join("."));
  });
  return [...new Set(prefixes)];
}
