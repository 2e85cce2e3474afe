// Half precision: constants stored and computed in float16, inputs and outputs left in float32.

import { float32ArrayToFloat16 } from "../../tensor/float16.ts";
import { type Tensor, tensor } from "../../tensor/tensor.ts";
import { createGraph, type Graph, rewriteGraph } from "../graph.ts";
import { emit } from "../operator.ts";
import { cast } from "../ops/cast.ts";
import { Resize } from "../ops/resize.ts";
import { constant, type Value } from "../value.ts";

/** Input positions that stay float32 whatever the data is: Resize's region of interest and scales. */
const FLOAT32_INPUTS = new Map([[Resize, [1, 2]]]);

/** A float32 constant in float16. */
const halved = ({ shape, data }: Tensor): Value =>
  constant(tensor("float16", shape, float32ArrayToFloat16(data as Float32Array)));

/** Constants with fewer elements stay as they are: they are coordinates and factors, not weights. */
const FEWEST_WEIGHTS = 1024;

/**
 * The graph computed in float32 with its weights stored in float16: for graphs that compute coordinates and indices, for which float16 has
 * too few digits.
 */
export function storeAsFloat16(graph: Graph): Graph {
  return rewriteGraph(
    graph,
    () => undefined,
    (value) => {
      const large =
        value.kind === "constant" && value.dtype === "float32" && value.data!.data.length >= FEWEST_WEIGHTS;
      return large ? cast(halved(value.data!), "float32") : value;
    },
  );
}

/** The graph computed in float16. Each constant is converted once. */
export function toFloat16(graph: Graph): Graph {
  const halves = new Map<Value, Value>();
  const half = (value: Value): Value => {
    if (value.kind !== "constant" || value.dtype !== "float32") return value;
    let result = halves.get(value);
    if (!result) {
      result = halved(value.data!);
      halves.set(value, result);
    }
    return result;
  };
  const entries = new Map(graph.inputs.map((value) => [value, cast(value, "float16")]));
  const converted = rewriteGraph(graph, (node, inputs) => {
    const keep = FLOAT32_INPUTS.get(node.operator) ?? [];
    const next = inputs.map((value, index) =>
      value === undefined || keep.includes(index) ? value : half(entries.get(value) ?? value),
    );
    return emit(node.operator, next, node.attributes, node.name);
  });
  const outputs = Object.entries(converted.outputs).map(
    ([name, value]) => [name, cast(value, "float32")] as const,
  );
  return createGraph(graph.inputs, Object.fromEntries(outputs));
}
