// What an operator is: its ONNX identity, its shape rule, its cost, and how its result is computed from constants.
// A family of operators is one file under ops/; an operator's gradient stands in the same object.

import { HRNetError } from "../errors.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { formatType, type Node, type Value, type ValueType } from "./value.ts";

/** Kinds of ONNX attributes in use. */
export type AttributeKind = "int" | "ints" | "float" | "floats" | "string";

/** Attribute values by their ONNX names. */
export type Attributes = Readonly<Record<string, number | readonly number[] | string>>;

/** Inputs as a rule sees them: optional ones may be missing. */
export type Inputs = readonly (Value | undefined)[];

/** What a gradient rule is given. */
export interface Backward {
  readonly node: Node;
  /** ∂loss/∂output for each output; `undefined` where the loss does not depend on it. At least one is there. */
  readonly gradients: readonly (Value | undefined)[];
  /** For each input whether its gradient is asked for; others may be left out of the result. */
  readonly wanted: readonly boolean[];
}

/** An ONNX operator, as a value. */
export interface Operator {
  /** ONNX operator type, e.g. `Conv`. */
  readonly type: string;
  /** ONNX domain; `""` is the standard one. */
  readonly domain: string;
  /** Names and kinds of the attributes it may carry; whatever else is refused when a model is read. */
  readonly attributeKinds: Readonly<Record<string, AttributeKind>>;
  /** How many inputs, from the first, must be there. Default 1. */
  readonly minInputs?: number;
  /** Dtype and shape of each output. Throws by {@link shapeError} where the inputs do not fit. */
  readonly infer: (inputs: Inputs, attributes: Attributes) => ValueType[];
  /** Multiply-accumulates of one sample (a symbolic size counts as 1); 0 where the rule is absent. */
  readonly macs?: (node: Node) => number;
  /** The result for constant inputs; absent where folding is never needed. */
  readonly evaluate?: (inputs: readonly (Tensor | undefined)[], attributes: Attributes) => Tensor[];
  /** ∂loss/∂input for each input, in terms of other operators; absent where nothing can be trained through it. */
  readonly gradient?: (backward: Backward) => readonly (Value | undefined)[];
}

/**
 * Domain of operators that only training graphs have before they are lowered (passes/lower.ts): each stands for several
 * ways to compute one thing, of which the device decides.
 */
export const TRAINING_DOMAIN = "hrnet.training";

const registry = new Map<string, Operator>();

/** Registers an operator, so that models that use it can be read back. */
export function defineOperator(definition: Omit<Operator, "domain"> & { domain?: string }): Operator {
  const operator: Operator = { domain: "", ...definition };
  registry.set(`${operator.domain}:${operator.type}`, operator);
  return operator;
}

/** The operator of that ONNX domain and type, if it is one of ours. */
export function findOperator(type: string, domain: string): Operator | undefined {
  return registry.get(`${domain === "ai.onnx" ? "" : domain}:${type}`);
}

/** Every operator that is registered; all there are once operators.ts is loaded. */
export const registeredOperators = (): readonly Operator[] => [...registry.values()];

/** Uses `operator` on `inputs`; returns all its outputs. `name` is the path of the module that asks. */
export function emit(
  operator: Operator,
  inputs: Inputs,
  attributes: Attributes,
  name = "",
): readonly Value[] {
  const needed = operator.minInputs ?? 1;
  for (let index = 0; index < needed; index++) {
    if (!inputs[index]) throw shapeError(operator.type, inputs, `needs ${needed} input(s)`);
  }
  const types = operator.infer(inputs, attributes);
  const outputs: Value[] = [];
  const node: Node = { operator, inputs, attributes, outputs, name };
  types.forEach((type, outputIndex) => {
    outputs.push({ kind: "result", dtype: type.dtype, shape: type.shape, producer: node, outputIndex });
  });
  return outputs;
}

/** {@link emit} for operators with one output. */
export function emitOne(operator: Operator, inputs: Inputs, attributes: Attributes, name = ""): Value {
  return emit(operator, inputs, attributes, name)[0]!;
}

/** The error of an operator whose inputs do not fit: names it, every input's type and what was expected. */
export function shapeError(type: string, inputs: Inputs, expected: string): HRNetError {
  const given = inputs.map((value) => (value ? formatType(value) : "none")).join(", ");
  return new HRNetError("invalid-shape", `${type}(${given}): ${expected}.`);
}

/** An attribute that is a list of integers, or its default. */
export function intsOf(attributes: Attributes, name: string, fallback: readonly number[]): readonly number[] {
  const value = attributes[name];
  return Array.isArray(value) ? value : fallback;
}

/** An axis counted from the front; ONNX lets −1 be the last. */
export function axisOf(type: string, inputs: Inputs, axis: number, rank: number): number {
  const result = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(result) || result < 0 || result >= rank) {
    throw shapeError(type, inputs, `axis ${axis} is outside the shape`);
  }
  return result;
}

/** An attribute that is a number, or its default. */
export function numberOf(attributes: Attributes, name: string, fallback: number): number {
  const value = attributes[name];
  return typeof value === "number" ? value : fallback;
}

/** The elements of a constant integer input as numbers, or `undefined` where it is missing. */
export function constantInts(type: string, inputs: Inputs, index: number): number[] | undefined {
  const value = inputs[index];
  if (!value) return undefined;
  if (!value.data) throw shapeError(type, inputs, `input ${index} must be a constant`);
  return Array.from(value.data.data, Number);
}
