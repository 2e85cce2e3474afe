// Which block of channels ONNX Runtime's fast CPU convolutions use on this processor: tried once, with a small convolution.

import { createGraph } from "../graph/graph.ts";
import { blockedWeight, type ChannelBlock } from "../graph/lowering/blocked-weights.ts";
import { graphToModel } from "../graph/onnx.ts";
import { encodeModel } from "../graph/onnx-proto.ts";
import { blockedConv } from "../graph/ops/blocked.ts";
import { conv } from "../graph/ops/conv.ts";
import { input, type Value } from "../graph/value.ts";
import { tensor } from "../tensor/tensor.ts";
import { openSession } from "./node.ts";

const CHANNELS = 16;
const SIDE = 4;
const ATTRIBUTES = { kernel_shape: [3, 3], strides: [1, 1], pads: [1, 1, 1, 1], dilations: [1, 1], group: 1 };

/** Numbers that differ from place to place, small enough for exact sums. */
const numbers = (shape: readonly number[], step: number) => {
  const result = tensor("float32", shape);
  result.data.forEach((_, i) => {
    result.data[i] = ((i * step) % 17) - 8;
  });
  return result;
};

let probed: Promise<ChannelBlock> | undefined;

/** The block of channels here: 16 with AVX-512, 8 with AVX2, 1 where blocks are not to be had. Asked once per process. */
export function probeChannelBlock(): Promise<ChannelBlock> {
  probed ??= probe();
  return probed;
}

async function probe(): Promise<ChannelBlock> {
  for (const block of [16, 8] as const) if (await agrees(block).catch(() => false)) return block;
  return 1;
}

/** Whether a convolution with weights in blocks of that size gives what the plain one gives. */
async function agrees(block: 8 | 16): Promise<boolean> {
  const x: Value = input("x", "float32", [1, CHANNELS, SIDE, SIDE]);
  const weight: Value = input("weight", "float32", [CHANNELS, CHANNELS, 3, 3]);
  const outputs = {
    plain: conv(x, weight, undefined, { pads: [1, 1, 1, 1] }),
    blocked: blockedConv(x, blockedWeight(weight, block), ATTRIBUTES),
  };
  const model = encodeModel(graphToModel(createGraph([x, weight], outputs), { name: "probe" }));
  await using session = await openSession(model, { device: "cpu", threads: 1, transfer: true });
  const { plain, blocked } = await session.run({
    x: numbers([1, CHANNELS, SIDE, SIDE], 5),
    weight: numbers([CHANNELS, CHANNELS, 3, 3], 7),
  });
  return plain!.data.every((value: number | bigint, i: number) => value === blocked!.data[i]);
}
