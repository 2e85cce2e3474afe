// Our graph as an ONNX model, and back.

import { HRNetError } from "../errors.ts";
import { bytesOf, type Tensor } from "../tensor/tensor.ts";
import { createGraph, type Graph } from "./graph.ts";
import { type AttributeProto, AttributeType, type ModelProto, type ValueInfoProto } from "./onnx-messages.ts";
import { DATA_TYPE_OF, dtypeOf, tensorFromProto, tensorToProto } from "./onnx-proto.ts";
import { type AttributeKind, type Attributes, emit, emitOne, type Operator } from "./operator.ts";
import { findOperator } from "./operators.ts";
import { Identity } from "./ops/elementwise.ts";
import { Resize } from "./ops/resize.ts";
import { constant, type Dim, input as graphInput, type Node, type Shape, type Value } from "./value.ts";

/** Operator set we write: the first in which Resize takes sizes for some axes only. */
const OPSET = 18;
/** IR version that goes with it (onnx 1.13). */
const IR_VERSION = 8;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

const ATTRIBUTE_WRITERS: Readonly<Record<AttributeKind, (value: never) => Omit<AttributeProto, "name">>> = {
  int: (i: number) => ({ type: AttributeType.INT, i }),
  ints: (ints: readonly number[]) => ({ type: AttributeType.INTS, ints }),
  float: (f: number) => ({ type: AttributeType.FLOAT, f }),
  floats: (floats: readonly number[]) => ({ type: AttributeType.FLOATS, floats }),
  string: (s: string) => ({ type: AttributeType.STRING, s: encoder.encode(s) }),
};

const ATTRIBUTE_READERS: Readonly<
  Record<AttributeKind, (attribute: AttributeProto) => number | readonly number[] | string>
> = {
  int: ({ i = 0 }) => i,
  ints: ({ ints = [] }) => ints,
  float: ({ f = 0 }) => f,
  floats: ({ floats = [] }) => floats,
  string: ({ s }) => decoder.decode(s),
};

function attributesToProto(operator: Operator, attributes: Attributes): AttributeProto[] {
  return Object.entries(attributes).map(([name, value]) => ({
    name,
    ...ATTRIBUTE_WRITERS[operator.attributeKinds[name]!](value as never),
  }));
}

function valueInfo(name: string, value: Value): ValueInfoProto {
  const dim = value.shape.map((size) => (typeof size === "number" ? { dimValue: size } : { dimParam: size }));
  return { name, type: { tensorType: { elemType: DATA_TYPE_OF[value.dtype], shape: { dim } } } };
}

/** Gives every value of a graph a name of its own. */
class Names {
  readonly #names = new Map<Value, string>();
  readonly #taken = new Set<string>();
  /** For names wanted more than once the number that was given last. */
  readonly #last = new Map<string, number>();

  /** Names `value` `wanted`, or `wanted_2`, … */
  give(value: Value, wanted: string): string {
    const known = this.#names.get(value);
    if (known !== undefined) return known;
    const name = this.unique(wanted);
    this.#names.set(value, name);
    return name;
  }

