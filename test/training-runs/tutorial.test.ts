// The tutorial in small: people are drawn, a narrow HRNet learns them from scratch, and finds keypoints on pictures it never saw.
import { join } from "node:path";
import { expect, test } from "vitest";
import { readCocoKeypoints } from "../../src/data/coco.ts";
import { evaluateKeypoints } from "../../src/metrics/keypoint-eval.ts";
import { readRecipe } from "../../src/recipe/read-recipe.ts";
import { writeSyntheticDataset } from "../../src/synthetic/dataset.ts";
import { runTraining } from "../../src/training-runs/training-run.ts";
import { temporaryFolder } from "../helpers/cli.ts";

/** AP of somebody who knows the training set, but does not look at the picture: the mean person, put into every box. */
async function apOfMeanPerson(folder: string): Promise<number> {
  const read = (split: string) =>
    readCocoKeypoints(join(folder, "annotations", `person_keypoints_${split}.json`));
  const [train, val] = [await read("train"), await read("val")];
  const sums = train.skeleton.keypoints.map(() => ({ x: 0, y: 0, count: 0 }));
  for (const { keypoints, box } of train.annotations) {
    const [left, top, width, height] = box;
    sums.forEach((sum, k) => {
      const [x, y, v] = keypoints.slice(3 * k, 3 * k + 3) as [number, number, number];
      if (v === 0) return;
      sum.x += (x - left) / width;
      sum.y += (y - top) / height;
      sum.count++;
    });
  }
  const results = val.annotations.map(({ imageId, box }) => {
    const [left, top, width, height] = box;
    const keypoints = sums.flatMap(({ x, y, count }) => [
      left + (x / count) * width,
      top + (y / count) * height,
      1,
    ]);
    return { imageId, categoryId: 1, keypoints, score: 1 };
  });
  const truth = { imageIds: [...val.images.keys()], annotations: val.annotations };
  return evaluateKeypoints(truth, results, { sigmas: val.skeleton.sigmas }).stats.AP;
}

test("a network trained from scratch on drawn people finds the keypoints of others", async () => {
  const folder = temporaryFolder();
  const people = join(folder, "people");
  await writeSyntheticDataset(people, {
    ...{ train: 1000, val: 60, width: 96, height: 128, seed: 1, threads: 2 },
    ...{ people: 1, difficulty: 0, poses: ["standing"], yaw: [-20, 20] },
  });
  const recipe = await readRecipe("synthetic-people", [
    `data.root=${people}`,
    "epochs=3",
    "batchSize=8",
    "validate.every=3",
  ]);
  const { finished, best } = await runTraining(recipe, { out: join(folder, "run"), threads: 2 });
  expect(finished).toBe(true);
  expect(best!.metric).toBe("AP");
  expect(best!.value).toBeGreaterThan(0.25);
  expect(best!.value).toBeGreaterThan(2 * (await apOfMeanPerson(people)));
}, 300_000);
