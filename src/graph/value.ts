// Values of a tensor graph: what flows along its edges, with dtype and shape, and the nodes that produce them.

import type { DType, Tensor } from "../tensor/tensor.ts";
import type { Attributes, Operator } from "./operator.ts";

/** A size: a number, or the name of a size known only at run time (`"N"`, the batch). */
export type Dim = number | string;

/** A size as costs count it: one sample where it is known at run time only. */
export const sizeOr1 = (dim: Dim | undefined): number => (typeof dim === "number" ? dim : 1);

/** The shape of a value. */
export type Shape = readonly Dim[];

/** What is known of a value before it is computed. */
export interface ValueType {
  readonly dtype: DType;
  readonly shape: Shape;
}

/** An edge of the graph. Immutable: rewriting a graph makes new values. */
export interface Value extends ValueType {
  /** Where it comes from: fed at run time, a named weight, a number known now, or a node's output. */
  readonly kind: "input" | "parameter" | "constant" | "result";
  /** The name of an input or a parameter (its state-dict key). */
  readonly name?: string;
  /** The elements of a constant. */
  readonly data?: Tensor;
  /** The node that computes a result, and which of its outputs this is. */
  readonly producer?: Node;
  readonly outputIndex?: number;
}

/** One use of an operator. */
export interface Node {
  readonly operator: Operator;
  /** Inputs in ONNX order; an optional input left out is `undefined`. */
  readonly inputs: readonly (Value | undefined)[];
  readonly attributes: Attributes;
  readonly outputs: readonly Value[];
  /** The path of the module that made it (`stage2.0.branches.1.0.conv1`), or "". Names the ONNX node. */
  readonly name: string;
}

/** A value fed at run time. */
export function input(name: string, dtype: DType, shape: Shape): Value {
  return { kind: "input", name, dtype, shape };
}

/** A weight, known by its state-dict key until {@link bindParameters} gives it elements. */
export function parameter(name: string, dtype: DType, shape: readonly number[]): Value {
  return { kind: "parameter", name, dtype, shape };
}

/** A value known now. */
export function constant(data: Tensor): Value {
  return { kind: "constant", dtype: data.dtype, shape: data.shape, data };
}

/** `float32[N×3×256×192]`, for error messages. */
export function formatType(type: ValueType): string {
  return `${type.dtype}[${type.shape.join("×")}]`;
}
