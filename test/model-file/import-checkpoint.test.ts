// From a state dict to a model: recognised, completed, accounted for; wrong files and wrong wishes are explained.
import { describe, expect, test } from "vitest";
import { HRNetError } from "../../src/errors.ts";
import { normalizationTable } from "../../src/image/warp.ts";
import { type ImportOptions, importStateDict } from "../../src/model-file/import-checkpoint.ts";
import { outputChannels } from "../../src/models/find-variant.ts";
import type { NetworkConfig } from "../../src/models/network.ts";
import { buildNetwork, parseNetworkConfig } from "../../src/models/network.ts";
import { VARIANTS } from "../../src/models/variants.ts";
import { COCO_17, MPII_16 } from "../../src/skeleton/skeletons.ts";
import { float32ArrayToBfloat16, float32ArrayToFloat16 } from "../../src/tensor/float16.ts";
import { type Tensor, tensor } from "../../src/tensor/tensor.ts";
import { maxDifference } from "../helpers/near.ts";
import { randomWeights, tinyBaseline, tinyHRNet, tinyPose } from "../helpers/tiny-models.ts";

type State = Map<string, Tensor>;

const POSE = randomWeights(tinyPose());

const without = (state: State, pattern: RegExp): State =>
  new Map([...state].filter(([name]) => !pattern.test(name)));
const renamed = (state: State, change: (name: string) => string): State =>
  new Map([...state].map(([name, value]) => [change(name), value]));
const one = (): Tensor => tensor("float32", [1]);

function refusal(state: State, options: ImportOptions = {}, source = "file.pth"): HRNetError {
  try {
    importStateDict(state, source, options);
  } catch (error) {
    expect(error).toBeInstanceOf(HRNetError);
    return error as HRNetError;
  }
  throw new Error("nothing was thrown");
}

/** Weights of zeros for a network by name. */
function zeros(config: NetworkConfig): State {
  return new Map(
    [...buildNetwork(config, [64, 64]).parameters].map(([name, { value }]) => [
      name,
      tensor(value.dtype, value.shape as number[]),
    ]),
  );
}

const variant = (name: string): NetworkConfig =>
  parseNetworkConfig(VARIANTS.find((row) => row.name === name)!.config);

describe("weights", () => {
  test("arrive unchanged under the network's names", () => {
    const { model, report } = importStateDict(POSE, "/x/pose.pth");
    expect(report).toMatchObject({
      codeBase: "HRNet pose",
      loaded: POSE.size,
      ignored: [],
      initialized: [],
      zeroed: [],
    });
    expect(model.weights).toEqual(POSE);
    expect(model.description).toMatchObject({
      name: "hrnet (custom)",
      task: "pose",
      network: tinyPose(),
      codec: { name: "quarter-offset" },
      skeleton: COCO_17,
      provenance: { source: "pose.pth", codeBase: "HRNet pose" },
    });
  });

  test.each([
    ["float16", 2 ** -11, (data: Float32Array) => float32ArrayToFloat16(data)],
    ["bfloat16", 2 ** -8, (data: Float32Array) => float32ArrayToBfloat16(data)],
    ["float64", 0, (data: Float32Array) => Float64Array.from(data)],
  ] as const)("stored as %s become float32", (dtype, precision, convert) => {
    const stored = new Map(
      [...POSE].map(([name, value]) => [
        name,
        value.dtype === "float32"
          ? tensor(dtype, value.shape, convert(value.data as Float32Array) as never)
          : value,
      ]),
    );
    const { model } = importStateDict(stored, "x.pth");
    for (const [name, value] of model.weights) {
      expect(value.dtype).toBe(POSE.get(name)!.dtype);
      if (value.dtype !== "float32") continue;
      const expected = POSE.get(name)!.data as Float32Array;
      const largest = Math.max(...expected.map(Math.abs));
      expect(maxDifference(value.data as Float32Array, expected)).toBeLessThanOrEqual(precision * largest);
    }
  });

  test("batch counters may be missing (torch 0.4) or of another type", () => {
    const old = importStateDict(without(POSE, /num_batches_tracked$/), "x.pth");
    expect(old.model.weights.get("bn1.num_batches_tracked")).toEqual(tensor("int64", []));
    const float = new Map(POSE).set("bn1.num_batches_tracked", tensor("float32", [1], Float32Array.of(5)));
    const { model } = importStateDict(float, "x.pth");
    expect(model.weights.get("bn1.num_batches_tracked")).toEqual(tensor("int64", [], BigInt64Array.of(5n)));
  });

  test("convolutions without bias before a batch normalisation (timm's ssld) get zeros, and the report says so", () => {
    const config = tinyHRNet({ type: "classification", channels: 10, planes: [2, 2, 2, 2], final: 8 });
    const state = without(randomWeights(config), /^(downsamp_modules\.\d|final_layer)\.0\.bias$/);
    const { model, report } = importStateDict(state, "ssld.pth");
    const names = ["downsamp_modules.0.0.bias", "downsamp_modules.1.0.bias", "downsamp_modules.2.0.bias"];
    expect(report.zeroed).toEqual([...names, "final_layer.0.bias"]);
    expect(model.weights.get("final_layer.0.bias")!.data).toEqual(new Float32Array(8));
    expect(model.description.task).toBe("classification");
  });
});

