// Names of every code base and wrapper, made from the official key lists: all come to the same network.
import { describe, expect, test } from "vitest";
import { inferNetworkConfig } from "../../src/models/infer-config.ts";
import type { NetworkConfig } from "../../src/models/network.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { type MappedWeights, mapKeys } from "../../src/weights/key-maps.ts";
import { DROPPED_BIASES, mmsegmentationName } from "../helpers/mmsegmentation-names.ts";
import { readKeyList } from "../helpers/procedural.ts";
import { fixture } from "../helpers/shared.ts";

type Shapes = Map<string, readonly number[]>;

const listOf = (name: string): Shapes =>
  new Map(readKeyList(fixture("keys", `${name}.json.gz`)).map(({ name: key, shape }) => [key, shape]));

/** The list with every name changed. */
const rename = (list: Shapes, change: (name: string) => string): Shapes =>
  new Map([...list].map(([name, shape]) => [change(name), shape]));

const prefixed = (list: Shapes, prefix: string): Shapes => rename(list, (name) => prefix + name);

const withExtra = (list: Shapes, ...names: string[]): Shapes =>
  new Map([...list, ...names.map((name) => [name, [3]] as const)]);

/** A state dict without elements: names and shapes are enough to recognise a network. */
function map(list: Shapes): MappedWeights {
  const state = new Map(
    [...list].map(([name, shape]) => [
      name,
      { dtype: "float32", shape, data: new Float32Array(0) } as Tensor,
    ]),
  );
  const mapped = mapKeys(state);
  expect(mapped).toBeDefined();
  return mapped!;
}

const configOf = ({ weights }: MappedWeights): NetworkConfig | undefined =>
  inferNetworkConfig(new Map([...weights].map(([name, { shape }]) => [name, shape])));

const POSE = listOf("pose_hrnet_w32_coco17");
const BASELINE = listOf("pose_resnet50_coco17");
const LITE = listOf("litehrnet18_coco17");
const SEG = listOf("seg_hrnet_w48_cityscapes19");
const OCR = listOf("seg_hrnet_ocr_w48_cityscapes19");
const CLS = listOf("cls_hrnet_w18");
const DET = listOf("det_hrnetv2p_w18");
const HIGHER = listOf("higher_hrnet_w32_512");

/** mmpose's names of a pose network: backbone and head apart. */
const mmpose = (list: Shapes, head: string): Shapes =>
  rename(list, (name) =>
    /^(final_layer|deconv_layers)\./.test(name) ? `${head}.${name}` : `backbone.${name}`,
  );

/** mmpose 1.x names of a Lite-HRNet file. */
const lite1x = (list: Shapes): Shapes => rename(list, (name) => name.replace(/^keypoint_head\./, "head."));

const mmdet = (list: Shapes): Shapes =>
  rename(list, (name) =>
    name
      .replace(/^neck\.reduction_conv\.0\./, "neck.reduction_conv.conv.")
      .replace(/^neck\.fpn_conv\.(\d+)\./, "neck.fpn_conv.$1.conv."),
  );

/** mmsegmentation's names of a segmentation network; its convolutions before a normalisation have no bias. */
const mmseg = (list: Shapes): Shapes =>
  new Map(
    [...list]
      .filter(([name]) => !DROPPED_BIASES.some(([bias]) => bias === name))
      .map(([name, shape]) => [mmsegmentationName(name), shape]),
  );
const withoutDropped = (list: Shapes): Shapes =>
  new Map([...list].filter(([name]) => !DROPPED_BIASES.some(([bias]) => bias === name)));

/** [what, official list, the same under other names, code base] */
const CASES: readonly (readonly [string, Shapes, Shapes, string])[] = [
  ["official pose", POSE, POSE, "HRNet pose"],
  ["pose, DataParallel", POSE, prefixed(POSE, "module."), "HRNet pose"],
  ["pose, torch.compile", POSE, prefixed(POSE, "_orig_mod."), "HRNet pose"],
  ["mmpose 0.x", POSE, mmpose(POSE, "keypoint_head"), "mmpose 0.x / Lite-HRNet"],
  ["mmpose 1.x", POSE, mmpose(POSE, "head"), "mmpose 1.x"],
  ["mmpose 1.x, DataParallel", POSE, prefixed(mmpose(POSE, "head"), "module."), "mmpose 1.x"],
  ["SimpleBaseline", BASELINE, BASELINE, "SimpleBaseline"],
  ["SimpleBaseline of mmpose 0.x", BASELINE, mmpose(BASELINE, "keypoint_head"), "mmpose 0.x / Lite-HRNet"],
  ["SimpleBaseline of mmpose 1.x", BASELINE, mmpose(BASELINE, "head"), "mmpose 1.x"],
  ["Lite-HRNet", LITE, LITE, "mmpose 0.x / Lite-HRNet"],
  ["Lite-HRNet of mmpose 1.x", LITE, lite1x(LITE), "mmpose 1.x"],
  ["segmentation, torch 1.1", SEG, prefixed(SEG, "model."), "HRNet-Semantic-Segmentation"],
  ["segmentation, torch 0.4", SEG, prefixed(SEG, "module.model."), "HRNet-Semantic-Segmentation"],
  ["OCR", OCR, prefixed(OCR, "model."), "HRNet-Semantic-Segmentation"],
  ["mmsegmentation FCN", withoutDropped(SEG), mmseg(SEG), "mmsegmentation FCN"],
  ["mmsegmentation OCR", withoutDropped(OCR), mmseg(OCR), "mmsegmentation OCR"],
  [
    "mmsegmentation OCR, DataParallel",
    withoutDropped(OCR),
    prefixed(mmseg(OCR), "module."),
    "mmsegmentation OCR",
  ],
  ["classification", CLS, prefixed(CLS, "module."), "HRNet-Image-Classification / timm"],
  ["timm", listOf("timm_hrnet_w18"), listOf("timm_hrnet_w18"), "HRNet-Image-Classification / timm"],
  [
    "timm features_only",
    listOf("timm_hrnet_w18_features_only"),
    listOf("timm_hrnet_w18_features_only"),
    "timm features",
  ],
  ["HRNet-Object-Detection", DET, DET, "HRNet-Object-Detection / mmdetection 1.x"],
  ["mmdetection", DET, mmdet(DET), "mmdetection 2.x/3.x"],
  ["HigherHRNet, fp16 wrapper", HIGHER, prefixed(HIGHER, "1."), "HRNet pose"],
];

