// The pose recipes that come with the package against the figures and settings that papers and original code print.
import { basename } from "node:path";
import { expect, test } from "vitest";
import { buildNetwork } from "../../src/models/network.ts";
import { recipeNetwork, recipeSkeleton } from "../../src/recipe/pose-recipe.ts";
import { listRecipes, readRecipe } from "../../src/recipe/read-recipe.ts";
import { resolveData } from "../../src/recipe/recipe-paths.ts";
import { findPublished } from "../../src/weights/registry.ts";
import { readPoseRecipe } from "../helpers/pose-recipe.ts";

/**
 * Figures by network, in the order COCO 256×192, COCO 384×288, MPII 256×256; null: no recipe. HRNet and SimpleBaseline: READMEs
 * and Table I of arXiv:1908.07919 (W48 on MPII: mmpose's model zoo). Lite-HRNet and small networks: arXiv:2104.06403 and its README.
 */
const FIGURES: Readonly<Record<string, readonly (number | null)[]>> = {
  "hrnet-w32": [74.4, 75.8, 90.3],
  "hrnet-w48": [75.1, 76.3, 90.1],
  "hrnet-w32-scratch": [73.4, null, null],
  "simple-baseline-50": [70.4, 72.2, 88.5],
  "simple-baseline-101": [71.4, 73.6, 89.1],
  "simple-baseline-152": [72.0, 74.3, 89.6],
  "lite-hrnet-18": [64.8, 67.6, 85.4],
  "lite-hrnet-30": [67.2, 70.4, 87.0],
  "naive-lite-hrnet-18": [62.5, null, 85.3],
  "wider-naive-lite-hrnet-18": [65.7, null, 86.8],
  "small-hrnet-w16": [55.2, 56.0, 80.2],
  "mobilenet-v2-pose": [64.6, 67.3, 85.4],
  "shufflenet-v2-pose": [59.9, 63.6, 82.8],
};

const PLACES = ["coco-256x192", "coco-384x288", "mpii-256x256"] as const;

/** What the original code of a family trains with; scale and rotation on COCO and on MPII. */
const SETTINGS = [
  {
    family: /^hrnet-w(32|48)/,
    rate: 1e-3,
    milestones: [170, 200],
    epochs: 210,
    warmUp: null,
    gpus: 4,
    vary: { coco: [0.35, 45], mpii: [0.25, 30] },
    halfBody: true,
  },
  {
    family: /^simple-baseline/,
    rate: 1e-3,
    milestones: [90, 120],
    epochs: 140,
    warmUp: null,
    gpus: 4,
    vary: { coco: [0.3, 40], mpii: [0.25, 30] },
    halfBody: false,
  },
  {
    family: /lite-hrnet|small-hrnet/,
    rate: 2e-3,
    milestones: [170, 200],
    epochs: 210,
    warmUp: { steps: 500, from: 0.001 },
    gpus: 8,
    vary: { coco: [0.25, 30], mpii: [0.25, 30] },
    halfBody: true,
  },
  {
    family: /net-v2-pose/,
    rate: 5e-4,
    milestones: [170, 200],
    epochs: 210,
    warmUp: { steps: 500, from: 0.001 },
    gpus: 8,
    vary: { coco: [0.5, 40], mpii: [0.5, 40] },
    halfBody: true,
  },
];

/** Persons per GPU. */
function batchOf(name: string): number {
  if (/^(lite|naive|wider|small)/.test(name)) return name.endsWith("coco-256x192") ? 64 : 32;
  if (/net-v2-pose/.test(name)) return 64;
  return name === "hrnet-w48-coco-384x288" ? 24 : 32;
}

const recipes = await Promise.all((await listRecipes()).map((name) => readRecipe(name)));
const names = recipes.filter(({ paper, task }) => paper !== null && task === "pose").map(({ name }) => name);
const expected = Object.entries(FIGURES).flatMap(([network, figures]) =>
  figures.flatMap((figure, i) => (figure === null ? [] : [[`${network}-${PLACES[i]}`, figure] as const])),
);

test("there is a recipe for every figure and a figure for every recipe", () => {
  expect(names).toEqual(expected.map(([name]) => name).sort());
});

test.each(expected)("%s has its figure and its original's settings", async (name, figure) => {
  const recipe = await readPoseRecipe(name, [], { folder: "/somewhere" });
  const mpii = name.includes("mpii");
  const setting = SETTINGS.find(({ family }) => family.test(name))!;
  expect(recipe.name).toBe(name);
  expect(recipe.paper).toMatchObject({ metric: mpii ? "PCKh" : "AP", value: figure });
  expect(recipe.optimizer).toEqual({
    type: "adam",
    learningRate: setting.rate,
    weightDecay: 0,
    betas: [0.9, 0.999],
    epsilon: 1e-8,
  });
  expect(recipe.schedule).toEqual({ type: "step", milestones: setting.milestones, factor: 0.1 });
  expect(recipe.warmUp).toEqual(setting.warmUp);
  expect([recipe.epochs, recipe.batchSize, recipe.accumulate]).toEqual([
    setting.epochs,
    batchOf(name),
    setting.gpus,
  ]);
  expect(recipe.codec).toEqual({ name: "quarter-offset", sigma: name.includes("384x288") ? 3 : 2 });
  const { scaleFactor, rotationFactor, rotationProbability, flipProbability, halfBody } = recipe.augmentation;
  expect([scaleFactor, rotationFactor]).toEqual(setting.vary[mpii ? "mpii" : "coco"]);
  expect([rotationProbability, flipProbability]).toEqual([0.6, 0.5]);
  expect(halfBody?.probability).toBe(setting.halfBody && !mpii ? 0.3 : undefined);
  expect(recipe.batchNormMomentum).toBe(0.1);
  const fromImageNet = /^(hrnet-w(32|48)-(coco|mpii)|simple-baseline)/.test(name);
  if (fromImageNet) {
    const backbone = findPublished(recipe.initialize!.from);
    expect(backbone).toMatchObject({ task: "backbone", architecture: recipe.network });
  } else expect(recipe.initialize).toBeNull();
  expect(resolveData(recipe.data).train[0]).toMatchObject(
    mpii
      ? { annotations: "/somewhere/data/mpii/annot/train.json", images: "/somewhere/data/mpii/images" }
      : {
          annotations: "/somewhere/data/coco/annotations/person_keypoints_train2017.json",
          images: "/somewhere/data/coco/train2017",
        },
  );
});

test.each(names)("%s builds its network", async (name) => {
  const recipe = await readPoseRecipe(name);
  const keypoints = (await recipeSkeleton(recipe))!.keypoints.length;
  const [height, width] = recipe.input;
  expect(basename(name)).toContain(`${height}x${width}`);
  expect(keypoints).toBe(name.includes("mpii") ? 16 : 17);
  const { graph } = buildNetwork(recipeNetwork(recipe, keypoints), recipe.input);
  expect(graph.outputs["heatmaps"]!.shape).toEqual(["N", keypoints, height / 4, width / 4]);
});
