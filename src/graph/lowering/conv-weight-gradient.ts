// The gradient of a convolution with respect to its weight.

import { intsOf, numberOf } from "../operator.ts";
import { reduceSum } from "../ops/broadcast.ts";
import { fusedMatMul } from "../ops/linear.ts";
import { concat, pad, reshape, slice, transpose } from "../ops/shape.ts";
import type { Value } from "../value.ts";
import type { LoweringRule } from "./target.ts";

/** A convolution's geometry. */
interface Geometry {
  readonly kernel: readonly [number, number];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly pads: readonly number[];
}

/** For each tap of the kernel the pixels of x (N×C×H×W) that it meets: N×C×H'×W' each. */
function tapsOf(x: Value, size: readonly [number, number], geometry: Geometry): Value[] {
  const { kernel, strides, dilations, pads } = geometry;
  const padded = pad(x, [0, 0, pads[0]!, pads[1]!, 0, 0, pads[2]!, pads[3]!]);
  const taps: Value[] = [];
  for (let i = 0; i < kernel[0]; i++) {
    const rows = span(padded, 2, i * dilations[0]!, size[0], strides[0]!);
    for (let j = 0; j < kernel[1]; j++) taps.push(span(rows, 3, j * dilations[1]!, size[1], strides[1]!));
  }
  return taps;
}

/** `count` positions along `axis` from `start` on; x itself when that is all of it. */
function span(x: Value, axis: number, start: number, count: number, step: number): Value {
  const end = start + (count - 1) * step + 1;
  return start === 0 && count === x.shape[axis] ? x : slice(x, axis, start, end, step);
}

/** Σ over samples and pixels of dy × the pixels that each tap meets, as batched matrix products. */
export const convWeightGradient: LoweringRule = (node, inputs) => {
  const [x, dy] = inputs as readonly [Value, Value];
  const [out, perGroup, kh, kw] = intsOf(node.attributes, "shape", []) as [number, number, number, number];
  const group = numberOf(node.attributes, "group", 1);
  const [samples, , height, width] = dy.shape as [number, number, number, number];
  const taps = tapsOf(x, [height, width], {
    kernel: [kh, kw],
    strides: intsOf(node.attributes, "strides", [1, 1]),
    dilations: intsOf(node.attributes, "dilations", [1, 1]),
    pads: intsOf(node.attributes, "pads", [0, 0, 0, 0]),
  });
  const pixels = height * width;
  const count = taps.length;
  // The wide side comes first: the engine packs the second factor only, once for each sample.
  const columns = concat(
    taps.map((tap) => reshape(tap, [samples, group, 1, perGroup, pixels])),
    2,
  );
  const left = reshape(columns, [samples, group, count * perGroup, pixels]);
  const right = reshape(dy, [samples, group, out / group, pixels]);
  const products = reduceSum(fusedMatMul(left, right, { transB: true }), [0], false); // g×(k·k·C/g)×O/g
  const split = reshape(products, [group, count, perGroup, out / group]);
  return [reshape(transpose(split, [0, 3, 2, 1]), [out, perGroup, kh, kw])];
};