describe("names of a code base", () => {
  test.each(CASES)("%s", (_, official, given, codeBase) => {
    const mapped = map(given);
    expect(mapped.codeBase).toBe(codeBase);
    expect([...mapped.weights.keys()].sort()).toEqual([...official.keys()].sort());
    expect(mapped.ignored).toEqual([]);
    expect([...mapped.origin.values()].sort()).toEqual([...given.keys()].sort());
    expect(configOf(mapped)).toEqual(configOf(map(official)));
  });

  test.each(CASES)("%s, saved by torch 0.4 without batch counters", (_, official, given) => {
    const old = new Map([...given].filter(([name]) => !name.endsWith("num_batches_tracked")));
    expect(configOf(map(old))).toEqual(configOf(map(official)));
  });
});

describe("what is beside the network is left out with the reason", () => {
  const reasons = (mapped: MappedWeights): Record<string, string> =>
    Object.fromEntries(mapped.ignored.map(({ name, reason }) => [name, reason]));

  test.each([
    ["torch 1.1", "model.", "loss.criterion.weight"],
    ["DataParallel around model and loss", "module.model.", "module.loss.criterion.weight"],
  ])("the loss's class weights, %s", (_, prefix, loss) => {
    const mapped = map(withExtra(prefixed(SEG, prefix), loss));
    expect([...mapped.weights.keys()].sort()).toEqual([...SEG.keys()].sort());
    expect(reasons(mapped)).toEqual({ [loss]: "training state" });
  });

  test("detection heads", () => {
    const heads = [
      "rpn_head.rpn_conv.weight",

      "bbox_head.scales.0.scale",
    ];
    for (const list of [DET, mmdet(DET)]) {
      const mapped = map(withExtra(list, ...heads));
      expect(reasons(mapped)).toEqual(Object.fromEntries(heads.map((name) => [name, "detection head"])));
      expect(configOf(mapped)).toEqual(configOf(map(DET)));
    }
  });

  test("the classifier of ImageNet weights", () => {
    const backbone = new Map([...POSE].filter(([name]) => !name.startsWith("final_layer.")));
    const mapped = map(withExtra(backbone, "head.0.0.0.conv1.weight", "fc.weight", "fc.bias"));
    expect(mapped.codeBase).toBe("ImageNet backbone");
    expect(reasons(mapped)).toEqual({
      "head.0.0.0.conv1.weight": "ImageNet classifier",
      "fc.weight": "ImageNet classifier",
      "fc.bias": "ImageNet classifier",
    });
    expect(configOf(mapped)).toBeUndefined(); // a backbone alone says nothing of the head
  });

  test("a name that two keys come to is taken once", () => {
    const mapped = map(withExtra(mmpose(POSE, "keypoint_head"), "final_layer.weight"));
    expect(mapped.weights.get("final_layer.weight")!.shape).toEqual([17, 32, 1, 1]);
    expect(reasons(mapped)).toEqual({ "final_layer.weight": "final_layer.weight was already given" });
  });
});

describe("names of no code base here", () => {
  test.each([
    ["YOLO", ["model.0.conv.weight", "model.24.m.0.weight"]],
    ["LSTM", ["lstm.weight_ih_l0", "lstm.weight_hh_l0"]],
    ["VGG", ["features.0.weight", "classifier.0.weight"]],
    ["nothing", []],
  ])("%s", (_, names) => {
    const state = new Map(
      names.map((name) => [name, { dtype: "float32", shape: [1], data: new Float32Array(1) } as Tensor]),
    );
    expect(mapKeys(state)).toBeUndefined();
  });
});
