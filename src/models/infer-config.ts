// The configuration of a network, read off the names and shapes of its weights.

import { HRNetError } from "../errors.ts";
import { type NetworkConfig, parseNetworkConfig } from "./network.ts";

/** Shapes by canonical state-dict key. */
export type Shapes = ReadonlyMap<string, readonly number[]>;

/** How many consecutive numbers n = 0, 1, … have a key that starts with `prefix + n + "."`. */
function countChildren(keys: readonly string[], prefix: string): number {
  let count = 0;
  const found = new Set<number>();
  for (const key of keys) {
    if (key.startsWith(prefix)) found.add(Number.parseInt(key.slice(prefix.length), 10));
  }
  while (found.has(count)) count++;
  return count;
}

/** Size `axis` of the weight `key`. */
function size(shapes: Shapes, key: string, axis = 0): number {
  const value = shapes.get(key)?.[axis];
  if (value === undefined) {
    throw new HRNetError("weights-mismatch", `The weights look like a known network but ${key} is missing.`);
  }
  return value;
}

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** Backbone of parallel branches below `root`. */
function inferHRNetBody(shapes: Shapes, root: string) {
  const keys = [...shapes.keys()].filter((key) => key.startsWith(root)).map((key) => key.slice(root.length));
  const at = (key: string, axis = 0): number => size(shapes, root + key, axis);
  const fused: boolean[][] = [];
  const stages = [];
  for (let s = 2; keys.some((key) => key.startsWith(`stage${s}.0.branches.0.`)); s++) {
    const modules = countChildren(keys, `stage${s}.`);
    const branches = range(countChildren(keys, `stage${s}.0.branches.`));
    const path = (b: number): string => `stage${s}.0.branches.${b}.`;
    stages.push({
      modules,
      block: shapes.has(`${root}${path(0)}0.conv3.weight`) ? "bottleneck" : "basic",
      blocks: branches.map((b) => countChildren(keys, path(b))),
      channels: branches.map((b) => at(`${path(b)}0.conv1.weight`)),
    });
    fused.push(range(modules).map((m) => keys.some((key) => key.startsWith(`stage${s}.${m}.fuse_layers.`))));
  }
  const across = fused.some((stage) => stage.slice(0, -1).some((fuses) => !fuses));
  const early = fused.slice(0, -1).some((stage) => stage.at(-1));
  const parallel = stages.some((stage) => stage.channels.length > 1);
  const lower = shapes.get(`${root}stage2.0.fuse_layers.1.0.0.weight`);
  return {
    family: "hrnet",
    stem: at("conv1.weight"),
    stage1: { blocks: countChildren(keys, "layer1."), planes: at("layer1.0.conv1.weight") },
    stages,
    fusion: across && parallel ? (early ? "across" : "final") : "within",
    downsample: lower?.length === 4 ? "bilinear" : "strided",
  };
}

/** Output planes of the widening bottlenecks of classification and timm features. */
const widenedPlanes = (shapes: Shapes): number[] =>
  range(countChildren([...shapes.keys()], "incre_modules.")).map((b) =>
    size(shapes, `incre_modules.${b}.0.conv1.weight`),
  );

/** Heads told by their keys: [key that only this head has, upsampling of its code base, head]. */
const HRNET_HEADS: readonly (readonly [string, string, (shapes: Shapes) => object])[] = [
  [
    "conv3x3_ocr.0.weight",
    "bilinear-align-corners",
    (shapes) => ({
      type: "ocr",
      channels: size(shapes, "cls_head.weight"),
      mid: size(shapes, "conv3x3_ocr.0.weight"),
      key: size(shapes, "ocr_distri_head.object_context_block.f_down.0.weight"),
    }),
  ],
  [
    "last_layer.3.weight",
    "bilinear",
    (shapes) => {
      const width = shapes.get("last_layer.0.weight") ?? [];
      return width[0] === width[1]
        ? {
            type: "v2",
            channels: size(shapes, "last_layer.3.weight"),
            kernel: size(shapes, "last_layer.3.weight", 2),
          }
        : { type: "v1h", channels: size(shapes, "last_layer.3.weight") };
    },
  ],
  [
    "classifier.weight",
    "nearest",
    (shapes) => ({
      type: "classification",
      channels: size(shapes, "classifier.weight"),
      planes: widenedPlanes(shapes),
      final: size(shapes, "final_layer.0.weight"),
    }),
  ],
  [
    "incre_modules.0.0.conv1.weight",
    "nearest",
    (shapes) => ({ type: "features", planes: widenedPlanes(shapes) }),
  ],
  [
    "deconv_layers.0.0.0.weight",
    "nearest",
    (shapes) => {
      const channels = size(shapes, "final_layers.1.weight");
      const blocks = countChildren([...shapes.keys()], "deconv_layers.0.") - 1;
      return { type: "higher", channels, tags: size(shapes, "final_layers.0.weight") - channels, blocks };
    },
  ],
  [
    "final_layers.0.weight",
    "nearest",
    (shapes) => ({ type: "heatmap-per-resolution", channels: size(shapes, "final_layers.0.weight") }),
  ],
  [
    "final_layer.weight",
    "nearest",
    (shapes) => ({
      type: "heatmap",
      channels: size(shapes, "final_layer.weight"),
      kernel: size(shapes, "final_layer.weight", 2),
    }),
  ],
];

