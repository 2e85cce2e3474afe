// What a recipe says reaches the run: weights to start from, what is frozen, schedules, a teacher.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createGraph } from "../../src/graph/graph.ts";
import { lower } from "../../src/graph/lowering/lower.ts";
import { graphToModel } from "../../src/graph/onnx.ts";
import { encodeModel } from "../../src/graph/onnx-proto.ts";
import { Relu } from "../../src/graph/ops/elementwise.ts";
import { input } from "../../src/graph/value.ts";
import { importStateDict, type Model } from "../../src/model-file/import-checkpoint.ts";
import { loadModel, saveModel } from "../../src/model-file/load-model.ts";
import { toOnnx } from "../../src/model-file/onnx-model.ts";
import { buildNetwork } from "../../src/models/network.ts";
import { uniformRandom } from "../../src/random/random.ts";
import { openSession } from "../../src/runtime/node.ts";
import { COCO_17 } from "../../src/skeleton/skeletons.ts";
import { type Tensor, tensor } from "../../src/tensor/tensor.ts";
import { openCompanion } from "../../src/train/companion.ts";
import { poseLoss } from "../../src/training-runs/pose-loss.ts";
import { featuresOf, loadTeacher, taughtName } from "../../src/training-runs/teacher.ts";
import { relativeError } from "../helpers/near.ts";
import { randomPoseModel } from "../helpers/pose-model.ts";
import { fixture } from "../helpers/shared.ts";
import { writeCocoFolder } from "../helpers/synthetic-data.ts";
import { PLAIN_CPU } from "../helpers/targets.ts";
import { randomWeights, tinyBaseline, tinyPose } from "../helpers/tiny-models.ts";
import { eventsOf, runTiny, timelessFigures, tinyRecipe } from "../helpers/tiny-run.ts";

let root: string;
let start: Model;
const out = (name: string): string => join(root, name);

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "hrnet-test-"));
  await writeCocoFolder(root, 8);
  start = randomPoseModel();
  await saveModel(out("start.safetensors"), start);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const same = (a: Tensor | undefined, b: Tensor | undefined): boolean =>
  a !== undefined && b !== undefined && a.data.every((value, i) => Object.is(value, b.data[i]));

test("freezing, rates by group, warm-up and cosine", async () => {
  const recipe = tinyRecipe(root, {
    initialize: { from: out("start.safetensors"), strict: true },
    freeze: { parameters: ["^(conv1|bn1|layer1)\\."], batchNorm: ["^(bn1|layer1\\.)"] },
    groups: [{ match: "^stage2\\.", learningRateFactor: 0 }],
    schedule: { type: "cosine" },
    warmUp: { steps: 4, from: 0.2 },
    epochs: 5, // 2 batches each
  });
  const { files } = await runTiny(recipe, out("frozen"));
  const { model } = await loadModel(files.best!);
  const kept = [...model.weights].filter(([name, weight]) => same(weight, start.weights.get(name)));
  const wanted = [...start.weights.keys()].filter(
    (name) =>
      /^(conv1|bn1|layer1)\./.test(name) || (/^stage2\./.test(name) && !/running_|num_batches/.test(name)),
  );
  expect(kept.map(([name]) => name).sort()).toEqual(wanted.sort());
  const rates = (await timelessFigures(out("frozen"))) as { step: number; learningRate: number }[];
  const cosine = (step: number): number => (1e-3 * (1 + Math.cos((Math.PI * step) / 10))) / 2;
  for (const { step, learningRate } of rates) {
    const share = step - 1 < 4 ? 0.2 + (0.8 * (step - 1)) / 4 : 1; // the rate of step 1 is that of 0 steps done
    expect(learningRate, `step ${step}`).toBeCloseTo(share * cosine(step - 1), 12);
  }
  expect(rates.map(({ step }) => step)).toEqual([2, 4, 6, 8, 10]);
});