describe("what a pose network's outputs mean", () => {
  const description = (channels: number, source: string, options: ImportOptions = {}) =>
    importStateDict(randomWeights(tinyPose(channels)), source, options).model.description;

  test.each([
    [17, "x.pth", { codec: { name: "quarter-offset" }, skeleton: COCO_17 }],
    [16, "x.pth", { codec: { name: "quarter-offset" }, skeleton: MPII_16 }],
    [51, "x.pth", { codec: { name: "udp-combined" }, skeleton: COCO_17 }],
    [
      51,
      "hrnet_w32_coco_256x192_udp_regress-be2dbba4.pth",
      { codec: { name: "udp-combined" }, input: [256, 192] },
    ],
    [17, "hrnet_w32_coco_384x288_udp-0f89c63e.pth", { codec: { name: "udp", sigma: 3 }, input: [384, 288] }],
    [17, "hrnet_w32_coco_256x192_dark-07f147eb.pth", { codec: { name: "dark" }, input: [256, 192] }],
    [5, "x.pth", { codec: { name: "quarter-offset" }, skeleton: { keypoints: ["0", "1", "2", "3", "4"] } }],
  ])("%d channels of %s", (channels, source, expected) => {
    expect(description(channels, source)).toMatchObject(expected);
  });

  test("options come before what is guessed; a part of a codec changes that part", () => {
    expect(
      description(16, "a_256x192.pth", { input: [64, 64], codec: { name: "dark", blurKernel: 7 } }),
    ).toMatchObject({
      input: [64, 64],
      codec: { name: "dark", blurKernel: 7 },
    });
    expect(description(17, "a_384x288_dark.pth", { codec: { blurKernel: 5 } }).codec).toEqual({
      name: "dark",
      sigma: 3,
      blurKernel: 5,
    });
  });

  test("a skeleton of another number of keypoints is refused, with the likely reason", () => {
    expect(refusal(POSE, { skeleton: MPII_16 })).toMatchObject({
      code: "invalid-config",
      message: expect.stringMatching(/mpii-16 has 16 keypoints, the network 17/),
    });
    const combined = randomWeights(tinyPose(51));
    expect(refusal(combined, { skeleton: COCO_17, codec: { name: "dark" } }).message).toMatch(/udp-combined/);
  });

  test("the official SimpleBaseline files want BGR pixels, mmpose's RGB", () => {
    const state = randomWeights(tinyBaseline());
    const order = (given: State) =>
      importStateDict(given, "x.pth").model.description.preprocessing.channelOrder ?? "rgb";
    expect(order(state)).toBe("bgr");
    const mmpose = renamed(state, (name) =>
      /^(final_layer|deconv_layers)/.test(name) ? `keypoint_head.${name}` : `backbone.${name}`,
    );
    expect(order(mmpose)).toBe("rgb");
  });

  test("mmdetection's FCOS wants BGR pixels with the statistics of these channels, and knows COCO's classes", () => {
    const state = randomWeights(
      tinyHRNet({ type: "fcos", channels: 80, convs: 1, neck: { channels: 32, levels: 5 } }),
    );
    const mmdetection = renamed(state, (name) =>
      name
        .replace(/^neck\.reduction_conv\.0\./, "neck.reduction_conv.conv.")
        .replace(/^(neck\.fpn_conv\.\d+)\./, "$1.conv."),
    );
    const { description } = importStateDict(mmdetection, "fcos.pth").model;
    expect(description.provenance.codeBase).toBe("mmdetection FCOS");
    // 103.53, 116.28, 123.675 and 57.375, 57.12, 58.395 of 255.
    const table = normalizationTable(description.preprocessing);
    expect(table.channelOrder).toBe("bgr");
    [103.53, 116.28, 123.675].forEach((mean, plane) => {
      const std = [57.375, 57.12, 58.395][plane]!;
      expect(table.values[256 * plane + 200]).toBeCloseTo((200 - mean) / std, 2);
    });
    expect(description.classes!.classes[0]).toBe("person");
    expect(description.classes!.classes[79]).toBe("toothbrush");
  });
});

