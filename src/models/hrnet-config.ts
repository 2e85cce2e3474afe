// What an HRNet is, as data: validated configuration of backbone and head.

import { z } from "zod";
import { channelCount, repeatCount } from "./config-limits.ts";
import { fcosHeadSchema } from "./fcos-head.ts";

/** A stage of exchange modules: one entry of `blocks` and `channels` per branch, highest resolution first. */
const stageSchema = z
  .strictObject({
    modules: repeatCount,
    block: z.enum(["basic", "bottleneck"]).default("basic"),
    blocks: z.array(repeatCount).min(1).max(8),
    channels: z.array(channelCount).min(1).max(8),
  })
  .refine((stage) => stage.blocks.length === stage.channels.length, {
    message: "blocks and channels must have one entry per branch",
  });

const headSchema = z.discriminatedUnion("type", [
  z.strictObject({
    /** HRNetV1: a convolution on the highest-resolution branch gives heatmaps. */
    type: z.literal("heatmap"),
    channels: channelCount,
    kernel: z.union([z.literal(1), z.literal(3)]).default(1),
  }),
  z.strictObject({
    /** One heatmap predictor on each branch of the last module (TPAMI §VII, Fig. 9). */
    type: z.literal("heatmap-per-resolution"),
    channels: channelCount,
  }),
  z.strictObject({
    /** HigherHRNet: heatmaps and tags at 1/4, a transposed convolution, residual blocks and heatmaps at 1/2. */
    type: z.literal("higher"),
    channels: channelCount,
    /** Associative-embedding tags beside the heatmaps of the lower resolution. */
    tags: channelCount,
    blocks: repeatCount.default(4),
  }),
  z.strictObject({
    /** HRNetV2: all branches resized and concatenated, 1×1 conv + BN + ReLU, 1×1 conv to class logits. */
    type: z.literal("v2"),
    channels: channelCount,
    kernel: z.union([z.literal(1), z.literal(3)]).default(1),
  }),
  z.strictObject({
    /** HRNetV1h: branch 0 lifted from C to 15C channels, then as V2 (TPAMI §VII). */
    type: z.literal("v1h"),
    channels: channelCount,
  }),
  z.strictObject({
    /** HRNetV2 + OCR (object-contextual representations). */
    type: z.literal("ocr"),
    channels: channelCount,
    mid: channelCount.default(512),
    key: channelCount.default(256),
  }),
  z.strictObject({
    /** Classification (TPAMI App. B). `planes` per branch, ×4 out; `final` channels before pooling. */
    type: z.literal("classification"),
    channels: channelCount,
    planes: z.array(channelCount).min(1).default([32, 64, 128, 256]),
    final: channelCount.default(2048),
  }),
  z.strictObject({
    /** timm `features_only`: the stem at stride 2 and each branch widened as for classification. */
    type: z.literal("features"),
    planes: z.array(channelCount).min(1).default([32, 64, 128, 256]),
  }),
  z.strictObject({
    /** HRNetV2p: the HRFPN neck, five levels (detection). `stride` 2 for FCOS. */
    type: z.literal("fpn"),
    channels: channelCount.default(256),
    levels: repeatCount.default(5),
    stride: z.union([z.literal(1), z.literal(2)]).default(1),
  }),
  z.strictObject({
    /** Faster R-CNN, Mask R-CNN, their cascades and HTC on an HRFPN neck: `channels` classes. */
    type: z.literal("rcnn"),
    channels: channelCount,
    /** Box heads in a row: 1, or 3 in cascades. With more than one, boxes are the same for all classes. */
    stages: z.union([z.literal(1), z.literal(2), z.literal(3)]).default(1),
    /** `plain`: a mask head for each stage; `flow`: each also sees the features of the one before (HTC). */
    masks: z.enum(["none", "plain", "flow"]).default("none"),
    /** Channels of the semantic branch (HTC): 183 for COCO's things and stuff; null: there is none. */
    semantic: channelCount.nullable().default(null),
    /** Whether the first mask head of a flow has the convolution for features that none gives it, as in mmdetection 1.x. */
    firstFlow: z.boolean().default(true),
    /** Channels of the two linear layers of a box head. */
    hidden: z.int().min(1).max(8192).default(1024),
    /** Convolutions of a mask head. */
    maskConvs: repeatCount.default(4),
    neck: z
      .strictObject({ channels: channelCount.default(256), levels: repeatCount.min(4).default(5) })
      .default({ channels: 256, levels: 5 }),
    /** How boxes, anchors and regions are counted: `continuous` in mmdetection 2.x and later, `pixels` in 1.x and HRNet-Object-Detection. */
    extent: z.enum(["continuous", "pixels"]).default("continuous"),
  }),
  z.strictObject({
    /** CenterNet (keypoint triplets) on all branches, enlarged and concatenated as in HRNetV2: `channels` classes. */
    type: z.literal("centernet"),
    channels: channelCount,
    /** Channels of the features that the heads see. */
    features: channelCount.default(256),
    /** Channels of the maps that are pooled. */
    pooled: channelCount.default(128),
  }),
  fcosHeadSchema,
]);

/** Schema of {@link HRNetConfig}. */
export const hrnetSchema = z.strictObject({
  family: z.literal("hrnet"),
  /** Channels of the two stem convolutions. */
  stem: channelCount.default(64),
  stage1: z.strictObject({ blocks: repeatCount, planes: channelCount }),
  /** The stages of exchange modules; the number of branches is the length of their lists. */
  stages: z.array(stageSchema).min(1).max(6),
  /**
   * How lower resolutions are enlarged: `nearest` in the pose, classification and detection code, `bilinear` in
   * segmentation, `bilinear-align-corners` in the OCR code. Weights must be run with what they were trained with.
   */
  upsample: z.enum(["nearest", "bilinear", "bilinear-align-corners"]).default("nearest"),
  /** Which modules exchange: all (`within`), the last of each stage (`across`), the very last (`final`) (TPAMI Table XII). */
  fusion: z.enum(["within", "across", "final"]).default("within"),
  /** How the exchanged maps are combined (TPAMI §VII). */
  fuse: z.enum(["sum", "product"]).default("sum"),
  /** How higher resolutions are reduced: strided 3×3 convolutions, or 1×1 conv and bilinear resampling (TPAMI §VII). */
  downsample: z.enum(["strided", "bilinear"]).default("strided"),
  head: headSchema,
});

/** An HRNet: backbone of parallel branches and a head. */
export type HRNetConfig = z.infer<typeof hrnetSchema>;

/** One stage of an {@link HRNetConfig}. */
export type HRNetStage = HRNetConfig["stages"][number];

/** One kind of head of an {@link HRNetConfig}. */
export type HRNetHead<T extends HRNetConfig["head"]["type"]> = Extract<HRNetConfig["head"], { type: T }>;
