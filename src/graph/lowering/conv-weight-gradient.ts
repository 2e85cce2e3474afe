// The gradient of a convolution with respect to its weight.

import { type Attributes, intsOf, numberOf } from "../operator.ts";
import { reduceSum } from "../ops/broadcast.ts";
import { fusedMatMul } from "../ops/linear.ts";
import { concat, pad, padAxis, reshape, slice, spaceToDepth, transpose } from "../ops/shape.ts";
import type { Value } from "../value.ts";
import { depthwiseWeightGradient, fitsDepthwise } from "./depthwise.ts";
import type { LoweringRule } from "./target.ts";

/** A convolution's geometry and sizes. */
interface Geometry {
  readonly kernel: readonly [number, number];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly pads: readonly number[];
  readonly group: number;
  /** O, C/group. */
  readonly out: number;
  readonly perGroup: number;
}

function geometryOf(attributes: Attributes): Geometry {
  const [out, perGroup, kh, kw] = intsOf(attributes, "shape", []) as [number, number, number, number];
  return {
    kernel: [kh, kw],
    strides: intsOf(attributes, "strides", [1, 1]),
    dilations: intsOf(attributes, "dilations", [1, 1]),
    pads: intsOf(attributes, "pads", [0, 0, 0, 0]),
    group: numberOf(attributes, "group", 1),
    out,
    perGroup,
  };
}

/**
 * Pixels of a map up to which the samples of a batch are laid side by side, so that one product sums over all of them; above,
 * one product a sample is faster than moving the maps about. Measured on two cores with AVX-512.
 */
const SMALL_MAP = 256;

/**
 * Σ over samples and pixels of a·bᵀ, for maps N×A×P and N×B×P: A×B. The engine packs the second factor, so that the first
 * should be the larger one.
 */
function correlate(a: Value, b: Value): Value {
  const [samples, rows, pixels] = a.shape as [number, number, number];
  if (pixels === 1) {
    const bySample = (x: Value): Value => reshape(x, [samples, x.shape[1] as number]);
    return fusedMatMul(bySample(a), bySample(b), { transA: true });
  }
  if (pixels > SMALL_MAP || samples === 1) return reduceSum(fusedMatMul(a, b, { transB: true }), [0], false);
  const sideBySide = (x: Value): Value =>
    reshape(transpose(x, [1, 0, 2]), [x.shape[1] as number, samples * pixels]);
  return reshape(fusedMatMul(sideBySide(a), sideBySide(b), { transB: true }), [rows, b.shape[1] as number]);
}

const flat = (x: Value): Value => {
  const [n, c, h, w] = x.shape as [number, number, number, number];
  return reshape(x, [n, c, h * w]);
};

/** A 1×1 convolution, with any stride. */
function pointwise(x: Value, dy: Value, { strides, out, perGroup }: Geometry): Value {
  const [, , height, width] = dy.shape as [number, number, number, number];
  const met = span(span(x, 2, 0, height, strides[0]!), 3, 0, width, strides[1]!);
  const [a, b] = [flat(dy), flat(met)];
  const products = out >= perGroup ? correlate(a, b) : transpose(correlate(b, a), [1, 0]); // O×C
  return reshape(products, [out, perGroup, 1, 1]);
}

/** `count` positions along `axis` from `start` on; x itself when that is all of it. */
function span(x: Value, axis: number, start: number, count: number, step: number): Value {
  const end = start + (count - 1) * step + 1;
  return start === 0 && count === x.shape[axis] ? x : slice(x, axis, start, end, step);
}

/** x with its content moved `by` places along `axis`; zeros move in. */
const shifted = (x: Value, axis: number, by: number): Value => padAxis(x, axis, by, -by);

/** Pixels of a map from which on a product for each row of taps is faster than one for all, which needs one more copy of dy. */
const LARGE_MAP = 2048;

/**
 * A k×k convolution that keeps the size of its maps (stride 1, odd k): the tap (i, j) sums dy against x moved by i rows and j
 * columns. Moving dy by rows and x by columns takes k copies of each instead of k·k of one.
 */
function sameSize(x: Value, dy: Value, { kernel: [kh, kw], out, perGroup }: Geometry): Value {
  const [, , height, width] = x.shape as [number, number, number, number];
  const parts = Array.from({ length: kw }, (_, j) => flat(shifted(x, 3, (kw - 1) / 2 - j)));
  const columns = concat(parts, 1); // N×(kw·C)×P
  const rows = Array.from({ length: kh }, (_, i) => shifted(flat(dy), 2, (i - (kh - 1) / 2) * width));
  const byOutput =
    height * width >= LARGE_MAP
      ? transpose(
          concat(
            rows.map((row) => correlate(columns, row)),
            0,
          ),
          [1, 0],
        ) // O×(kh·kw·C)
      : transpose(reshape(correlate(concat(rows, 1), columns), [kh, out, kw * perGroup]), [1, 0, 2]); // O×kh×(kw·C)
  const taps = transpose(reshape(byOutput, [out, kh * kw, perGroup]), [0, 2, 1]); // O×C×(kh·kw)
  return reshape(taps, [out, perGroup, kh, kw]);
}

/**
 * A 3×3 convolution with stride 2 and a pixel of padding. x in four planes, by even and odd rows and columns: the middle tap of
 * an axis meets even places, the last one odd places, the first one the odd places before.
 */
