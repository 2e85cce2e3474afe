// Operators that move elements without computing: Reshape, Transpose, Concat, Slice, Pad, Split, Gather, Flatten.

import { elementCount, tensor } from "../../tensor/tensor.ts";
import {
  axisOf,
  constantInts,
  defineOperator,
  emit,
  emitOne,
  type Inputs,
  intsOf,
  numberOf,
  shapeError,
} from "../operator.ts";
import { constant, type Dim, type Shape, type Value } from "../value.ts";

const ints = (values: readonly number[]): Value =>
  constant(tensor("int64", [values.length], BigInt64Array.from(values, BigInt)));

/** Product of known sizes and the list of unknown ones: two shapes hold as many elements when both agree. */
function extent(shape: Shape): { known: number; unknown: string } {
  let known = 1;
  const unknown: string[] = [];
  for (const dim of shape) {
    if (typeof dim === "number") known *= dim;
    else unknown.push(dim);
  }
  return { known, unknown: unknown.sort().join(",") };
}

/** Reshape to a constant target; 0 copies the input's size on that axis, one −1 takes what is left. */
export const Reshape = defineOperator({
  type: "Reshape",
  minInputs: 2,
  attributeKinds: { allowzero: "int" },
  infer(inputs, attributes) {
    const x = inputs[0]!;
    const target = constantInts("Reshape", inputs, 1)!;
    if (numberOf(attributes, "allowzero", 0) !== 0)
      throw shapeError("Reshape", inputs, "allowzero is not supported");
    if (target.some((size, axis) => size < -1 || (size === 0 && axis >= x.shape.length))) {
      throw shapeError("Reshape", inputs, `[${target.join(", ")}] is no shape for it`);
    }
    const shape: Dim[] = target.map((size, axis) => (size === 0 ? x.shape[axis]! : size));
    const open = shape.indexOf(-1);
    const whole = extent(x.shape);
    if (open >= 0) {
      const rest = extent(shape.filter((_, axis) => axis !== open));
      if (rest.unknown === whole.unknown) shape[open] = whole.known / rest.known;
      else if (rest.unknown === "" && rest.known === whole.known) shape[open] = whole.unknown;
      else throw shapeError("Reshape", inputs, `cannot tell the size left for −1 in [${target.join(", ")}]`);
    }
    const result = extent(shape);
    const countable = shape.every((dim) => typeof dim === "string" || Number.isInteger(dim));
    if (!countable || result.known !== whole.known || result.unknown !== whole.unknown) {
      throw shapeError("Reshape", inputs, `[${target.join(", ")}] holds another number of elements`);
    }
    return [{ dtype: x.dtype, shape }];
  },
  evaluate([x, target]) {
    const shape = Array.from(target!.data, Number).map((size, axis) => (size === 0 ? x!.shape[axis]! : size));
    const rest = elementCount(shape.filter((size) => size !== -1));
    return [
      tensor(
        x!.dtype,
        shape.map((size) => (size === -1 ? x!.data.length / rest : size)),
        x!.data,
      ),
    ];
  },
  gradient: ({ node, gradients: [dy] }) => [reshape(dy!, fixed("Reshape", node.inputs[0]!))],
});

/** ONNX Transpose: axes in the order of `perm`. */
export const Transpose = defineOperator({
  type: "Transpose",
  attributeKinds: { perm: "ints" },
  infer(inputs, attributes) {
    const x = inputs[0]!;
    const perm = intsOf(attributes, "perm", []);
    if (perm.length !== x.shape.length || x.shape.some((_, axis) => !perm.includes(axis)))
      throw shapeError("Transpose", inputs, `perm [${perm.join(", ")}] does not fit`);
    return [{ dtype: x.dtype, shape: perm.map((axis) => x.shape[axis]!) }];
  },
  evaluate([x], attributes) {
    const perm = intsOf(attributes, "perm", []);
    const strides = x!.shape.map((_, axis) => elementCount(x!.shape.slice(axis + 1)));
    const shape = perm.map((axis) => x!.shape[axis]!);
    const result = tensor(x!.dtype, shape);
    for (let i = 0; i < result.data.length; i++) {
      let rest = i;
      let from = 0;
      for (let axis = shape.length - 1; axis >= 0; axis--) {
        from += (rest % shape[axis]!) * strides[perm[axis]!]!;
        rest = Math.floor(rest / shape[axis]!);
      }
      result.data[i] = x!.data[from]!;
    }
    return [result];
  },
  gradient({ node, gradients: [dy] }) {
    const perm = intsOf(node.attributes, "perm", []);
    return [
      transpose(
        dy!,
        perm.map((_, axis) => perm.indexOf(axis)),
      ),
    ];
  },
});