/** The heads of a two-stage detector; `undefined` where there are none. Names do not tell how it counts boxes. */
function inferRegionHead(shapes: Shapes, neck: object): object | undefined {
  const root = "roi_head.bbox_head.";
  const staged = shapes.has(`${root}0.fc_cls.weight`);
  if (!staged && !shapes.has(`${root}fc_cls.weight`)) return undefined;
  const keys = [...shapes.keys()];
  const first = staged ? "0." : "";
  const masks = "roi_head.mask_head.";
  const semantic = shapes.get("roi_head.semantic_head.conv_logits.weight")?.[0];
  const flow = keys.some((key) => key.startsWith(masks) && key.includes(".conv_res."));
  const masked = shapes.has(`${masks}${first}conv_logits.weight`);
  return {
    type: "rcnn",
    channels: size(shapes, `${root}${first}fc_cls.weight`) - 1,
    stages: staged ? countChildren(keys, root) : 1,
    masks: masked ? (flow ? "flow" : "plain") : "none",
    semantic: semantic ?? null,
    ...(flow && { firstFlow: shapes.has(`${masks}${first}conv_res.conv.weight`) }),
    hidden: size(shapes, `${root}${first}shared_fcs.0.weight`),
    ...(masked && { maskConvs: countChildren(keys, `${masks}${first}convs.`) }),
    neck,
  };
}

/** An HRFPN neck. */
function inferNeck(shapes: Shapes): { channels: number; levels: number } | undefined {
  if (!shapes.has("neck.reduction_conv.0.weight")) return undefined;
  return {
    channels: size(shapes, "neck.reduction_conv.0.weight"),
    levels: countChildren([...shapes.keys()], "neck.fpn_conv."),
  };
}

/** An FCOS head with its neck. */
function inferFcosHead(shapes: Shapes): unknown {
  const neck = inferNeck(shapes);
  if (!neck || !shapes.has("bbox_head.conv_centerness.weight")) return undefined;
  const convs = countChildren([...shapes.keys()], "bbox_head.cls_convs.");
  return { type: "fcos", channels: size(shapes, "bbox_head.conv_cls.weight"), convs, neck };
}

function inferHRNet(shapes: Shapes): unknown {
  if (shapes.has("center.heatmaps.2.weight")) {
    const head = {
      type: "centernet",
      channels: size(shapes, "center.heatmaps.2.weight"),
      features: size(shapes, "reduce.0.weight"),
      pooled: size(shapes, "center.vertical.0.weight"),
    };
    return { ...inferHRNetBody(shapes, ""), head };
  }
  const neck = inferNeck(shapes);
  if (neck) {
    const head = inferFcosHead(shapes) ?? inferRegionHead(shapes, neck) ?? { type: "fpn", ...neck };
    return { ...inferHRNetBody(shapes, "backbone."), head };
  }
  const found = HRNET_HEADS.find(([key]) => shapes.has(key));
  if (!found) return undefined;
  return { ...inferHRNetBody(shapes, ""), upsample: found[1], head: found[2](shapes) };
}

/** Heads of Lite-HRNets by a weight that only they have. */
const LITE_HEADS: readonly (readonly [string, (shapes: Shapes, key: string) => unknown])[] = [
  ["keypoint_head.final_layer.weight", (shapes, key) => ({ type: "heatmap", channels: size(shapes, key) })],
  ["decode_head.conv_seg.weight", (shapes, key) => ({ type: "segmentation", channels: size(shapes, key) })],
  ["bbox_head.conv_centerness.weight", inferFcosHead],
];

