// Segmentation checkpoints of other code bases: the same logits as from the official names; InPlace-ABN files; backbones.
import { expect, test } from "vitest";
import { importStateDict, type Model } from "../../src/model-file/import-checkpoint.ts";
import { toOnnx } from "../../src/model-file/onnx-model.ts";
import { inferNetworkConfig } from "../../src/models/infer-config.ts";
import { type NetworkConfig, parseNetworkConfig } from "../../src/models/network.ts";
import { uniformRandom } from "../../src/random/random.ts";
import { openSession } from "../../src/runtime/node.ts";
import { type Tensor, tensor } from "../../src/tensor/tensor.ts";
import { DROPPED_BIASES, mmsegmentationName } from "../helpers/mmsegmentation-names.ts";
import { maxDifference } from "../helpers/near.ts";
import { randomWeights, tinyHRNet } from "../helpers/tiny-models.ts";

type State = Map<string, Tensor>;

const OCR: NetworkConfig = tinyHRNet(
  { type: "ocr", channels: 5, mid: 8, key: 4 },
  { upsample: "bilinear-align-corners" },
);
const PLAIN: NetworkConfig = tinyHRNet({ type: "v2", channels: 5 }, { upsample: "bilinear" });

/** Logits of a random input of an odd size. */
async function logitsOf(model: Model): Promise<Float32Array> {
  const { onnx } = toOnnx({ ...model, description: { ...model.description, input: [49, 65] } });
  await using session = await openSession(onnx, { device: "cpu", threads: 1 });
  const random = uniformRandom(2);
  const input = tensor("float32", [1, 3, 49, 65], Float32Array.from({ length: 3 * 49 * 65 }, random));
  const { logits } = await session.run({ input });
  return logits!.data as Float32Array;
}

/** The state as mmsegmentation has it: its names, and biases before normalisations folded into their means. */
function asMmsegmentation(state: State): State {
  const folded = new Map(state);
  for (const [bias, mean] of DROPPED_BIASES) {
    const shift = folded.get(bias)?.data as Float32Array | undefined;
    if (!shift) continue;
    const { shape, data } = folded.get(mean)!;
    folded.set(
      mean,
      tensor(
        "float32",
        shape,
        (data as Float32Array).map((value, i) => value - shift[i]!),
      ),
    );
    folded.delete(bias);
  }
  return new Map([...folded].map(([name, value]) => [mmsegmentationName(name), value]));
}

test.each([
  ["FCN", PLAIN, ["last_layer.0.bias"]],
  ["OCR", OCR, ["aux_head.0.bias", "conv3x3_ocr.0.bias"]],
] as const)(
  "mmsegmentation's %s gives the official network's logits, resized without aligned corners",
  async (kind, config, zeroed) => {
    const state = randomWeights(config, 7);
    const official = importStateDict(state, "official.pth", { config: { upsample: "bilinear" } });
    const { model, report } = importStateDict(asMmsegmentation(state), "mmseg.pth");
    expect(report).toMatchObject({ codeBase: `mmsegmentation ${kind}`, ignored: [], zeroed, converted: [] });
    expect(model.description).toMatchObject({ task: "segmentation", network: { upsample: "bilinear" } });
    const [expected, given] = [await logitsOf(official.model), await logitsOf(model)];
    expect(maxDifference(given, expected)).toBeLessThan(1e-5 * Math.max(...expected.map(Math.abs)));
    // Corners on corners would be something else.
    const aligned = importStateDict(state, "official.pth", {
      config: { upsample: "bilinear-align-corners" },
    });
    expect(maxDifference(await logitsOf(aligned.model), expected)).toBeGreaterThan(1e-3);
  },
);

test("files of InPlace-ABN: scales become |scale| + 1e-5, and the report names them", () => {
  const state = new Map(
    [...randomWeights(PLAIN, 7)].filter(([name]) => !name.endsWith("num_batches_tracked")),
  );
  const scale = state.get("bn1.weight")!.data as Float32Array;
  scale[0] = -0.5;
  const prefixed = new Map([...state].map(([name, value]) => [`model.${name}`, value]));
  const { model, report } = importStateDict(prefixed, "hrnet_cs_torch04.pth");
  const normalisations = [...state.keys()].filter((name) => name.endsWith("running_var")).length;
  expect(report.converted).toHaveLength(normalisations);
  expect((model.weights.get("bn1.weight")!.data as Float32Array)[0]).toBeCloseTo(0.50001, 7);
  for (const name of report.converted) {
    const given = state.get(name)!.data as Float32Array;
    (model.weights.get(name)!.data as Float32Array).forEach((value, i) => {
      expect(value).toBeCloseTo(Math.abs(given[i]!) + 1e-5, 6);
    });
  }
  expect(model.weights.get("last_layer.0.weight")).toEqual(state.get("last_layer.0.weight"));
  const ordinary = importStateDict(prefixed, "x.pth", { normalization: "ordinary" });
  expect(ordinary.report.converted).toEqual([]);
  expect(ordinary.model.weights.get("bn1.weight")).toEqual(state.get("bn1.weight"));
});

test("files with batch counters, and poses of torch 0.4, have ordinary normalisations", () => {
  expect(importStateDict(randomWeights(PLAIN, 7), "x.pth").report.converted).toEqual([]);
  const pose = randomWeights(tinyHRNet({ type: "heatmap", channels: 17 }), 7);
  const old = new Map([...pose].filter(([name]) => !name.endsWith("num_batches_tracked")));
  expect(importStateDict(old, "x.pth").report.converted).toEqual([]);
});

test("a classification checkpoint is the backbone of a new segmentation head", () => {
  const classification = randomWeights(
    tinyHRNet({ type: "classification", channels: 10, planes: [2, 2, 2, 2], final: 8 }),
    3,
  );
  const { model, report } = importStateDict(classification, "cls.pth", { config: { ...PLAIN }, outputs: 5 });
  expect(model.description.task).toBe("segmentation");
  expect(report.initialized.length).toBeGreaterThan(0);
  expect(report.initialized.every((name) => name.startsWith("last_layer."))).toBe(true);
  expect(model.weights.get("stage4.0.branches.3.0.conv1.weight")).toEqual(
    classification.get("stage4.0.branches.3.0.conv1.weight"),
  );
});

test("Lite-HRNet with a segmentation head is recognised", () => {
  const config = parseNetworkConfig({
    family: "lite-hrnet",
    stages: [{ modules: 1, channels: [8, 16] }],
    block: { type: "weighting", reduce: 4 },
    head: { type: "segmentation", channels: 7 },
  });
  const state = randomWeights(config, 3);
  expect(inferNetworkConfig(new Map([...state].map(([name, { shape }]) => [name, shape])))).toEqual(config);
  const { model, report } = importStateDict(state, "lite.safetensors");
  expect(report.codeBase).toBe("Lite-HRNet backbone");
  expect(model.description).toMatchObject({ task: "segmentation", classes: { classes: { length: 7 } } });
});