describe("fine-tuning", () => {
  test("another number of keypoints: a new head, said so; strict refuses", async () => {
    const few = {
      name: "hands",
      keypoints: COCO_17.keypoints.slice(9, 11),
      edges: [[0, 1]],
      flipPairs: [[0, 1]],
    };
    writeFileSync(out("hands.json"), JSON.stringify(few));
    const recipe = tinyRecipe(root, {
      skeleton: out("hands.json"),
      initialize: { from: out("start.safetensors") },
      optimizer: { type: "sgd", learningRate: 1e-12 },
    });
    const { files, lines } = await runTiny(recipe, out("hands"));
    const said = /final_layer\.weight, final_layer\.bias start anew/;
    expect(lines.join("\n")).toMatch(said);
    expect((await eventsOf(out("hands"))).join("\n")).toMatch(said);
    const { model } = await loadModel(files.best!);
    expect(model.description.skeleton!.keypoints).toEqual(few.keypoints);
    expect(model.weights.get("final_layer.weight")!.shape[0]).toBe(2);
    for (const name of [
      "conv1.weight",
      "stage2.0.branches.0.0.conv1.weight",
      "stage4.0.fuse_layers.0.1.0.weight",
    ])
      expect(same(model.weights.get(name), start.weights.get(name)), name).toBe(true);
    const strict = { ...recipe, initialize: { from: out("start.safetensors"), strict: true } };
    await expect(runTiny(strict, out("strict"))).rejects.toMatchObject({ code: "weights-mismatch" });
  });

  test("from a training checkpoint, and from a published format with channels in another order", async () => {
    const still = { type: "sgd", learningRate: 1e-12 } as const;
    await runTiny(tinyRecipe(root, { ema: { decay: 0.5 }, accumulate: 2 }), out("first"));
    const last = join(out("first"), "last.safetensors");
    const from = tinyRecipe(root, { initialize: { from: last, strict: true }, optimizer: still });
    const again = await runTiny(from, out("second"));
    const [ours, theirs] = [(await loadModel(again.files.best!)).model, (await loadModel(last)).model];
    expect(same(ours.weights.get("conv1.weight"), theirs.weights.get("conv1.weight"))).toBe(true);
    expect(same(ours.weights.get("final_layer.weight"), theirs.weights.get("final_layer.weight"))).toBe(true);

    const path = fixture("forward", "pose_resnet_basic_narrow", "model.pth");
    const { model: narrow } = await loadModel(path);
    const published = tinyRecipe(root, {
      network: { ...narrow.description.network },
      initialize: { from: path },
      skeleton: "coco-17",
      optimizer: still,
    });
    const { files } = await runTiny(published, out("published"));
    const { model } = await loadModel(files.best!);
    expect(model.description.preprocessing).toEqual(narrow.description.preprocessing);
    expect(same(model.weights.get("conv1.weight"), narrow.weights.get("conv1.weight"))).toBe(true);
  });
});