function halved(x: Value, dy: Value, { out, perGroup }: Geometry): Value {
  const [samples, , height, width] = dy.shape as [number, number, number, number];
  const places = reshape(spaceToDepth(x, 2), [samples, 4, perGroup, height, width]);
  const [e0, e1, o0, o1] = [0, 1, 2, 3].map((place) =>
    reshape(slice(places, 1, place, place + 1), [samples, perGroup, height, width]),
  ) as [Value, Value, Value, Value];
  const odd = concat([shifted(o1, 3, 1), o0, o1].map(flat), 1); // N×3C×P
  const even = concat([shifted(e1, 3, 1), e0, e1].map(flat), 1);
  const maps = flat(dy);
  const first = correlate(odd, shifted(maps, 2, -width)); // 3C×O
  const others = correlate(concat([even, odd], 1), maps); // 6C×O
  const byOutput = transpose(concat([first, others], 0), [1, 0]); // O×(9·C)
  const taps = transpose(reshape(byOutput, [out, 9, perGroup]), [0, 2, 1]); // O×C×9
  return reshape(taps, [out, perGroup, 3, 3]);
}

/** Whether {@link halved} applies. */
function isHalving({ kernel, strides, dilations, pads, group }: Geometry, x: Value): boolean {
  const all = (values: readonly number[], value: number): boolean => values.every((size) => size === value);
  const even = x.shape.slice(2).every((size) => (size as number) % 2 === 0);
  return group === 1 && even && all(kernel, 3) && all(strides, 2) && all(dilations, 1) && all(pads, 1);
}

/** A depthwise convolution that keeps the size of its maps: as {@link sameSize}, with one small product for each channel. */
function depthwise(x: Value, dy: Value, { kernel: [kh, kw], out }: Geometry): Value {
  const [samples, , height, width] = x.shape as [number, number, number, number];
  const single = (value: Value): Value => reshape(value, [samples, out, 1, height * width]);
  const columns = Array.from({ length: kw }, (_, j) => single(shifted(x, 3, (kw - 1) / 2 - j)));
  const rows = Array.from({ length: kh }, (_, i) => shifted(single(dy), 3, (i - (kh - 1) / 2) * width));
  const products = fusedMatMul(concat(rows, 2), concat(columns, 2), { transB: true }); // N×C×kh×kw
  return reshape(reduceSum(products, [0], false), [out, 1, kh, kw]);
}

/** For each tap of the kernel the pixels of x (N×C×H×W) that it meets: N×C×H'×W' each. */
function tapsOf(x: Value, [height, width]: readonly [number, number], geometry: Geometry): Value[] {
  const { kernel, strides, dilations, pads } = geometry;
  const padded = pad(x, [0, 0, pads[0]!, pads[1]!, 0, 0, pads[2]!, pads[3]!]);
  const taps: Value[] = [];
  for (let i = 0; i < kernel[0]; i++) {
    const rows = span(padded, 2, i * dilations[0]!, height, strides[0]!);
    for (let j = 0; j < kernel[1]; j++) taps.push(span(rows, 3, j * dilations[1]!, width, strides[1]!));
  }
  return taps;
}

/** Any other convolution: the pixels that each tap meets side by side. */
function general(x: Value, dy: Value, geometry: Geometry): Value {
  const { kernel, group, out, perGroup } = geometry;
  const [samples, , height, width] = dy.shape as [number, number, number, number];
  const pixels = height * width;
  const taps = tapsOf(x, [height, width], geometry);
  const count = taps.length;
  if (group === 1) {
    const products = correlate(concat(taps.map(flat), 1), flat(dy)); // (k·k·C)×O
    const byTap = transpose(products, [1, 0]); // O×(k·k·C)
    const ordered = transpose(reshape(byTap, [out, count, perGroup]), [0, 2, 1]); // O×C×(k·k)
    return reshape(ordered, [out, perGroup, ...kernel]);
  }
  const columns = concat(
    taps.map((tap) => reshape(tap, [samples, group, 1, perGroup, pixels])),
    2,
  );
  const left = reshape(columns, [samples, group, count * perGroup, pixels]);
  const right = reshape(dy, [samples, group, out / group, pixels]);
  const products = reduceSum(fusedMatMul(left, right, { transB: true }), [0], false); // g×(k·k·C/g)×O/g
  const split = reshape(products, [group, count, perGroup, out / group]);
  return reshape(transpose(split, [0, 3, 2, 1]), [out, perGroup, ...kernel]);
}

/** Whether the maps before and after have one size, and the window is as far to either side. */
function keepsSize({ kernel, strides, dilations, pads }: Geometry): boolean {
  const centred = kernel.every(
    (k, axis) => k % 2 === 1 && pads[axis] === (k - 1) / 2 && pads[axis + 2] === (k - 1) / 2,
  );
  return centred && [...strides, ...dilations].every((step) => step === 1);
}

/** Σ over samples and pixels of dy × the pixels that each tap meets, as matrix products. */
export const convWeightGradient: LoweringRule = (node, inputs, { target }) => {
  const [x, dy] = inputs as readonly [Value, Value];
  const geometry = geometryOf(node.attributes);
  const { kernel, group, pads } = geometry;
  if (kernel.join() === "1,1" && group === 1 && pads.every((size) => size === 0))
    return [pointwise(x, dy, geometry)];
  if (
    target.kind === "cpu" &&
    fitsDepthwise(x, { shape: intsOf(node.attributes, "shape", []) }, node.attributes, target.channelBlock)
  ) {
    const blocked = depthwiseWeightGradient(x, dy, node.attributes, kernel);
    if (blocked) return [blocked];
  }
  if (target.kind === "cpu" && isHalving(geometry, x)) return [halved(x, dy, geometry)];
  if (!keepsSize(geometry)) return [general(x, dy, geometry)];
  if (group === 1) return [sameSize(x, dy, geometry)];
  const oneEach = geometry.perGroup === 1 && geometry.out === group;
  return [oneEach ? depthwise(x, dy, geometry) : general(x, dy, geometry)];
};