/** ONNX Concat along `axis`. */
export const Concat = defineOperator({
  type: "Concat",
  attributeKinds: { axis: "int" },
  infer(inputs, attributes) {
    const first = inputs[0]!;
    const axis = axisOf("Concat", inputs, numberOf(attributes, "axis", 0), first.shape.length);
    let total = 0;
    for (const value of inputs) {
      const fits =
        value !== undefined &&
        value.dtype === first.dtype &&
        value.shape.length === first.shape.length &&
        value.shape.every((dim, index) => index === axis || dim === first.shape[index]);
      if (!fits) throw shapeError("Concat", inputs, `all axes but ${axis} must agree`);
      const size = value.shape[axis];
      if (typeof size !== "number") throw shapeError("Concat", inputs, `axis ${axis} must be known`);
      total += size;
    }
    return [{ dtype: first.dtype, shape: first.shape.map((dim, index) => (index === axis ? total : dim)) }];
  },
  gradient({ node, gradients: [dy] }) {
    const axis = axisOf("Concat", node.inputs, numberOf(node.attributes, "axis", 0), dy!.shape.length);
    const sizes = node.inputs.map((value) => value!.shape[axis] as number);
    return split(dy!, axis, sizes);
  },
});

/** ONNX SpaceToDepth: N×C×H×W to N×b²C×H/b×W/b; the b·b places within a block come before the channels. */
export const SpaceToDepth = defineOperator({
  type: "SpaceToDepth",
  attributeKinds: { blocksize: "int" },
  infer(inputs, attributes) {
    const [n, c, h, w] = inputs[0]!.shape as [Dim, number, number, number];
    const b = numberOf(attributes, "blocksize", 0);
    if (inputs[0]!.shape.length !== 4 || b < 1 || h % b !== 0 || w % b !== 0)
      throw shapeError("SpaceToDepth", inputs, `height and width must be multiples of ${b}`);
    return [{ dtype: inputs[0]!.dtype, shape: [n, c * b * b, h / b, w / b] }];
  },
});

/** Slice(data, starts, ends, axes, steps) with constant bounds, clamped to the axis as ONNX does. */
export const Slice = defineOperator({
  type: "Slice",
  minInputs: 3,
  attributeKinds: {},
  infer(inputs) {
    const x = inputs[0]!;
    const starts = constantInts("Slice", inputs, 1)!;
    const ends = constantInts("Slice", inputs, 2)!;
    const axes = constantInts("Slice", inputs, 3) ?? starts.map((_, index) => index);
    const steps = constantInts("Slice", inputs, 4) ?? starts.map(() => 1);
    const shape: Dim[] = [...x.shape];
    if ([ends, axes, steps].some((list) => list.length !== starts.length)) {
      throw shapeError("Slice", inputs, "starts, ends, axes and steps must be equally many");
    }
    axes.forEach((at, index) => {
      const axis = axisOf("Slice", inputs, at, x.shape.length);
      const size = x.shape[axis];
      const step = steps[index]!;
      if (typeof size !== "number" || step < 1)
        throw shapeError("Slice", inputs, "needs known sizes and forward steps");
      const bound = (at: number): number => Math.min(Math.max(at < 0 ? at + size : at, 0), size);
      shape[axis] = Math.max(0, Math.ceil((bound(ends[index]!) - bound(starts[index]!)) / step));
    });
    return [{ dtype: x.dtype, shape }];
  },
  gradient({ node, gradients: [dy] }) {
    const shape = fixed("Slice", node.inputs[0]!);
    const starts = constantInts("Slice", node.inputs, 1)!;
    const axes = constantInts("Slice", node.inputs, 3) ?? starts.map((_, index) => index);
    const steps = constantInts("Slice", node.inputs, 4) ?? starts.map(() => 1);
    let gradient = dy!;
    axes.forEach((at, index) => {
      const axis = axisOf("Slice", node.inputs, at, shape.length);
      const size = shape[axis]!;
      const from = starts[index]! < 0 ? starts[index]! + size : starts[index]!;
      const start = Math.min(Math.max(from, 0), size);
      gradient = placeAlong(gradient, axis, size, start, steps[index]!);
    });
    return [gradient];
  },
});