describe("a new head", () => {
  test("for another number of keypoints: the rest is kept, the head starts at N(0, 0.001²)", () => {
    const { model, report } = importStateDict(POSE, "x.pth", { outputs: 500 });
    expect(report.initialized).toEqual(["final_layer.weight", "final_layer.bias"]);
    expect(report.ignored).toEqual([
      { name: "final_layer.weight", reason: "head replaced" },
      { name: "final_layer.bias", reason: "head replaced" },
    ]);
    expect(outputChannels(model.description.network)).toBe(500);
    for (const [name, value] of model.weights) {
      if (!name.startsWith("final_layer.")) expect(value).toEqual(POSE.get(name));
    }
    const head = model.weights.get("final_layer.weight")!;
    const values = head.data as Float32Array; // 500×2×1×1
    expect(head.shape).toEqual([500, 2, 1, 1]);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
    // Of 1000 samples: three standard errors of the mean and of the deviation.
    expect(Math.abs(mean)).toBeLessThan((3 * 0.001) / Math.sqrt(1000));
    expect(Math.abs(deviation - 0.001)).toBeLessThan((3 * 0.001) / Math.sqrt(2000));
    expect(model.weights.get("final_layer.bias")!.data).toEqual(new Float32Array(500));
  });

  test("the same number is no new head; three channels per keypoint are counted as such", () => {
    expect(importStateDict(POSE, "x.pth", { outputs: 17 }).report.initialized).toEqual([]);
    const combined = randomWeights(tinyPose(51));
    const kept = importStateDict(combined, "x.pth", { outputs: 17 });
    expect(kept.report.initialized).toEqual([]);
    expect(kept.model.description).toMatchObject({ codec: { name: "udp-combined" }, skeleton: COCO_17 });
    const changed = importStateDict(combined, "x.pth", { outputs: 16, codec: { name: "udp-combined" } });
    expect(outputChannels(changed.model.description.network)).toBe(48);
    expect(changed.model.description.skeleton).toEqual(MPII_16);
  });

  test("a score recorded for the old head does not go with the new one", () => {
    const provenance = { score: "AP 0.75" };
    expect(importStateDict(POSE, "x", { provenance }).model.description.provenance.score).toBe("AP 0.75");
    const changed = importStateDict(POSE, "x", { provenance, outputs: 3 });
    expect(changed.model.description.provenance).not.toHaveProperty("score");
  });

  test.each([
    [
      "segmentation",
      tinyHRNet({ type: "v2", channels: 7 }, { upsample: "bilinear" }),
      ["last_layer.3.weight", "last_layer.3.bias"],
    ],
    [
      "OCR",
      tinyHRNet({ type: "ocr", channels: 7, mid: 8, key: 4 }, { upsample: "bilinear-align-corners" }),
      ["aux_head.3.weight", "aux_head.3.bias", "cls_head.weight", "cls_head.bias"],
    ],
    [
      "classification",
      tinyHRNet({ type: "classification", channels: 7, planes: [2, 2, 2, 2], final: 8 }),
      ["classifier.weight", "classifier.bias"],
    ],
    ["SimpleBaseline", tinyBaseline(), ["final_layer.weight", "final_layer.bias"]],
  ])("of %s", (_, config, names) => {
    const { model, report } = importStateDict(randomWeights(config), "x.pth", { outputs: 5 });
    expect(report.initialized).toEqual(names);
    expect(outputChannels(model.description.network)).toBe(5);
  });

  test("ImageNet weights start a pose network: what it has no place for is listed", () => {
    const pose = zeros(variant("hrnet-w18-small-v1"));
    const classification = zeros(variant("hrnet-w18-small-v1-c"));
    const options = { arch: "hrnet-w18-small-v1", outputs: 17 };
    for (const [state, beside] of [
      // Old files: classifier under head.*; new ones: the whole classification network.
      [
        without(classification, /^(incre|downsamp)_modules|^final_layer|^classifier/),
        ["head.0.0.0.conv1.weight", "fc.bias"],
      ],
      [classification, ["incre_modules.0.0.conv1.weight", "final_layer.0.weight", "classifier.weight"]],
    ] as const) {
      for (const name of beside) if (!state.has(name)) state.set(name, one());
      const { model, report } = importStateDict(state, "imagenet.pth", options);
      expect(report.initialized).toEqual(["final_layer.weight", "final_layer.bias"]);
      expect(report.loaded).toBe(pose.size - 2);
      const ignored = report.ignored.map(({ name }) => name);
      expect(ignored).toEqual(expect.arrayContaining(["stage4.0.fuse_layers.1.0.0.0.weight", ...beside]));
      expect(ignored.length).toBe(state.size - report.loaded);
      expect(model.description).toMatchObject({
        name: "hrnet-w18-small-v1",
        task: "pose",
        skeleton: COCO_17,
      });
    }
  }, 20_000);
});

