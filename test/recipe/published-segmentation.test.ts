// The segmentation recipes that come with the package against the figures and settings that paper and original code print.
import { expect, test } from "vitest";
import { buildNetwork } from "../../src/models/network.ts";
import { listRecipes, readRecipe } from "../../src/recipe/read-recipe.ts";
import type { SegmentationRecipe } from "../../src/recipe/schema.ts";
import {
  recipeClasses,
  recipeClassWeights,
  segmentationNetwork,
} from "../../src/recipe/segmentation-recipe.ts";
import { findPublished } from "../../src/weights/registry.ts";

/** Settings of a data set: `lib/config` and `experiments` of HRNet-Semantic-Segmentation. */
const SETS = {
  cityscapes: { classes: 19, base: 2048, scales: [0.5, 2.1], epochs: 484, batch: 3, decay: 5e-4 },
  "pascal-context": { classes: 59, base: 520, scales: [0.5, 2.1], epochs: 200, batch: 4, decay: 1e-4 },
  lip: { classes: 20, base: 473, scales: [0.5, 1.6], epochs: 150, batch: 10, decay: 5e-4 },
  ade20k: { classes: 150, base: 520, scales: [0.5, 2.1], epochs: 120, batch: 4, decay: 1e-4 },
} as const;

/**
 * Name, mIoU, learning rate, weight of a batch in the running statistics (0.01 before the branch HRNet-OCR). Figures: READMEs of
 * the branches and Wang et al. 2020 (arXiv:1908.07919).
 */
const ROWS: readonly (readonly [string, number, number, number])[] = [
  ["hrnetv2-w18-small-v1-cityscapes-512x1024", 70.3, 0.01, 0.01],
  ["hrnetv2-w18-small-v2-cityscapes-512x1024", 76.2, 0.01, 0.01],
  ["hrnetv2-w48-ade20k-520x520", 43.1, 0.02, 0.1],
  ["hrnetv2-w48-cityscapes-512x1024", 81.1, 0.01, 0.01],
  ["hrnetv2-w48-lip-473x473", 55.9, 0.007, 0.01],
  ["hrnetv2-w48-ocr-ade20k-520x520", 44.5, 0.02, 0.1],
  ["hrnetv2-w48-ocr-cityscapes-512x1024", 81.6, 0.01, 0.1],
  ["hrnetv2-w48-ocr-lip-473x473", 56.48, 0.007, 0.1],
  ["hrnetv2-w48-ocr-pascal-context-59-520x520", 56.2, 0.001, 0.1],
  ["hrnetv2-w48-ocr-pascal-context-60-520x520", 50.1, 0.001, 0.1],
  ["hrnetv2-w48-pascal-context-59-480x480", 54, 0.004, 0.01],
  ["hrnetv2-w48-pascal-context-60-480x480", 48.3, 0.004, 0.01],
];

const read = async (name: string): Promise<SegmentationRecipe> => {
  const recipe = await readRecipe(name);
  if (recipe.task !== "segmentation") throw new Error(`${name} is no segmentation recipe`);
  return recipe;
};

test("there is a recipe for every figure and a figure for every recipe", async () => {
  const all = await Promise.all((await listRecipes()).map((name) => readRecipe(name)));
  const names = all
    .filter(({ task, paper }) => task === "segmentation" && paper !== null)
    .map(({ name }) => name);
  expect(names).toEqual(ROWS.map(([name]) => name));
});

test.each(ROWS)(
  "%s has its figure and its original's settings",
  async (name, value, learningRate, momentum) => {
    const recipe = await read(name);
    const [, setting] = Object.entries(SETS).find(([set]) => name.includes(set))!;
    const ocr = name.includes("-ocr-");
    expect(recipe.paper).toMatchObject({ metric: "mIoU", value });
    expect(recipe.optimizer).toEqual({
      type: "sgd",
      learningRate,
      weightDecay: setting.decay,
      momentum: 0.9,
      nesterov: false,
    });
    expect(recipe.schedule).toEqual({ type: "poly", power: 0.9, minimum: 0 });
    expect(recipe.warmUp).toBeNull();
    expect([recipe.epochs, recipe.batchSize, recipe.accumulate]).toEqual([setting.epochs, setting.batch, 4]);
    expect(recipe.batchNormMomentum).toBe(momentum);
    const { baseSize, scales, flipProbability, stretch } = recipe.augmentation;
    expect({ baseSize, scales, flipProbability }).toEqual({
      baseSize: setting.base,
      scales: setting.scales,
      flipProbability: 0.5,
    });
    expect(stretch).toEqual(name.includes("lip") ? [473, 473] : null);
    expect(recipe.loss.hardPixels).toEqual(
      name.includes("ade20k") ? { threshold: 0.9, kept: 131_072 } : null,
    );
    expect(recipe.loss.auxiliaryWeight).toBe(0.4);
    expect(recipe.groups.map(({ match, learningRateFactor }) => [match, learningRateFactor])).toEqual(
      ocr && name.includes("pascal") ? [["cls|aux|ocr", 10]] : [],
    );
    expect(recipe.validate.flipTest).toBe(/lip|pascal/.test(name));
  },
);

test.each(ROWS.map(([name]) => name))(
  "%s: its classes, network, and the weights it starts from",
  async (name) => {
    const recipe = await read(name);
    const classes = await recipeClasses(recipe);
    const [, setting] = Object.entries(SETS).find(([set]) => name.includes(set))!;
    expect(classes.classes).toHaveLength(name.includes("context-60") ? 60 : setting.classes);
    expect(recipeClassWeights(recipe, classes.classes.length)?.length).toBe(
      name.includes("cityscapes") ? 19 : undefined,
    );
    const [height, width] = recipe.input;
    expect(name).toContain(`${height}x${width}`);
    const config = segmentationNetwork(recipe, classes.classes.length);
    const { graph } = buildNetwork(config, recipe.input);
    expect(graph.outputs["logits"]!.shape).toEqual([
      "N",
      classes.classes.length,
      Math.ceil(height / 4),
      Math.ceil(width / 4),
    ]);
    // Only the plain networks for Cityscapes, LIP and PASCAL-Context resize without aligned corners.
    expect(config).toMatchObject({
      upsample: name.includes("-ocr-") || name.includes("ade20k") ? "bilinear-align-corners" : "bilinear",
    });
    if (recipe.initialize === null) expect(name).toContain("small-v1");
    else expect(name.startsWith(findPublished(recipe.initialize.from).architecture)).toBe(true);
  },
);
