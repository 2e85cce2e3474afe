// Pose networks that encode to stride 32 and climb back by transposed convolutions: SimpleBaseline (ResNet), and the
// MobileNetV2 and ShuffleNetV2 baselines of the Lite-HRNet paper. Xiao et al. 2018 (arXiv:1804.06208); released code
// microsoft/human-pose-estimation.pytorch (MIT) and open-mmlab/mmpose (Apache-2.0).

import { z } from "zod";
import { add } from "../graph/ops/elementwise.ts";
import { maxPool } from "../graph/ops/pool.ts";
import { concat, split } from "../graph/ops/shape.ts";
import type { Value } from "../graph/value.ts";
import { channelShuffle, convModule, residualBlocks } from "../nn/blocks.ts";
import { batchNorm2d, channelsOf, conv2d, convTranspose2d, relu } from "../nn/layers.ts";
import type { Scope } from "../nn/scope.ts";
import { channelCount, repeatCount } from "./config-limits.ts";
import type { Outputs } from "./hrnet-heads.ts";

const headSchema = z.strictObject({
  /** Output channels: one heatmap per keypoint. */
  channels: channelCount,
  /** Channels of each transposed convolution. */
  filters: z.array(channelCount).max(8).default([256, 256, 256]),
  /** Kernel of each transposed convolution; all have stride 2. */
  kernels: z
    .array(z.union([z.literal(2), z.literal(3), z.literal(4)]))
    .max(8)
    .default([4, 4, 4]),
  /** Kernel of the last convolution. */
  kernel: z.union([z.literal(1), z.literal(3)]).default(1),
});

type DeconvHead = z.infer<typeof headSchema>;

/** Schema of {@link SimpleBaselineConfig}. */
export const simpleBaselineSchema = z.strictObject({
  family: z.literal("simple-baseline"),
  block: z.enum(["basic", "bottleneck"]),
  /** Residual blocks and planes of the four ResNet stages. */
  layers: z.array(repeatCount).length(4),
  planes: z.array(channelCount).length(4).default([64, 128, 256, 512]),
  head: headSchema,
});

/** A ResNet with transposed convolutions. */
export type SimpleBaselineConfig = z.infer<typeof simpleBaselineSchema>;

/** Schema of {@link MobilePoseConfig}. */
export const mobilePoseSchema = z.strictObject({
  family: z.enum(["mobilenet-v2-pose", "shufflenet-v2-pose"]),
  head: headSchema,
});

/** A mobile backbone at width 1.0 with transposed convolutions. */
export type MobilePoseConfig = z.infer<typeof mobilePoseSchema>;

/** Kernel → padding and output padding of the stride-2 transposed convolutions (pose_resnet.py `_get_deconv_cfg`). */
const DECONV_GEOMETRY = { 4: [1, 0], 3: [1, 1], 2: [0, 0] } as const;

/** Transposed convolutions (modules 0, 3, 6 with BN at 1, 4, 7), then `final_layer`: N×C×h×w → N×channels×8h×8w. */
function deconvHead(scope: Scope, head: DeconvHead, x: Value): Value {
  const layers = scope.child("deconv_layers");
  const y = head.filters.reduce((value, out, n) => {
    const kernel = head.kernels[n] ?? 4;
    const [padding, outputPadding] = DECONV_GEOMETRY[kernel];
    const up = convTranspose2d(layers.child(3 * n), value, {
      out,
      kernel,
      stride: 2,
      padding,
      outputPadding,
    });
    return relu(layers.child(3 * n + 2), batchNorm2d(layers.child(3 * n + 1), up));
  }, x);
  return conv2d(scope.child("final_layer"), y, { out: head.channels, kernel: head.kernel, bias: true });
}

/** 3×3 stride-2 maximum with one row of padding (ResNet, ShuffleNetV2 stems). */
const stemPool = (x: Value): Value => maxPool(x, { kernel: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] });

