// Convolution weights with their channels moved: the arithmetic behind passes that change the order of channels.

import { elementCount, type Tensor, tensor } from "../../tensor/tensor.ts";

/** For each new channel the old one it copies, or −1 for a channel of its own. */
export type ChannelSources = readonly number[];

const floats = (t: Tensor): Float32Array => t.data as Float32Array;

/** The first axis of `source` (a weight or a bias) picked by `sources`; where −1, `fill`. */
export function pickRows(source: Tensor, sources: ChannelSources, fill = 0): Tensor {
  const row = elementCount(source.shape.slice(1));
  const result = tensor("float32", [sources.length, ...source.shape.slice(1)]);
  const to = floats(result);
  sources.forEach((from, row_) => {
    const start = row_ * row;
    if (from < 0) to.fill(fill, start, start + row);
    else to.set(floats(source).subarray(from * row, (from + 1) * row), start);
  });
  return result;
}

/** A dense weight (O×I×kh×kw) whose input channel c moves to `positions[c]` of `total`; the others weigh 0. */
export function spreadColumns(weight: Tensor, positions: readonly number[], total: number): Tensor {
  const [out, inputs, kh, kw] = weight.shape as [number, number, number, number];
  const kernel = kh * kw;
  const result = tensor("float32", [out, total, kh, kw]);
  const from = floats(weight);
  for (let o = 0; o < out; o++) {
    for (let c = 0; c < inputs; c++) {
      const start = (o * inputs + c) * kernel;
      floats(result).set(from.subarray(start, start + kernel), (o * total + positions[c]!) * kernel);
    }
  }
  return result;
}

/** A depthwise weight (C×1×k×k, odd k) of one channel more for every −1, which copies its input: 1 in the middle. */
export function pickKernels(weight: Tensor, sources: ChannelSources): Tensor {
  const result = pickRows(weight, sources);
  const kernel = elementCount(weight.shape.slice(1));
  sources.forEach((from, channel) => {
    if (from < 0) floats(result)[channel * kernel + (kernel - 1) / 2] = 1;
  });
  return result;
}

/** Where each of `total` channels comes from when logical channel c stands at `positions[c]`. */
export function sourcesOf(positions: readonly number[], total: number): number[] {
  const sources = new Array<number>(total).fill(-1);
  positions.forEach((position, channel) => {
    sources[position] = channel;
  });
  return sources;
}
