// Division of a real network's parameters by patterns.
import { expect, test } from "vitest";
import { buildNetwork } from "../../src/models/network.ts";
import { groupParameters } from "../../src/recipe/parameter-groups.ts";
import { tinyPose } from "../helpers/tiny-models.ts";

const { parameters } = buildNetwork(tinyPose(), [64, 64]);
const trainable = [...parameters].filter(([, { trainable }]) => trainable).map(([name]) => name);
const group = (match: string, learningRateFactor = 1, weightDecay: number | null = null) => ({
  match,
  learningRateFactor,
  weightDecay,
});
const nothing = { groups: [], freeze: { parameters: [], batchNorm: [] }, optimizer: { weightDecay: 0.1 } };

test("without groups all parameters are alike, and buffers are none", () => {
  const { groups, frozen, frozenBatchNorms } = groupParameters(parameters, nothing);
  expect(groups).toEqual([{ names: trainable, learningRateFactor: 1, weightDecay: 0.1 }]);
  expect(frozen).toEqual([]);
  expect(frozenBatchNorms.size).toBe(0);
});

test("the first matching group counts; frozen parameters are in none", () => {
  const { groups, frozen } = groupParameters(parameters, {
    ...nothing,
    groups: [group("^final_layer\\.", 10), group("bias$", 2, 0)],
    freeze: { parameters: ["^stage2\\.", "^conv1\\.weight$"], batchNorm: [] },
  });
  expect(groups.map(({ learningRateFactor, weightDecay }) => [learningRateFactor, weightDecay])).toEqual([
    [1, 0.1],
    [10, 0.1],
    [2, 0],
  ]);
  expect(groups[1]!.names).toEqual(["final_layer.weight", "final_layer.bias"]);
  expect(groups[2]!.names).toContain("stage3.0.branches.0.0.bn1.bias");
  expect(groups[2]!.names).not.toContain("final_layer.bias");
  expect(frozen).toEqual(trainable.filter((name) => name.startsWith("stage2.") || name === "conv1.weight"));
  expect([...groups.flatMap(({ names }) => names), ...frozen].sort()).toEqual([...trainable].sort());
});

test("frozen batch normalisations are named by module, their scale is trained on", () => {
  const freeze = { parameters: [], batchNorm: ["^bn1$", "^stage4\\."] };
  const { groups, frozenBatchNorms } = groupParameters(parameters, { ...nothing, freeze });
  const norms = [...parameters.keys()].flatMap((name) => /^(.*)\.running_var$/.exec(name)?.[1] ?? []);
  expect([...frozenBatchNorms]).toEqual(norms.filter((name) => name === "bn1" || name.startsWith("stage4.")));
  expect(frozenBatchNorms.size).toBeGreaterThan(2);
  expect(groups[0]!.names).toContain("bn1.weight");
});

test("a pattern that matches nothing is an error that names what is near", () => {
  const typo = { ...nothing, groups: [group("^final_laver\\.")] };
  expect(() => groupParameters(parameters, typo)).toThrow(/groups\.0\.match.*Names near it: final_layer/);
  const stage = { ...nothing, freeze: { parameters: ["^stage5"], batchNorm: [] } };
  expect(() => groupParameters(parameters, stage)).toThrow(/freeze\.parameters\.0.*stage\d/);
  const buffer = { ...nothing, groups: [group("running_mean")] };
  expect(() => groupParameters(parameters, buffer)).toThrow(/matches none/);
});

test("freezing everything is an error", () => {
  const all = { ...nothing, freeze: { parameters: ["."], batchNorm: [] } };
  expect(() => groupParameters(parameters, all)).toThrow(/nothing is left to train/);
});
