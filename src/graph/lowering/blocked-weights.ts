// Weights of 3×3 and larger convolutions in the order that blocks of channels want, brought there within the graph: in training
// they change with every step.

import { gather, reshape, transpose } from "../ops/shape.ts";
import type { Value } from "../value.ts";

/** Channels in a block: 16 with AVX-512, 8 with AVX2; 1 where the engine has no blocks. */
export type ChannelBlock = 1 | 8 | 16;

type WeightShape = [number, number, number, number];

/** Whether a convolution from C to O channels can run in blocks, and gains by it: its kernel has more than one tap. */
export function fitsBlocks(weight: Value, block: ChannelBlock): boolean {
  const [out, inputs, kh, kw] = weight.shape as WeightShape;
  return (
    block > 1 &&
    weight.dtype === "float32" &&
    weight.kind !== "constant" &&
    out % block === 0 &&
    inputs % block === 0 &&
    kh * kw > 1
  );
}

/**
 * O×C×kh×kw to O/b×C/b×kh×kw×b×b (input channel, output channel), written O×C×kh×kw. Two transpositions that each move one
 * axis take a seventh of the time of one that does both.
 */
export function blockedWeight(weight: Value, block: ChannelBlock): Value {
  const [out, inputs, kh, kw] = weight.shape as WeightShape;
  const taps = kh * kw;
  const outputsLast = transpose(reshape(weight, [out / block, block, inputs * taps]), [0, 2, 1]);
  const split = reshape(outputsLast, [(out / block) * (inputs / block), block, taps, block]);
  return reshape(transpose(split, [0, 2, 1, 3]), [out, inputs, kh, kw]);
}

/** The same for the convolution that undoes it at stride 1: taps in reverse order, channels exchanged; written C×O×kh×kw. */
export function blockedMirroredWeight(weight: Value, block: ChannelBlock): Value {
  const [out, inputs, kh, kw] = weight.shape as WeightShape;
  const taps = kh * kw;
  const exchanged = transpose(reshape(weight, [out, inputs * taps]), [1, 0]); // (C·taps)×O
  const inputsLast = transpose(reshape(exchanged, [inputs / block, block, taps * out]), [0, 2, 1]);
  const byTap = reshape(inputsLast, [inputs / block, taps, out / block, block * block]);
  const reversed = gather(
    byTap,
    Array.from({ length: taps }, (_, tap) => taps - 1 - tap),
    1,
  );
  return reshape(transpose(reversed, [0, 2, 1, 3]), [inputs, out, kh, kw]);
}
