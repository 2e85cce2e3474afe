// The head of FCOS: classes, distances to the sides, and centreness of every place of every level (Tian et al. 2019, arXiv:1904.01355).

import { z } from "zod";
import { exp, mul } from "../graph/ops/elementwise.ts";
import { reshape } from "../graph/ops/shape.ts";
import type { Value } from "../graph/value.ts";
import type { Initializer } from "../nn/init.ts";
import { NORMAL_01, ONES } from "../nn/init.ts";
import { channelsOf, conv2d, groupNorm, relu } from "../nn/layers.ts";
import type { Scope } from "../nn/scope.ts";
import { channelCount, repeatCount } from "./config-limits.ts";
import { pyramidNeck } from "./pyramid-neck.ts";

/** Schema of {@link FcosHead}. */
export const fcosHeadSchema = z.strictObject({
  /** FCOS on an HRFPN neck of stride 2: `channels` classes, `convs` convolutions in each of two towers. */
  type: z.literal("fcos"),
  channels: channelCount,
  convs: repeatCount.default(4),
  neck: z
    .strictObject({ channels: channelCount.multipleOf(32).default(256), levels: repeatCount.default(5) })
    .default({ channels: 256, levels: 5 }),
});

/** What an FCOS head is, neck and all. */
export type FcosHead = z.infer<typeof fcosHeadSchema>;

/** Classes begin at a probability of 0.01: b = −ln((1 − 0.01)/0.01) (Lin et al. 2017, arXiv:1708.02002, §4.1). */
const PRIOR: Initializer = { kind: "constant", value: -Math.log((1 - 0.01) / 0.01) };
/** Groups of every normalisation. */
const GROUPS = 32;

/** 3×3 convolutions with bias, each with group normalisation and ReLU. */
function tower(scope: Scope, name: string, x: Value, convs: number): Value {
  let y = x;
  for (let i = 0; i < convs; i++) {
    const module = scope.child(name, i);
    const options = { out: channelsOf(x), kernel: 3, bias: true, init: NORMAL_01 };
    y = relu(module, groupNorm(module.child("gn"), conv2d(module.child("conv"), y, options), GROUPS));
  }
  return y;
}

/**
 * The head on every level (N×C×h×w), with shared weights and a factor of its own for the distances of each level.
 * @returns by level `classes…` (logits, N×K×h×w), `distances…` (left, top, right, bottom in pixels, N×4×h×w), `centerness…` (logits,
 * N×1×h×w)
 */
export function fcosHead(
  scope: Scope,
  { channels, convs }: Pick<FcosHead, "channels" | "convs">,
  levels: readonly Value[],
): Record<string, Value> {
  const outputs: Record<string, Value> = {};
  const head = scope.shared();
  const last = { kernel: 3, bias: true, init: NORMAL_01 };
  levels.forEach((level, l) => {
    const classes = tower(head, "cls_convs", level, convs);
    const boxes = tower(head, "reg_convs", level, convs);
    const factor = scope.child("scales", l).parameter("scale", [], ONES);
    const raw = conv2d(head.child("conv_reg"), boxes, { ...last, out: 4 });
    outputs[`classes${l}`] = conv2d(head.child("conv_cls"), classes, {
      ...last,
      out: channels,
      biasInit: PRIOR,
    });
    outputs[`distances${l}`] = exp(mul(raw, reshape(factor, [1, 1, 1, 1])));
    outputs[`centerness${l}`] = conv2d(head.child("conv_centerness"), classes, { ...last, out: 1 });
  });
  return outputs;
}

/** FCOS on the branches of a backbone (strides 4, 8, …), highest resolution first: the outputs of {@link fcosHead}. */
export function fcosDetector(
  scope: Scope,
  head: FcosHead,
  branches: readonly Value[],
): Record<string, Value> {
  const levels = pyramidNeck(scope.child("neck"), { ...head.neck, stride: 2 }, branches);
  return fcosHead(scope.child("bbox_head"), head, levels);
}