test("a backbone alone starts a network with all of its head", () => {
  const resnet = without(randomWeights(tinyBaseline()), /^(deconv_layers|final_layer)\./).set(
    "fc.weight",
    one(),
  );
  expect(refusal(resnet).message).toMatch(/looks like a ResNet .*--arch and .*--keypoints/);
  const config = { ...tinyBaseline(3) };
  const { model, report } = importStateDict(resnet, "resnet.pth", { config, outputs: 3 });
  expect(report.ignored).toEqual([{ name: "fc.weight", reason: "ImageNet classifier" }]);
  expect(report.initialized.every((name) => /^(deconv_layers|final_layer)\./.test(name))).toBe(true);
  expect(report.initialized.length + report.loaded + 3).toBe(model.weights.size); // three new batch counters
});

describe("files that do not fit", () => {
  test("another width than --arch says: which shapes disagree, and what the file looks like", () => {
    const error = refusal(zeros(variant("hrnet-w18-small-v1")), { arch: "hrnet-w18-small-v2" });
    expect(error.code).toBe("weights-mismatch");
    expect(error.message).toMatch(/looks like hrnet-w18-small-v1 with 17 outputs/);
    expect(error.message).toMatch(
      /shapes disagree: layer1\.0\.conv1\.weight is \[?32×64×1×1\]? in the file, \[?64×64×1×1/,
    );
    expect(error.message).toMatch(/missing: .*layer1\.1\.conv1\.weight/);
  });

  test("weights that are missing are named", () => {
    const error = refusal(without(POSE, /^stage3\.0\.branches\.1\.0\.conv2/));
    expect(error).toMatchObject({ code: "weights-mismatch" });
    expect(error.message).toMatch(/missing: stage3\.0\.branches\.1\.0\.conv2\.weight/);
  });

  test("weights of no use are listed", () => {
    const state = new Map(POSE).set("extra.weight", one());
    expect(importStateDict(state, "x.pth").report.ignored).toEqual([
      { name: "extra.weight", reason: "not in this network" },
    ]);
  });

  test.each<[string, string[], RegExp]>([
    [
      "a ResNet classifier",
      ["conv1.weight", "layer1.0.conv1.weight", "layer4.0.conv1.weight", "fc.weight"],
      /looks like a ResNet .*no head/,
    ],
    ["a YOLO detector", ["model.0.conv.weight", "model.2.cv1.conv.weight"], /looks like a YOLO detector/],
    ["an LSTM", ["lstm.weight_ih_l0", "lstm.bias_ih_l0"], /looks like a recurrent network/],
    ["a vision transformer", ["blocks.0.attn.qkv.weight", "head.weight"], /looks like a vision transformer/],
    ["VGG", ["features.0.weight", "classifier.0.weight"], /looks like a torchvision classifier/],
    ["a Lite-HRNet backbone", ["backbone.stem.conv1.conv.weight"], /no head that is known/],
    [
      "numbers",
      ["a", "b", "c", "d", "e"],
      /looks like no network that is known here \(its weights: a, b, c, d, …\)/,
    ],
  ])("%s", (_, names, message) => {
    const error = refusal(new Map(names.map((name) => [name, one()])), {}, "what.pth");
    expect(error.code).toBe("weights-mismatch");
    expect(error.message).toMatch(/^what\.pth /);
    expect(error.message).toMatch(message);
  });

  test("an unknown architecture: the names there are", () => {
    expect(refusal(POSE, { arch: "hrnet-w33" })).toMatchObject({
      code: "unknown-model",
      message: expect.stringMatching(/hrnet-w33.*hrnet-w32, .*lite-hrnet-18/),
    });
  });
});