/**
 * ONNX Pad with zeros by the constant `pads` of input 1: what comes before each axis, then what comes after each.
 * Negative pads cut.
 */
export const Pad = defineOperator({
  type: "Pad",
  minInputs: 2,
  attributeKinds: { mode: "string" },
  infer(inputs, attributes) {
    const x = inputs[0]!;
    const pads = constantInts("Pad", inputs, 1)!;
    if ((attributes["mode"] ?? "constant") !== "constant" || pads.length !== 2 * x.shape.length)
      throw shapeError("Pad", inputs, "only zeros are supported, with two pads for each axis");
    const shape = x.shape.map((dim, axis): Dim => {
      const added = pads[axis]! + pads[axis + x.shape.length]!;
      if (typeof dim === "string" && added !== 0)
        throw shapeError("Pad", inputs, `axis ${axis} must be known`);
      return typeof dim === "string" ? dim : dim + added;
    });
    return [{ dtype: x.dtype, shape }];
  },
  gradient({ node, gradients: [dy] }) {
    const pads = constantInts("Pad", node.inputs, 1)!;
    return [
      pad(
        dy!,
        pads.map((size) => -size),
      ),
    ];
  },
});

/** Split along `axis` into the sizes of the constant second input. */
export const Split = defineOperator({
  type: "Split",
  minInputs: 2,
  attributeKinds: { axis: "int" },
  infer(inputs, attributes) {
    const x = inputs[0]!;
    const axis = axisOf("Split", inputs, numberOf(attributes, "axis", 0), x.shape.length);
    const sizes = constantInts("Split", inputs, 1)!;
    if (sizes.some((size) => size < 0) || sizes.reduce((sum, size) => sum + size, 0) !== x.shape[axis]) {
      throw shapeError("Split", inputs, `the parts [${sizes.join(", ")}] must add up to axis ${axis}`);
    }
    return sizes.map((size) => ({
      dtype: x.dtype,
      shape: x.shape.map((dim, index) => (index === axis ? size : dim)),
    }));
  },
  gradient({ node, gradients }) {
    const axis = numberOf(node.attributes, "axis", 0);
    const parts = gradients.map((dy, index) => dy ?? zeros(fixed("Split", node.outputs[index]!)));
    return [concat(parts, axis)];
  },
});

/** N×C×H×W → N×(C·H·W). */
export const Flatten = defineOperator({
  type: "Flatten",
  attributeKinds: { axis: "int" },
  infer(inputs, attributes) {
    const x = inputs[0]!;
    if (numberOf(attributes, "axis", 1) !== 1)
      throw shapeError("Flatten", inputs, "only axis 1 is supported");
    const { known, unknown } = extent(x.shape.slice(1));
    if (x.shape.length < 2 || unknown !== "")
      throw shapeError("Flatten", inputs, "all axes but 0 must be known");
    return [{ dtype: x.dtype, shape: [x.shape[0]!, known] }];
  },
  gradient: ({ node, gradients: [dy] }) => [reshape(dy!, fixed("Flatten", node.inputs[0]!))],
});

/** Gather(data, indices) along `axis` with constant indices, whose axes take the place of that one. */
export const Gather = defineOperator({
  type: "Gather",
  minInputs: 2,
  attributeKinds: { axis: "int" },
  infer(inputs, attributes) {
    const x = inputs[0]!;
    const axis = axisOf("Gather", inputs, numberOf(attributes, "axis", 0), x.shape.length);
    const size = x.shape[axis];
    const indices = constantInts("Gather", inputs, 1)!;
    if (typeof size !== "number" || indices.some((index) => index < 0 || index >= size)) {
      throw shapeError("Gather", inputs, `the indices must lie on axis ${axis}`);
    }
    const shape = [...x.shape.slice(0, axis), ...inputs[1]!.shape, ...x.shape.slice(axis + 1)];
    return [{ dtype: x.dtype, shape }];
  },
  gradient({ node, gradients: [dy] }) {
    if (node.inputs[1]!.shape.length !== 1)
      throw shapeError("Gather", node.inputs, "has a gradient for a list of indices only");
    const shape = fixed("Gather", node.inputs[0]!);
    const axis = axisOf("Gather", node.inputs, numberOf(node.attributes, "axis", 0), shape.length);
    const indices = constantInts("Gather", node.inputs, 1)!;
    const from = Array.from({ length: shape[axis]! }, (_, at) => indices.indexOf(at));
    if (new Set(indices).size !== indices.length)
      throw shapeError("Gather", node.inputs, "has no gradient where an index is taken twice");
    if (!from.includes(-1)) return [gather(dy!, from, axis)];
    // A row of zeros behind the last serves whatever was not taken.
    const padded = padAxis(dy!, axis, 0, 1);
    return [
      gather(
        padded,
        from.map((at) => (at < 0 ? indices.length : at)),
        axis,
      ),
    ];
  },
});

