// The tutorial in small: people are drawn, a narrow HRNet learns them from scratch, and finds keypoints on pictures it never saw.
import { join } from "node:path";
import { expect, test } from "vitest";
import { readCocoKeypoints } from "../../src/data/coco.ts";
import { evaluateKeypoints } from "../../src/metrics/keypoint-eval.ts";
import { readRecipe } from "../../src/recipe/read-recipe.ts";
import { readMetricsLog } from "../../src/report/metrics-log.ts";
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
    ...{ train: 400, val: 60, width: 72, height: 96, seed: 1, threads: 2 },
    ...{ people: 1, difficulty: 0, poses: ["standing"], yaw: [-30, 30] },
  });
  const recipe = await readRecipe("synthetic-people", [
    `data.root=${people}`,
    "input=[96,64]",
    "epochs=12",
    "validate.every=12",
  ]);
  const out = join(folder, "run");
  const { finished, best } = await runTraining(recipe, { out, threads: 2 });
  const chance = await apOfMeanPerson(people);
  const losses = (await readMetricsLog(join(out, "metrics.jsonl"))).flatMap((record) =>
    record.kind === "step" ? [record.loss] : [],
  );
  console.log({ best, chance, first: losses[0], last: losses.at(-1) });
  expect(finished).toBe(true);
  expect(best!.value).toBeGreaterThan(0.25);
}, 120_000);
