// Heads on features of regions: boxes with classes, masks, and the semantic branch of HTC.

import { add } from "../graph/ops/elementwise.ts";
import { resizeBilinear } from "../graph/ops/resize.ts";
import { flatten } from "../graph/ops/shape.ts";
import type { Value } from "../graph/value.ts";
import { type Initializer, KAIMING_OUT, NORMAL_01, NORMAL_001, XAVIER } from "../nn/init.ts";
import { channelsOf, conv2d, convTranspose2d, linear, relu, sizeOf } from "../nn/layers.ts";
import type { Scope } from "../nn/scope.ts";

/** What a box head says of M regions. */
export interface BoxHeadOutputs {
  /** Logits, M×(K+1); the last is the background. */
  readonly classes: Value;
  /** M×4, or M×(4·K) with boxes of their own for each class. */
  readonly differences: Value;
}

/** What a box head is. */
export interface BoxHead {
  readonly classes: number;
  readonly hidden: number;
  /** Whether each class has boxes of its own. */
  readonly ownBoxes: boolean;
}

/** Two linear layers, then classes and boxes (`Shared2FCBBoxHead` of mmdetection). x: M×C×7×7. */
export function boxHead(scope: Scope, x: Value, { classes, hidden, ownBoxes }: BoxHead): BoxHeadOutputs {
  const layer = (index: number, y: Value): Value => {
    const module = scope.child("shared_fcs", index);
    return relu(module, linear(module, y, hidden, XAVIER));
  };
  const y = layer(1, layer(0, flatten(x)));
  return {
    classes: linear(scope.child("fc_cls"), y, classes + 1, NORMAL_01),
    differences: linear(scope.child("fc_reg"), y, ownBoxes ? 4 * classes : 4, NORMAL_001),
  };
}

/** A convolution with bias and ReLU: mmcv's ConvModule without normalisation. */
function convRelu(scope: Scope, x: Value, kernel: 1 | 3): Value {
  const options = { out: channelsOf(x), kernel, bias: true, init: KAIMING_OUT };
  return relu(scope.child("activate"), conv2d(scope.child("conv"), x, options));
}

/** What a mask head says of M regions. */
export interface MaskHeadOutputs {
  /** Logits, M×K×28×28. */
  readonly masks: Value;
  /** Its last features, M×C×14×14. */
  readonly features: Value;
}

/** What a mask head is. */
export interface MaskHead {
  readonly classes: number;
  readonly convs: number;
  /** Whether it has a convolution for the features of the mask head before. */
  readonly flow: boolean;
}

const DECONV: Initializer = KAIMING_OUT;

/**
 * 3×3 convolutions, a transposed one, logits (`FCNMaskHead`, `HTCMaskHead` of mmdetection). x: M×C×14×14.
 * @param before features of the mask head before
 */
export function maskHead(
  scope: Scope,
  x: Value,
  { classes, convs, flow }: MaskHead,
  before?: Value,
): MaskHeadOutputs {
  // Registered even where nothing comes in: published networks have its weights.
  const residual = flow ? convRelu(scope.child("conv_res"), before ?? x, 1) : undefined;
  let y = before && residual ? add(x, residual) : x;
  for (let i = 0; i < convs; i++) y = convRelu(scope.child("convs", i), y, 3);
  const module = scope.child("upsample");
  const geometry = { out: channelsOf(y), kernel: 2, stride: 2, padding: 0, outputPadding: 0 };
  const up = relu(module, convTranspose2d(module, y, { ...geometry, bias: true, init: DECONV })); // M×C×28×28
  const logits = conv2d(scope.child("conv_logits"), up, { out: classes, bias: true, init: KAIMING_OUT });
  return { masks: logits, features: y };
}

/** What the semantic branch gives at stride 8. */
export interface SemanticOutputs {
  /** Logits of the classes of pixels, B×K×h×w. */
  readonly semantic: Value;
  /** Features for the heads of regions, B×C×h×w. */
  readonly features: Value;
}

/** The level to whose size all others are brought: stride 8. */
const FUSED_LEVEL = 1;
/** 3×3 convolutions on the sum. */
const SEMANTIC_CONVS = 4;

/** The semantic branch of HTC (Chen et al. 2019, arXiv:1901.07518, §3.3; `FusedSemanticHead` of mmdetection) on all levels. */
export function semanticHead(scope: Scope, levels: readonly Value[], classes: number): SemanticOutputs {
  const size = sizeOf(levels[FUSED_LEVEL]!);
  const lateral = levels.map((level, l) => {
    const resized = resizeBilinear(level, size, true);
    return convRelu(scope.child("lateral_convs", l), resized, 1);
  });
  let y = lateral.reduce((sum, part) => add(sum, part));
  for (let i = 0; i < SEMANTIC_CONVS; i++) y = convRelu(scope.child("convs", i), y, 3);
  const logits = conv2d(scope.child("conv_logits"), y, { out: classes, bias: true, init: KAIMING_OUT });
  return { semantic: logits, features: convRelu(scope.child("conv_embedding"), y, 1) };
}