/** A shape whose sizes are all known, as gradients need them. */
function fixed(type: string, value: Value): readonly number[] {
  if (value.shape.some((dim) => typeof dim === "string"))
    throw shapeError(type, [value], "its gradient needs known sizes");
  return value.shape as readonly number[];
}

const zeros = (shape: readonly number[]): Value => constant(tensor("float32", shape));

/** x along `axis` of an axis of zeros of `size`, from `start` on in steps of `step`: the adjoint of a slice. */
function placeAlong(x: Value, axis: number, size: number, start: number, step: number): Value {
  const count = x.shape[axis] as number;
  if (step === 1) return padAxis(x, axis, start, size - start - count);
  const shape = fixed("Slice", x);
  const apart = reshape(x, [...shape.slice(0, axis + 1), 1, ...shape.slice(axis + 1)]);
  const spread = reshape(
    padAxis(apart, axis + 1, 0, step - 1),
    shape.map((length, at) => (at === axis ? length * step : length)),
  );
  return padAxis(spread, axis, start, size - start - count * step);
}

/** Zeros around x: `pads` before each axis, then after each; negative ones cut. x itself when all are 0. */
export const pad = (x: Value, pads: readonly number[], name = ""): Value =>
  pads.every((size) => size === 0) ? x : emitOne(Pad, [x, ints(pads)], {}, name);
/** `before` and `after` zeros along one axis of x. */
export function padAxis(x: Value, axis: number, before: number, after: number): Value {
  const rank = x.shape.length;
  const pads = new Array<number>(2 * rank).fill(0);
  pads[axis] = before;
  pads[axis + rank] = after;
  return pad(x, pads);
}
/** x in another shape; 0 keeps an axis, −1 takes the rest. */
export const reshape = (x: Value, shape: readonly number[], name = ""): Value =>
  emitOne(Reshape, [x, ints(shape)], {}, name);
/** x with axes in the order `perm`. */
export const transpose = (x: Value, perm: readonly number[], name = ""): Value =>
  emitOne(Transpose, [x], { perm }, name);
/** `parts` one after the other along `axis`. */
export const concat = (parts: readonly Value[], axis: number, name = ""): Value =>
  parts.length === 1 ? parts[0]! : emitOne(Concat, parts as Inputs, { axis }, name);
/** x[start:end:step] along `axis`. */
export const slice = (x: Value, axis: number, start: number, end: number, step = 1, name = ""): Value =>
  emitOne(Slice, [x, ints([start]), ints([end]), ints([axis]), ints([step])], {}, name);
/** The elements of x at `indices` along `axis`, in that order. */
export const gather = (x: Value, indices: readonly number[], axis: number, name = ""): Value =>
  emitOne(Gather, [x, ints(indices)], { axis }, name);
/** Parts of x of the given sizes along `axis`. */
export const split = (x: Value, axis: number, sizes: readonly number[], name = ""): readonly Value[] =>
  emit(Split, [x, ints(sizes)], { axis }, name);
/** x (N×C×H×W) in blocks of `block`×`block` pixels: N×block²·C×H/block×W/block. */
export const spaceToDepth = (x: Value, block: number, name = ""): Value =>
  emitOne(SpaceToDepth, [x], { blocksize: block }, name);
/** N×C×H×W → N×(C·H·W). */
export const flatten = (x: Value, name = ""): Value => emitOne(Flatten, [x], { axis: 1 }, name);
