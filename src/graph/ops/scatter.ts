// Operators that pick or place elements by indices known at run time: ScatterElements, ScatterND, TopK, ArgMax.

import { tensor } from "../../tensor/tensor.ts";
import { axisOf, constantInts, defineOperator, emit, emitOne, numberOf, shapeError } from "../operator.ts";
import { constant, type Value } from "../value.ts";
import { knownShape } from "./broadcast.ts";

/** ONNX ScatterElements: data with updates placed (or, with `reduction` "add", added) at indices along `axis`. */
export const ScatterElements = defineOperator({
  type: "ScatterElements",
  minInputs: 3,
  attributeKinds: { axis: "int", reduction: "string" },
  infer(inputs) {
    const [data, indices, updates] = inputs as readonly Value[];
    if (indices!.shape.join() !== updates!.shape.join() || data!.dtype !== updates!.dtype)
      throw shapeError("ScatterElements", inputs, "indices and updates must have one shape");
    return [{ dtype: data!.dtype, shape: data!.shape }];
  },
});

/** ONNX ScatterND: data with updates placed (or, with `reduction` "add", added) at index tuples. */
export const ScatterND = defineOperator({
  type: "ScatterND",
  minInputs: 3,
  attributeKinds: { reduction: "string" },
  infer(inputs) {
    const [data, indices, updates] = inputs as readonly Value[];
    const depth = indices!.shape.at(-1);
    const rest = typeof depth === "number" ? data!.shape.slice(depth) : [];
    const wanted = [...indices!.shape.slice(0, -1), ...rest];
    if (updates!.shape.join() !== wanted.join() || data!.dtype !== updates!.dtype)
      throw shapeError("ScatterND", inputs, `updates must have the shape ${wanted.join("×")}`);
    return [{ dtype: data!.dtype, shape: data!.shape }];
  },
});

/** ONNX TopK: the `k` (constant input 1) largest elements along `axis`, descending, and their indices. */
export const TopK = defineOperator({
  type: "TopK",
  minInputs: 2,
  attributeKinds: { axis: "int", largest: "int", sorted: "int" },
  infer(inputs, attributes) {
    const x = inputs[0]!;
    const [k] = constantInts("TopK", inputs, 1)!;
    const axis = axisOf("TopK", inputs, numberOf(attributes, "axis", -1), x.shape.length);
    const size = x.shape[axis];
    if (k === undefined || k < 1 || (typeof size === "number" && k > size))
      throw shapeError("TopK", inputs, `k must lie between 1 and ${size}`);
    const shape = x.shape.map((dim, at) => (at === axis ? k : dim));
    return [
      { dtype: x.dtype, shape },
      { dtype: "int64", shape },
    ];
  },
  gradient({ node, gradients: [dy] }) {
    const zeros = constant(tensor("float32", knownShape("TopK", node.inputs[0]!)));
    const axis = numberOf(node.attributes, "axis", -1);
    return [emitOne(ScatterElements, [zeros, node.outputs[1], dy], { axis }, node.name)];
  },
});

/** ONNX ArgMax: the index of the first maximum along `axis`. */
export const ArgMax = defineOperator({
  type: "ArgMax",
  attributeKinds: { axis: "int", keepdims: "int" },
  infer(inputs, attributes) {
    const x = inputs[0]!;
    const axis = axisOf("ArgMax", inputs, numberOf(attributes, "axis", 0), x.shape.length);
    const keep = numberOf(attributes, "keepdims", 1) === 1;
    return [
      { dtype: "int64", shape: x.shape.flatMap((dim, at) => (at === axis ? (keep ? [1] : []) : [dim])) },
    ];
  },
});

/** The `k` largest elements of x along `axis`, descending, and their indices. */
export function topK(x: Value, k: number, axis: number, name = ""): { values: Value; indices: Value } {
  const count = constant(tensor("int64", [1], BigInt64Array.of(BigInt(k))));
  const [values, indices] = emit(TopK, [x, count], { axis, largest: 1, sorted: 1 }, name);
  return { values: values!, indices: indices! };
}

/**
 * Zeros of `shape` with updates at index tuples.
 * @param indices int64 M×D
 * @param updates M× the axes of `shape` after the first D
 */
export function scatterRows(shape: readonly number[], indices: Value, updates: Value): Value {
  return emitOne(ScatterND, [constant(tensor("float32", shape)), indices, updates], {});
}

/**
 * A table of `rows` rows, each the sum of the updates for it.
 * @param indices int64 M×1
 * @param updates M×C
 */
export function scatterAddRows(rows: number, indices: Value, updates: Value, name = ""): Value {
  const zeros = constant(tensor("float32", [rows, updates.shape[1] as number]));
  return emitOne(ScatterND, [zeros, indices, updates], { reduction: "add" }, name);
}

/** The index of the first maximum of x along `axis`, which goes. */
export const argMax = (x: Value, axis: number, name = ""): Value =>
  emitOne(ArgMax, [x], { axis, keepdims: 0 }, name);