/** SimpleBaseline on x (N×3×H×W): `heatmaps` N×channels×H/4×W/4. */
export function simpleBaseline(scope: Scope, config: SimpleBaselineConfig, x: Value): Outputs {
  const stem = conv2d(scope.child("conv1"), x, { out: 64, kernel: 7, stride: 2 });
  let y = stemPool(relu(scope.child("relu"), batchNorm2d(scope.child("bn1"), stem))); // N×64×H/4×W/4
  config.layers.forEach((blocks, n) => {
    const stage = scope.child(`layer${n + 1}`);
    y = residualBlocks(stage, y, config.block, config.planes[n]!, blocks, n === 0 ? 1 : 2);
  });
  return { heatmaps: deconvHead(scope, config.head, y) }; // from N×planes·expansion×H/32×W/32
}

/** MobileNetV2 stages: expansion, channels, blocks, stride (Sandler et al. 2018, Table 2). */
const MOBILENET_V2_STAGES = [
  [1, 16, 1, 1],
  [6, 24, 2, 2],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
] as const;

/** Inverted residual: (1×1 up) → depthwise 3×3 → linear 1×1, with a shortcut where shapes agree. */
function invertedResidual(scope: Scope, x: Value, expansion: number, out: number, stride: number): Value {
  const hidden = channelsOf(x) * expansion;
  const layers = [
    ...(expansion === 1 ? [] : [{ out: hidden, activation: "relu6" } as const]),
    { out: hidden, kernel: 3, stride, groups: hidden, activation: "relu6" } as const,
    { out, activation: "none" } as const,
  ];
  const y = layers.reduce((value, layer, n) => convModule(scope.child("conv", n), value, layer), x);
  return stride === 1 && channelsOf(x) === out ? add(x, y) : y;
}

/** MobileNetV2 1.0: N×3×H×W → N×1280×H/32×W/32. */
function mobileNetV2(scope: Scope, x: Value): Value {
  let y = convModule(scope.child("conv1"), x, { out: 32, kernel: 3, stride: 2, activation: "relu6" });
  MOBILENET_V2_STAGES.forEach(([expansion, out, blocks, stride], n) => {
    for (let k = 0; k < blocks; k++) {
      y = invertedResidual(scope.child(`layer${n + 1}`, k), y, expansion, out, k === 0 ? stride : 1);
    }
  });
  return convModule(scope.child("conv2"), y, { out: 1280, activation: "relu6" });
}

/** ShuffleNetV2 1.0 stages: channels, blocks (Ma et al. 2018, Table 5). */
const SHUFFLENET_V2_STAGES = [
  [116, 4],
  [232, 8],
  [464, 4],
] as const;

/** ShuffleNetV2 unit; with stride 2 both halves see the whole input. */
function shuffleNetUnit(scope: Scope, x: Value, out: number, stride: number): Value {
  const width = out / 2;
  const depthwise = (s: Scope, y: Value): Value =>
    convModule(s, y, { out: channelsOf(y), kernel: 3, stride, groups: channelsOf(y), activation: "none" });
  const [kept, input] = stride === 1 ? split(x, 1, [width, width]) : [undefined, x];
  const b1 = scope.child("branch1");
  const left = kept ?? convModule(b1.child(1), depthwise(b1.child(0), x), { out: width });
  const b2 = scope.child("branch2");
  const inner = depthwise(b2.child(1), convModule(b2.child(0), input!, { out: width }));
  return channelShuffle(concat([left, convModule(b2.child(2), inner, { out: width })], 1), 2);
}

/** ShuffleNetV2 1.0: N×3×H×W → N×1024×H/32×W/32. */
function shuffleNetV2(scope: Scope, x: Value): Value {
  let y = stemPool(convModule(scope.child("conv1"), x, { out: 24, kernel: 3, stride: 2 }));
  SHUFFLENET_V2_STAGES.forEach(([out, blocks], n) => {
    for (let k = 0; k < blocks; k++) {
      y = shuffleNetUnit(scope.child("layers", n, k), y, out, k === 0 ? 2 : 1);
    }
  });
  return convModule(scope.child("layers", 3), y, { out: 1024 });
}

/** A mobile pose baseline on x (N×3×H×W): `heatmaps` N×channels×H/4×W/4. */
export function mobilePose(scope: Scope, config: MobilePoseConfig, x: Value): Outputs {
  const backbone = config.family === "mobilenet-v2-pose" ? mobileNetV2 : shuffleNetV2;
  const features = backbone(scope.child("backbone"), x);
  return { heatmaps: deconvHead(scope.child("keypoint_head"), config.head, features) };
}
