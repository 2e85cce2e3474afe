// ONNX Runtime's convolutions in blocks of channels (NCHWc, CPU only) and its convolution with a sum and an activation: the
// fast paths that it chooses by itself for constant weights only.

import { defineOperator, emitOne, intsOf, numberOf, shapeError } from "../operator.ts";
import type { Value } from "../value.ts";
import { Conv } from "./conv.ts";

const BLOCKED_DOMAIN = "com.microsoft.nchwc";

/** N×C×H×W into blocks of channels. C must be a multiple of the block; the shape is written as before. */
export const ReorderInput = defineOperator({
  type: "ReorderInput",
  domain: BLOCKED_DOMAIN,
  attributeKinds: { channels_last: "int" },
  infer: (inputs) => [{ dtype: inputs[0]!.dtype, shape: inputs[0]!.shape }],
});

/** Blocks of channels back to N×C×H×W, with the number of channels in `channels`. */
export const ReorderOutput = defineOperator({
  type: "ReorderOutput",
  domain: BLOCKED_DOMAIN,
  attributeKinds: { channels: "int", channels_last: "int" },
  infer(inputs, attributes) {
    const x = inputs[0]!;
    if (x.shape[1] !== numberOf(attributes, "channels", 0))
      throw shapeError("ReorderOutput", inputs, "channels must be those of the input");
    return [{ dtype: x.dtype, shape: x.shape }];
  },
});

/** Conv's rules without its gradient: these operators appear once gradients have been taken. */
const { gradient: _, ...ConvRules } = Conv;

/** Conv of blocked maps, with a weight in the order O/b×C/b×kh×kw×b×b (input channel before output channel), written O×C×kh×kw. */
export const BlockedConv = defineOperator({ ...ConvRules, type: "Conv", domain: BLOCKED_DOMAIN });

/** Nearest-neighbour enlargement of blocked maps by whole `scales`, one for each axis. */
export const BlockedUpsample = defineOperator({
  type: "Upsample",
  domain: BLOCKED_DOMAIN,
  attributeKinds: { scales: "ints", mode: "string" },
  infer(inputs, attributes) {
    const scales = intsOf(attributes, "scales", [1, 1, 1, 1]);
    const shape = inputs[0]!.shape.map((size, axis) => (size as number) * scales[axis]!);
    return [{ dtype: inputs[0]!.dtype, shape }];
  },
});

/** Conv plus `Z` (input 3), then `activation`; inputs X, W, B, Z as for Conv. */
export const FusedConv = defineOperator({
  ...ConvRules,
  type: "FusedConv",
  domain: "com.microsoft",
  attributeKinds: { ...Conv.attributeKinds, activation: "string" },
});

/** x·scale + shift by channel, plus `sum`: one pass over N×C×H×W. `scale` and `shift` are C numbers. */
export function scaleShiftAdd(
  x: Value,
  scale: Value,
  shift: Value | undefined,
  sum: Value | undefined,
): Value {
  const attributes = { kernel_shape: [1, 1], group: x.shape[1] as number };
  return emitOne(
    FusedConv,
    sum ? [x, scale, shift, sum] : shift ? [x, scale, shift] : [x, scale],
    attributes,
  );
}

/** Convolution of blocked maps; attributes as for Conv. */
export function blockedConv(
  x: Value,
  weight: Value,
  attributes: Readonly<Record<string, number | readonly number[] | string>>,
  name = "",
): Value {
  const blocked = emitOne(BlockedConv, [emitOne(ReorderInput, [x], {}), weight], attributes, name);
  return emitOne(ReorderOutput, [blocked], { channels: blocked.shape[1] as number });
}

/** Whether attributes ask for the plain case that blocks are used for: one group, no dilation. */
export function isPlain(attributes: Readonly<Record<string, number | readonly number[] | string>>): boolean {
  return (
    numberOf(attributes, "group", 1) === 1 &&
    intsOf(attributes, "dilations", [1, 1]).every((step) => step === 1)
  );
}
