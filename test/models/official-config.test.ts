// Configurations as the official code bases write them, names of configurations, and recognition of odd ones.
import { describe, expect, test } from "vitest";
import { HRNetError } from "../../src/errors.ts";
import { findVariant, outputChannels, variantOf, withOutputChannels } from "../../src/models/find-variant.ts";
import { inferNetworkConfig } from "../../src/models/infer-config.ts";
import { buildNetwork, parseNetworkConfig } from "../../src/models/network.ts";
import { fieldsOfOfficialConfig } from "../../src/models/official-config.ts";
import { VARIANTS } from "../../src/models/variants.ts";
import { tinyBaseline, tinyHRNet } from "../helpers/tiny-models.ts";

const configOf = (name: string) => parseNetworkConfig(findVariant(name).config);

/** A stage as yacs files list it. */
const stage = (modules: number, block: string, blocks: number[], channels: number[]) => ({
  NUM_MODULES: modules,
  NUM_BRANCHES: blocks.length,
  BLOCK: block,
  NUM_BLOCKS: blocks,
  NUM_CHANNELS: channels,
  FUSE_METHOD: "SUM",
});

/** experiments/coco/hrnet/w32_256x192_adam_lr1e-3.yaml, MODEL.EXTRA; stage 1 is fixed in that code. */
const POSE_W32 = {
  MODEL: {
    NAME: "pose_hrnet",
    NUM_JOINTS: 17,
    EXTRA: {
      FINAL_CONV_KERNEL: 1,
      PRETRAINED_LAYERS: ["conv1"],
      STAGE2: stage(1, "BASIC", [4, 4], [32, 64]),
      STAGE3: stage(4, "BASIC", [4, 4, 4], [32, 64, 128]),
      STAGE4: stage(3, "BASIC", [4, 4, 4, 4], [32, 64, 128, 256]),
    },
  },
};

/** The same with every key in lower case, as mm dicts are. */
function lower(value: unknown): unknown {
  if (Array.isArray(value) || typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key.toLowerCase(), lower(item)]));
}

describe("official configurations", () => {
  test("a yaml of the pose code changes W48 into W32", () => {
    const fields = fieldsOfOfficialConfig(POSE_W32);
    expect(parseNetworkConfig({ ...configOf("hrnet-w48"), ...fields })).toEqual(configOf("hrnet-w32"));
  });

  test("as an mm dict, or only its `extra`", () => {
    const fields = fieldsOfOfficialConfig(POSE_W32);
    expect(fieldsOfOfficialConfig({ config: lower(POSE_W32.MODEL) })).toEqual(fields);
    expect(fieldsOfOfficialConfig({ type: "HRNet", extra: lower(POSE_W32.MODEL.EXTRA) })).toEqual(fields);
    expect(fieldsOfOfficialConfig(POSE_W32.MODEL.EXTRA)).toEqual(fields);
  });

  test("stage 1 and the corner rule of the segmentation code", () => {
    const { EXTRA } = POSE_W32.MODEL;
    const STAGE1 = stage(1, "BOTTLENECK", [2], [48]);
    for (const [ALIGN_CORNERS, upsample] of [
      [true, "bilinear-align-corners"],
      [false, "bilinear"],
    ] as const) {
      const fields = fieldsOfOfficialConfig({ MODEL: { ALIGN_CORNERS, EXTRA: { ...EXTRA, STAGE1 } } });
      expect(fields).toMatchObject({ upsample, stage1: { blocks: 2, planes: 48 } });
      expect(fieldsOfOfficialConfig({ MODEL: { ALIGN_CORNERS } })).toEqual({ upsample });
    }
  });

  test("stages_spec of Lite-HRNet", () => {
    const spec = (module: string, width: number) => ({
      num_stages: 3,
      num_modules: [2, 4, 2],
      num_branches: [2, 3, 4],
      num_blocks: [2, 2, 2],
      module_type: Array(3).fill(module),
      with_fuse: [true, true, true],
      reduce_ratios: [8, 8, 8],
      num_channels: [2, 3, 4].map((n) => Array.from({ length: n }, (_, b) => width * 2 ** b)),
    });
    const other = configOf("lite-hrnet-30");
    const lite = fieldsOfOfficialConfig({ stages_spec: spec("LITE", 40) });
    expect(parseNetworkConfig({ ...other, ...lite })).toEqual(configOf("lite-hrnet-18"));
    const naive = fieldsOfOfficialConfig({ extra: spec("NAIVE", 30) });
    expect(parseNetworkConfig({ ...other, ...naive })).toEqual(configOf("naive-lite-hrnet-18"));
  });

  test("what is none comes back as it is", () => {
    const own = { fuse: "clean", head: { channels: 3 } };
    expect(fieldsOfOfficialConfig(own)).toEqual(own);
  });
});

describe("names of networks", () => {
  test("every variant has a name of its own and is found by it", () => {
    expect(new Set(VARIANTS.map(({ name }) => name)).size).toBe(VARIANTS.length);
    for (const variant of VARIANTS) expect(findVariant(variant.name)).toBe(variant);
    expect(() => findVariant("hrnet-w33")).toThrow(HRNetError);
    expect(() => findVariant("toString")).toThrow(/no network named toString/);
  });

  test("whatever the number of outputs", () => {
    const hand = withOutputChannels(configOf("hrnet-w32"), 21);
    expect(outputChannels(hand)).toBe(21);
    expect(variantOf(hand)!.name).toBe("hrnet-w32");
    expect(variantOf(tinyBaseline())).toBeUndefined();
    expect(outputChannels(configOf("hrnetv2p-w18"))).toBe(256); // of each level
  });
});

describe("recognition from shapes", () => {
  const shapesOf = (config: ReturnType<typeof configOf>) =>
    new Map(
      [...buildNetwork(config, [64, 64]).parameters].map(([name, { value }]) => [
        name,
        value.shape as number[],
      ]),
    );

  test.each([
    ["a 3×3 last convolution", tinyHRNet({ type: "heatmap", channels: 3, kernel: 3 })],
    ["tags of their own number", tinyHRNet({ type: "higher", channels: 5, tags: 2, blocks: 1 })],
    ["three levels", tinyHRNet({ type: "fpn", channels: 8, levels: 3 })],
    [
      "narrow OCR",
      tinyHRNet({ type: "ocr", channels: 3, mid: 6, key: 4 }, { upsample: "bilinear-align-corners" }),
    ],
    [
      "across-stage fusion",
      tinyHRNet({ type: "v1h", channels: 3 }, { upsample: "bilinear", fusion: "within" }),
    ],
  ])("%s", (_, config) => {
    expect(inferNetworkConfig(shapesOf(config))).toEqual(config);
  });

  test("no network of ours, or a damaged one", () => {
    expect(inferNetworkConfig(new Map([["features.0.weight", [64, 3, 3, 3]]]))).toBeUndefined();
    expect(inferNetworkConfig(new Map([["layer4.0.conv1.weight", [512, 256, 3, 3]]]))).toBeUndefined();
    const shapes = shapesOf(tinyHRNet({ type: "heatmap", channels: 3 }));
    shapes.delete("conv1.weight");
    expect(() => inferNetworkConfig(shapes)).toThrow(/conv1\.weight is missing/);
  });
});
