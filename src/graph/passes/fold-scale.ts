// Folds per-channel scales and shifts into the convolution before them: batch normalisation and products with constants.

import { type Tensor, tensor } from "../../tensor/tensor.ts";
import { countUses, type Graph, rewriteGraph } from "../graph.ts";
import { emitOne, type Inputs, numberOf } from "../operator.ts";
import { Conv, ConvTranspose } from "../ops/conv.ts";
import { Mul } from "../ops/elementwise.ts";
import { BatchNormalization } from "../ops/normalization.ts";
import { constant, type Node, type Value } from "../value.ts";

/** y = x·scale + shift per channel, in double precision. */
interface Affine {
  /** The input that carries the channels. */
  readonly x: Value;
  readonly scale: Float64Array;
  readonly shift: Float64Array;
}

const floats = (value: Value | undefined): Float32Array | undefined =>
  value?.data?.dtype === "float32" ? (value.data.data as Float32Array) : undefined;

/** BN by stored statistics is scale = γ/√(var + ε), shift = β − mean·scale. */
function affineOfBatchNorm(node: Node, inputs: Inputs): Affine | undefined {
  const [gamma, beta, mean, variance] = inputs.slice(1, 5).map(floats);
  if (!gamma || !beta || !mean || !variance || numberOf(node.attributes, "training_mode", 0) !== 0)
    return undefined;
  const epsilon = numberOf(node.attributes, "epsilon", 1e-5);
  const scale = Float64Array.from(gamma, (g, c) => g / Math.sqrt(variance[c]! + epsilon));
  const shift = Float64Array.from(beta, (b, c) => b - mean[c]! * scale[c]!);
  return { x: inputs[0]!, scale, shift };
}

/** x·constant where the constant is a scalar or one number per channel (1×C×1×1). */
function affineOfMul(_node: Node, inputs: Inputs): Affine | undefined {
  const index = inputs.findIndex((value) => value?.kind === "constant");
  const factor = inputs[index];
  const values = floats(factor);
  const x = inputs[1 - index];
  if (!factor || !values || !x || x.shape.length !== 4) return undefined;
  const channels = x.shape[1] as number;
  const perChannel =
    factor.shape.length >= 3 && factor.shape.at(-3) === channels && values.length === channels;
  if (values.length !== 1 && !perChannel) return undefined;
  const scale = Float64Array.from({ length: channels }, (_, c) => values[values.length === 1 ? 0 : c]!);
  return { x, scale, shift: new Float64Array(channels) };
}

const AFFINE_RULES = new Map([
  [BatchNormalization, affineOfBatchNorm],
  [Mul, affineOfMul],
]);

/** The weight with output channel c multiplied by scale[c]. Conv weights are O×I×k×k, transposed ones I×O×k×k. */
function scaleWeight(weight: Tensor, scale: Float64Array, transposed: boolean): Tensor {
  const source = weight.data as Float32Array;
  const [first, second, kh, kw] = weight.shape as [number, number, number, number];
  const kernel = kh * kw;
  const result = tensor("float32", weight.shape);
  for (let a = 0, i = 0; a < first; a++) {
    for (let b = 0; b < second; b++) {
      const factor = scale[transposed ? b : a]!;
      for (let k = 0; k < kernel; k++, i++) result.data[i] = source[i]! * factor;
    }
  }
  return result;
}

/** The convolution `node` followed by `affine`, as one convolution. */
function fold(node: Node, affine: Affine): Value | undefined {
  const [x, weight, bias] = node.inputs;
  const transposed = node.operator === ConvTranspose;
  const grouped = numberOf(node.attributes, "group", 1) !== 1;
  const weightData = weight?.data;
  const biasData = floats(bias);
  if (weightData?.dtype !== "float32" || (bias && !biasData) || (transposed && grouped)) return undefined;
  const newBias = Float32Array.from(
    affine.shift,
    (shift, c) => shift + (biasData?.[c] ?? 0) * affine.scale[c]!,
  );
  const inputs = [
    x,
    constant(scaleWeight(weightData, affine.scale, transposed)),
    constant(tensor("float32", [newBias.length], newBias)),
  ];
  return emitOne(node.operator, inputs, node.attributes, node.name);
}

/** The graph with every foldable scale and shift moved into the convolution that feeds it and nothing else. */
export function foldScales(graph: Graph): Graph {
  const uses = countUses(graph);
  return rewriteGraph(graph, (node, inputs) => {
    const affine = AFFINE_RULES.get(node.operator)?.(node, inputs);
    const producer = affine?.x.producer;
    if (!affine || !producer || (producer.operator !== Conv && producer.operator !== ConvTranspose))
      return undefined;
    // The convolution may itself be the product of an earlier fold: what counts is who read the original value.
    const original = node.inputs[inputs.indexOf(affine.x)]!;
    const folded = uses.get(original) === 1 ? fold(producer, affine) : undefined;
    return folded && [folded];
  });
}
