// The model that comes with the package: what it is, what it weighs, and what it finds.
import { readFileSync, statSync } from "node:fs";
import { expect, test } from "vitest";
import { command as evalVerb } from "../../src/cli/eval.ts";
import { PoseEstimator } from "../../src/estimators/pose-estimator.ts";
import { EMBEDDED_MODEL, embeddedModelPath } from "../../src/model-file/embedded.ts";
import { loadModel } from "../../src/model-file/load-model.ts";
import { findVariant } from "../../src/models/find-variant.ts";
import { parseNetworkConfig } from "../../src/models/network.ts";
import { COCO_17 } from "../../src/skeleton/skeletons.ts";
import { runVerb } from "../helpers/cli.ts";
import { hasShared, shared } from "../helpers/shared.ts";

test("is a Lite-HRNet-18 with the paper's exchange for COCO's keypoints, of at most 5 MB", async () => {
  const { model, report } = await loadModel(EMBEDDED_MODEL);
  const { network, skeleton, task } = model.description;
  const paper = parseNetworkConfig(findVariant("lite-hrnet-18").config);
  expect(network).toEqual({ ...paper, fuse: "clean" });
  expect(task).toBe("pose");
  expect(skeleton!.keypoints).toEqual(COCO_17.keypoints);
  expect([report.ignored, report.initialized, report.zeroed]).toEqual([[], [], []]);
  expect(statSync(embeddedModelPath()).size).toBeLessThanOrEqual(5_000_000);
});

test("is what an estimator opens without a model, and comes with its card in the package", async () => {
  await using estimator = await PoseEstimator.load();
  expect(estimator.description.name).toBe(EMBEDDED_MODEL);
  const { files } = JSON.parse(readFileSync("package.json", "utf8")) as { files: string[] };
  expect(files).toContain("models");
  expect(readFileSync("models/README.md", "utf8")).toContain(EMBEDDED_MODEL);
});

test.skipIf(!hasShared("data", "coco-sample"))("finds people on photographs", async () => {
  const text = await runVerb(
    evalVerb(),
    shared("data", "coco-sample"),
    "--flip-test",
    "--json",
    "--device",
    "cpu",
  );
  expect(JSON.parse(text).AP).toBeGreaterThan(0.45);
});