  unique(wanted: string): string {
    let name = wanted;
    let number = this.#last.get(wanted) ?? 1;
    while (this.#taken.has(name)) name = `${wanted}_${++number}`;
    this.#last.set(wanted, number);
    this.#taken.add(name);
    return name;
  }
}

/** Lists of integers up to this length are written once for all their uses. */
const MAX_SHARED = 64;

/**
 * What constants that may be written as one have in common; `undefined` for those that stay apart. Lists of floats do: batch
 * normalisation in training writes its statistics over them.
 */
function sharingKey({ dtype, shape, data }: Tensor): string | undefined {
  const sharable = shape.length === 0 || (dtype === "int64" && data.length <= MAX_SHARED);
  return sharable ? `${dtype}[${shape.join()}] ${bytesOf(data).join()}` : undefined;
}

/** What {@link graphToModel} writes beside the graph. */
export interface ModelInfo {
  readonly name: string;
  readonly producerVersion?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  /** Shapes of inputs with sizes left open that the graph was built for one number of, but does not depend on. */
  readonly openInputs?: Readonly<Record<string, Shape>>;
}

/**
 * The ONNX model of a graph whose parameters are bound.
 * @throws HRNetError `weights-mismatch` when a parameter has no elements yet.
 */
export function graphToModel(graph: Graph, info: ModelInfo): ModelProto {
  const names = new Names();
  for (const value of graph.inputs) names.give(value, value.name!);
  // Outputs keep their names. One that no node computes passes through Identity.
  const nodes: Node[] = [...graph.nodes];
  const outputs = Object.entries(graph.outputs).map(([name, value]) => {
    let result = value;
    if (value.kind !== "result" || names.give(value, name) !== name) {
      result = emitOne(Identity, [value], {}, name);
      nodes.push(result.producer!);
    }
    return valueInfo(names.give(result, name), result);
  });

  const initializer = new Map<Value, ReturnType<typeof tensorToProto>>();
  const shared = new Map<string, Value>();
  /** The constant that is written for `value`: the first of those that may be written as one. */
  const representative = (value: Value): Value => {
    const key = sharingKey(value.data!);
    const first = key === undefined ? undefined : shared.get(key);
    if (key !== undefined && !first) shared.set(key, value);
    return first ?? value;
  };
  const nameOf = (value: Value | undefined): string => {
    if (!value) return "";
    if (value.kind === "parameter") {
      throw new HRNetError(
        "weights-mismatch",
        `The parameter ${value.name} has no weights; bind them before writing.`,
      );
    }
    if (value.kind === "constant") {
      const written = representative(value);
      const name = names.give(written, "constant");
      if (!initializer.has(written)) initializer.set(written, tensorToProto(name, written.data!));
      return name;
    }
    return names.give(value, "value");
  };
  const nodeNames = new Names();
  const node = nodes.map((item) => {
    const { operator } = item;
    const name = nodeNames.unique(item.name === "" ? operator.type : item.name);
    const attribute = attributesToProto(operator, item.attributes);
    return {
      opType: operator.type,
      name,
      input: item.inputs.map(nameOf),
      output: item.outputs.map((value) => names.give(value, `${name}.out`)),
      ...(operator.domain !== "" && { domain: operator.domain }),
      ...(attribute.length > 0 && { attribute }),
    };
  });
  // Runtimes lose a batch known by name in Resize; with its shape written they can still tell which maps are alike.
  const open = info.openInputs ?? {};
  const valueInfos = (Object.keys(open).length > 0 ? [] : nodes)
    .filter((item) => item.operator === Resize)
    .map(({ outputs: [value] }) => valueInfo(names.give(value!, "value"), value!))
    .filter(({ name }) => !(name in graph.outputs));
  const domains = new Set(nodes.map((item) => item.operator.domain).filter((domain) => domain !== ""));
  return {
    irVersion: IR_VERSION,
    opsetImport: [{ domain: "", version: OPSET }, ...[...domains].map((domain) => ({ domain, version: 1 }))],
    producerName: "hrnet-ts",
    ...(info.producerVersion !== undefined && { producerVersion: info.producerVersion }),
    graph: {
      name: info.name,
      node,
      input: graph.inputs.map((value) => {
        const name = names.give(value, value.name!);
        return valueInfo(name, { ...value, shape: open[name] ?? value.shape });
      }),
      output: outputs,
      initializer: [...initializer.values()],
      ...(valueInfos.length > 0 && { valueInfo: valueInfos }),
    },
    metadataProps: Object.entries(info.metadata ?? {}).map(([key, value]) => ({ key, value })),
  };
}

function readAttributes(operator: Operator, attributes: readonly AttributeProto[]): Attributes {
  const entries = attributes.map((attribute) => {
    const kind = operator.attributeKinds[attribute.name];
    if (!kind) {
      throw new HRNetError(
        "invalid-model",
        `The model uses ${operator.type} with the attribute ${attribute.name}, which is not supported here.`,
      );
    }
    return [attribute.name, ATTRIBUTE_READERS[kind](attribute)] as const;
  });
  return Object.fromEntries(entries);
}

function inputOf({ name, type }: ValueInfoProto): Value {
  const tensorType = type?.tensorType;
  const dims = tensorType?.shape?.dim;
  if (!tensorType || !dims) {
    throw new HRNetError("invalid-model", `The model's input ${name} has no tensor type with a shape.`);
  }
  const shape = dims.map(({ dimValue, dimParam }, axis): Dim => dimValue ?? (dimParam || `${name}_${axis}`));
  return graphInput(name, dtypeOf(tensorType.elemType), shape);
}

/**
 * The graph of an ONNX model that uses operators of ours only (as every model we write does).
 * @throws HRNetError `invalid-model` for operators, attributes or references we do not know.
 */
export function graphFromModel(model: ModelProto): Graph {
  const values = new Map<string, Value>();
  for (const tensor of model.graph.initializer)
    values.set(tensor.name ?? "", constant(tensorFromProto(tensor)));
  const inputs = model.graph.input.filter(({ name }) => !values.has(name)).map(inputOf);
  for (const value of inputs) values.set(value.name!, value);
  const resolve = (name: string, user: string): Value => {
    const value = values.get(name);
    if (!value)
      throw new HRNetError(
        "invalid-model",
        `The model's ${user} reads ${name}, which nothing defines before.`,
      );
    return value;
  };
  for (const proto of model.graph.node) {
    const operator = findOperator(proto.opType, proto.domain ?? "");
    if (!operator) {
      throw new HRNetError(
        "invalid-model",
        `The model uses the operator ${proto.domain ? `${proto.domain}.` : ""}${proto.opType}, which is not supported ` +
          "here; run it with openSession instead.",
      );
    }
    const user = `node ${proto.name || proto.opType}`;
    const nodeInputs = proto.input.map((name) => (name === "" ? undefined : resolve(name, user)));
    const outputs = emit(operator, nodeInputs, readAttributes(operator, proto.attribute ?? []), proto.name);
    proto.output.forEach((name, index) => {
      const value = outputs[index];
      if (name !== "" && value) values.set(name, value);
    });
  }
  const outputs = model.graph.output.map(({ name }) => [name, resolve(name, "output list")] as const);
  return createGraph(inputs, Object.fromEntries(outputs));
}
