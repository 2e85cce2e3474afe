// Counting: parameters, multiply-accumulates, and the counting rules behind published "GFLOPs".

import type { Graph } from "./graph.ts";
import { type Node, sizeOr1, type Value } from "./value.ts";

/** Elements of one sample: a symbolic size counts as 1. */
function numel(value: Value): number {
  return value.shape.reduce<number>((product, dim) => product * sizeOr1(dim), 1);
}

/** Multiply-adds of a transposed convolution as weights × *output* pixels. */
function transposedByOutput(node: Node): number {
  const [samples, , height, width] = node.outputs[0]!.shape;
  return sizeOr1(samples) * numel(node.inputs[1]!) * sizeOr1(height) * sizeOr1(width);
}

/** Exact multiply-accumulates of one sample: convolutions (transposed ones by input pixels) and matrix products. */
export function countMacs(graph: Graph): number {
  return graph.nodes.reduce((sum, node) => sum + (node.operator.macs?.(node) ?? 0), 0);
}

/**
 * Multiply-adds by `get_model_summary` of the HRNet repositories, to be divided by 2³⁰: convolutions and linear layers,
 * transposed convolutions as weights × *output* pixels (four times too many at stride 2), nothing else.
 */
export function countHRNetSummary(graph: Graph): number {
  const rules: Readonly<Record<string, (node: Node) => number>> = {
    Conv: (node) => node.operator.macs!(node),
    Gemm: (node) => node.operator.macs!(node),
    ConvTranspose: transposedByOutput,
  };
  return graph.nodes.reduce((sum, node) => sum + (rules[node.operator.type]?.(node) ?? 0), 0);
}

/**
 * "FLOPs" by mmcv's counter: convolution MACs + bias, normalisations 2 per element, ReLU 1, nn.Upsample 1 per element of its output.
 * Functional interpolation, pooling and sums count nothing; a module called several times counts each time. Source:
 * `mmcv/cnn/utils/flops_counter.py`.
 */
export function countMmcv(graph: Graph): number {
  const rules: Readonly<Record<string, (node: Node) => number>> = {
    Conv: (node) => node.operator.macs!(node) + (node.inputs[2] ? numel(node.outputs[0]!) : 0),
    BatchNormalization: (node) => 2 * numel(node.outputs[0]!),
    // By output pixels, as mmcv had it until 2020.
    ConvTranspose: (node) => transposedByOutput(node) + (node.inputs[2] ? numel(node.outputs[0]!) : 0),
    Gemm: (node) => 2 * node.operator.macs!(node),
    // Sums with a module's name are the last step of a group normalisation.
    Add: (node) => (node.name === "" ? 0 : 2 * numel(node.outputs[0]!)),
    Relu: (node) => numel(node.outputs[0]!),
    Resize: (node) => (node.name === "" ? 0 : numel(node.outputs[0]!)),
  };
  return graph.nodes.reduce((sum, node) => sum + (rules[node.operator.type]?.(node) ?? 0), 0);
}

/**
 * "FLOPs" by torchstat, to be divided by 2²⁰: convolution MACs + bias, BN 2 per element, ReLU 1 per element, nn.Upsample
 * H·W, adaptive average pooling C·(H+1)·(W+1) of the output… A module called several times counts once, by its last call.
 * Functional interpolation, additions and products are not modules and count nothing.
 */
export function countTorchstat(graph: Graph): number {
  const size = (value: Value): [number, number, number] => value.shape.slice(1) as [number, number, number];
  const rules: Readonly<Record<string, (node: Node) => number>> = {
    Conv: (node) => node.operator.macs!(node) + (node.inputs[2] ? numel(node.outputs[0]!) : 0),
    BatchNormalization: (node) => 2 * numel(node.outputs[0]!),
    Relu: (node) => numel(node.outputs[0]!),
    Resize: (node) => {
      const [, height, width] = size(node.outputs[0]!);
      return node.name === "" ? 0 : height * width;
    },
    GlobalAveragePool: (node) => {
      const [channels, height, width] = size(node.inputs[0]!);
      return channels * (height + 1) * (width + 1);
    },
  };
  const calls = new Map<string, number>();
  let anonymous = 0;
  for (const node of graph.nodes) {
    const flops = rules[node.operator.type]?.(node) ?? 0;
    if (flops > 0) calls.set(node.name || `#${anonymous++}`, flops);
  }
  return [...calls.values()].reduce((sum, flops) => sum + flops, 0);
}