function inferLite(shapes: Shapes): unknown {
  const last = LITE_HEADS.find(([key]) => shapes.has(key));
  if (!last) return undefined; // a backbone
  const keys = [...shapes.keys()];
  const root = "backbone.";
  const stem = size(shapes, `${root}stem.conv1.conv.weight`);
  const weighting = keys.some((key) => key.includes(".depthwise_convs."));
  const stages = [];
  for (let t = 0; keys.some((key) => key.startsWith(`${root}stage${t}.`)); t++) {
    const layers = `${root}stage${t}.0.layers.`;
    const count = countChildren(keys, layers);
    const depthwise = `${layers}0.depthwise_convs.`;
    const branches = range(weighting ? countChildren(keys, depthwise) : count);
    stages.push({
      modules: countChildren(keys, `${root}stage${t}.`),
      blocks: weighting ? count : countChildren(keys, `${layers}0.`),
      channels: branches.map(
        (b) =>
          2 *
          size(shapes, weighting ? `${depthwise}${b}.conv.weight` : `${layers}${b}.0.branch2.0.conv.weight`),
      ),
    });
  }
  const first = `${root}stage0.0.layers.0.`;
  const squeeze = shapes.get(`${first}cross_resolution_weighting.conv1.conv.weight`);
  // The bottleneck is int(total / ratio): the published ratio 8 where it fits, else the nearest whole one.
  const ratio =
    squeeze && (Math.floor(squeeze[1]! / 8) === squeeze[0] ? 8 : Math.round(squeeze[1]! / squeeze[0]!));
  const pointwise = countChildren(keys, `${first}0.branch2.`) - 1;
  return {
    family: "lite-hrnet",
    stem: {
      channels: stem,
      out: stem / 2 + size(shapes, `${root}stem.branch1.1.conv.weight`),
      expand: Math.round(size(shapes, `${root}stem.expand_conv.conv.weight`) / stem),
    },
    stages,
    block: weighting
      ? {
          type: "weighting",
          ...(ratio !== undefined && { reduce: ratio }),
          crossResolution: squeeze !== undefined,
          spatial: keys.some((key) => key.includes(".spatial_weighting.")),
        }
      : { type: "shuffle", pointwise },
    head: last[1](shapes, last[0]),
  };
}

/** Head of transposed convolutions below `root`. */
function inferDeconvHead(shapes: Shapes, root: string): object {
  const indices = [0, 3, 6, 9, 12].filter((n) => shapes.has(`${root}deconv_layers.${n}.weight`));
  return {
    channels: size(shapes, `${root}final_layer.weight`),
    kernel: size(shapes, `${root}final_layer.weight`, 2),
    filters: indices.map((n) => size(shapes, `${root}deconv_layers.${n}.weight`, 1)),
    kernels: indices.map((n) => size(shapes, `${root}deconv_layers.${n}.weight`, 2)),
  };
}

function inferSimpleBaseline(shapes: Shapes): unknown {
  if (!shapes.has("final_layer.weight")) return undefined; // a ResNet without the pose head
  const keys = [...shapes.keys()];
  const stages = [1, 2, 3, 4];
  return {
    family: "simple-baseline",
    block: shapes.has("layer1.0.conv3.weight") ? "bottleneck" : "basic",
    layers: stages.map((n) => countChildren(keys, `layer${n}.`)),
    planes: stages.map((n) => size(shapes, `layer${n}.0.conv1.weight`)),
    head: inferDeconvHead(shapes, ""),
  };
}

const mobile = (family: string) => (shapes: Shapes) =>
  shapes.has("keypoint_head.final_layer.weight")
    ? { family, head: inferDeconvHead(shapes, "keypoint_head.") }
    : undefined; // a backbone

/** Families told by a key that only they have. */
const FAMILIES: readonly (readonly [string, (shapes: Shapes) => unknown])[] = [
  ["backbone.stem.conv1.conv.weight", inferLite],
  ["backbone.layer7.0.conv.0.conv.weight", mobile("mobilenet-v2-pose")],
  ["backbone.layers.0.0.branch2.0.conv.weight", mobile("shufflenet-v2-pose")],
  ["layer4.0.conv1.weight", inferSimpleBaseline],
  ["stage2.0.branches.0.0.conv1.weight", inferHRNet],
  ["backbone.stage2.0.branches.0.0.conv1.weight", inferHRNet],
];

/**
 * The configuration whose network has these weights, or `undefined` when they are of no family of ours. Where names and
 * shapes leave a choice (how maps are enlarged), the released code's is taken.
 */
export function inferNetworkConfig(shapes: Shapes): NetworkConfig | undefined {
  const family = FAMILIES.find(([key]) => shapes.has(key));
  const config = family?.[1](shapes);
  return config === undefined ? undefined : parseNetworkConfig(config);
}