describe("a teacher", () => {
  test.each(["rgb", "bgr"] as const)(
    "gives what the model gives for the same pixels (%s)",
    async (channelOrder) => {
      const config = tinyBaseline();
      const { model } = importStateDict(randomWeights(config), "teacher", {
        input: [64, 64],
        config: { ...config },
      });
      const preprocessing = { ...model.description.preprocessing, channelOrder };
      const description = { ...model.description, preprocessing };
      await saveModel(out("teacher.safetensors"), { ...model, description });
      const random = uniformRandom(5);
      const pixels = Uint8Array.from({ length: 2 * 3 * 64 * 64 }, () => 256 * random());
      const teacher = await loadTeacher(out("teacher.safetensors"), {
        heatmaps: [2, 17, 16, 16],
        input: [64, 64],
      });
      // The pupil takes its pixels otherwise: red first, from −1 to 1.
      const x = input("x", "float32", [2, 3, 64, 64]);
      const half = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };
      const taught = graphToModel(createGraph([x], teacher.outputs(x, half)), { name: "teacher" });
      await using lesson = await openSession(encodeModel(taught), { device: "cpu", threads: 1 });
      const pupils = Float32Array.from(pixels, (value) => (value / 255 - 0.5) / 0.5);
      const { heatmaps: ours } = await lesson.run({ x: tensor("float32", [2, 3, 64, 64], pupils) });
      const { mean, std } = preprocessing;
      const normalized = Float32Array.from(pixels, (_, i) => {
        const [channel, cell] = [Math.floor(i / 4096) % 3, i % 4096];
        const source = channelOrder === "rgb" ? channel : 2 - channel;
        const value = pixels[Math.floor(i / 12288) * 12288 + source * 4096 + cell]!;
        return (value / 255 - mean[channel]!) / std[channel]!;
      });
      await using session = await openSession(toOnnx(model).onnx, { device: "cpu", threads: 1 });
      const [name] = session.inputs.map((spec) => spec.name);
      const result = await session.run({ [name!]: tensor("float32", [2, 3, 64, 64], normalized) });
      const expected = result["heatmaps"]!.data as Float32Array;
      expect(relativeError(ours!.data as Float32Array, expected)).toBeLessThan(1e-5);
      // Beside a step it takes the pixels themselves.
      await using beside = await openCompanion(teacher.companion, 1, { device: "cpu", threads: 1 });
      const fed = await beside.feedsOf(tensor("uint8", [2, 3, 64, 64], pixels));
      expect(relativeError(fed[taughtName("heatmaps")]!.data as Float32Array, expected)).toBeLessThan(1e-5);
    },
  );

  test("its loss: the weight times the mean square against its heatmaps, every keypoint alike", async () => {
    const [n, k, cells] = [2, 3, 20];
    const numbers = (salt: number) =>
      Array.from({ length: n * k * cells }, (_, i) => Math.sin(78.233 * i + salt));
    const [heatmaps, target, teacher] = [numbers(1), numbers(2), numbers(3)];
    const weight = [1, 0, 0.5, 2, 1, 0];
    const inputs = {
      heatmaps: input("heatmaps", "float32", [n, k, 4, 5]),
      target: input("target", "float32", [n, k, 4, 5]),
      weight: input("weight", "float32", [n, k]),
      teacher: input("teacher", "float32", [n, k, 4, 5]),
    };
    const { loss, teacher: options } = tinyRecipe(root, {
      teacher: { model: "t.safetensors", weight: 0.25 },
    });
    const outputs = { heatmaps: inputs.heatmaps, [taughtName("heatmaps")]: inputs.teacher };
    const terms = poseLoss({ loss, teacher: options }, 1, outputs, inputs);
    const graph = lower(createGraph(Object.values(inputs), { loss: terms.loss }), PLAIN_CPU);
    const model = encodeModel(graphToModel(graph, { name: "loss" }));
    await using session = await openSession(model, { device: "cpu", threads: 1 });
    const floats = (shape: number[], values: number[]) => tensor("float32", shape, Float32Array.from(values));
    const result = await session.run({
      heatmaps: floats([n, k, 4, 5], heatmaps),
      target: floats([n, k, 4, 5], target),
      weight: floats([n, k], weight),
      teacher: floats([n, k, 4, 5], teacher),
    });
    const half = 0.5 / (n * k * cells);
    const expected = heatmaps.reduce((sum, value, i) => {
      const w = weight[Math.floor(i / cells)]!;
      return sum + half * (w * w * (value - target[i]!) ** 2 + 0.25 * (value - teacher[i]!) ** 2);
    }, 0);
    expect((result["loss"]!.data as Float32Array)[0]! / expected).toBeCloseTo(1, 5);
  });

  test("features by path and shape; those of an equal network cost nothing, those of another one do", async () => {
    const { graph } = buildNetwork(tinyPose(), [64, 64], 2);
    const features = featuresOf(graph, ["stage2.*.relu", "layer1.*.relu"]);
    const shapes = [...features.keys()].map((name) => name.split(" ")[1]);
    expect(shapes.filter((shape) => shape === "2×16×16").length).toBeGreaterThan(0);
    for (const [name, value] of features) {
      expect(value.producer!.operator).toBe(Relu);
      expect(name).toBe(`${value.producer!.name} ${value.shape.slice(1).join("×")}`);
    }
    expect(() => featuresOf(graph, ["stage7.*"])).toThrow(/"stage7\.\*", but no rectified layer/);
    const layers = ["stage2.*.relu"];
    const lesson = (from: string, weight: number) =>
      tinyRecipe(root, {
        initialize: { from: out("start.safetensors") },
        // Stored statistics and a standstill: the pupil is the teacher.
        freeze: { batchNorm: ["."] },
        optimizer: { type: "sgd", learningRate: 1e-12 },
        teacher: { model: out(from), weight: 1e-9, features: { layers, weight } },
      });
    await saveModel(out("stranger.safetensors"), randomPoseModel(7));
    const lossOf = async (name: string, recipe: ReturnType<typeof lesson>): Promise<number> => {
      await runTiny(recipe, out(name));
      return ((await timelessFigures(out(name))) as { loss: number }[])[0]!.loss;
    };
    // All but the features is the same in both; 10 · (1 − r), r 1 for the teacher's own.
    const own = await lossOf("features-own", lesson("start.safetensors", 10));
    const other = await lossOf("features-other", lesson("stranger.safetensors", 10));
    expect(other - own).toBeGreaterThan(1);
    expect(other - own).toBeLessThan(15);
  });

  test("a run with one; another size of heatmaps is refused", async () => {
    const plain = await runTiny(tinyRecipe(root), out("untaught"));
    const taught = tinyRecipe(root, { teacher: { model: out("start.safetensors"), weight: 1 } });
    const { finished } = await runTiny(taught, out("taught"));
    expect([plain.finished, finished]).toEqual([true, true]);
    const loss = async (name: string) => ((await timelessFigures(out(name))) as { loss: number }[])[0]!.loss;
    expect(await loss("taught")).toBeGreaterThan(await loss("untaught"));
    // Beside the step, in one part or two, it says what it says inside, where features take it.
    const features = { layers: ["stage2.*.relu"], weight: 1e-9 };
    const { teacher } = taught;
    const inside = tinyRecipe(root, { teacher: { ...teacher!, features }, replicas: 2 });
    await runTiny(inside, out("inside"));
    await runTiny(tinyRecipe(root, { teacher: teacher!, replicas: 2 }), out("beside"));
    expect((await loss("beside")) / (await loss("inside"))).toBeCloseTo(1, 5);
    const other = tinyRecipe(root, { ...taught, codec: { name: "udp-combined" }, name: "other" });
    await expect(runTiny(other, out("refused"))).rejects.toThrow(
      /teacher .* gives heatmaps 4×17×16×16.*4×51/,
    );
  });
});

test("a recipe that varies samples without ever mirroring them is told so; replicas train on parts of the batch", async () => {
  const without = tinyRecipe(root, { augmentation: { scaleFactor: 0.2 }, epochs: 1 });
  await runTiny(without, out("unmirrored"));
  expect(await eventsOf(out("unmirrored"))).toContainEqual(expect.stringContaining("flipProbability is 0"));
  const mirrored = tinyRecipe(root, {
    augmentation: { scaleFactor: 0.2, flipProbability: 0.5 },
    replicas: 2,
    epochs: 1,
  });
  const { files } = await runTiny(mirrored, out("mirrored"));
  expect(await eventsOf(out("mirrored"))).not.toContainEqual(expect.stringContaining("flipProbability"));
  const { model } = await loadModel(files.last!);
  expect(
    [...model.weights.values()].every(({ data }) => Array.from(data, Number).every(Number.isFinite)),
  ).toBe(true);
});
