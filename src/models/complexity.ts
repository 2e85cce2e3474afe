// Parameters and multiply-adds of named networks, exact and by the rules of the papers.

import { countHRNetSummary, countMacs, countMmcv, countTorchstat } from "../graph/complexity.ts";
import type { Graph } from "../graph/graph.ts";
import type { ParameterMap } from "../nn/scope.ts";
import { elementCount } from "../tensor/tensor.ts";
import { buildNetwork, parseNetworkConfig } from "./network.ts";
import { REGION_TEST } from "./region-network.ts";
import type { Convention, PaperFigures, Task, Variant } from "./variants.ts";

/** How a paper counted. */
interface CountingRule {
  readonly description: string;
  readonly gflops: (graph: Graph) => number;
  /** Parameters in what stands for a million; 10⁶ by default. */
  readonly million?: number;
}

/** How each convention counts a graph into the "GFLOPs" a paper prints. */
export const CONVENTIONS: Readonly<Record<Convention, CountingRule>> = {
  hrnet: {
    description: "conv and linear MACs, transposed conv by output pixels, ÷ 2³⁰",
    gflops: (graph) => countHRNetSummary(graph) / 2 ** 30,
  },
  "hrnet-decimal": {
    description: "conv and linear MACs, transposed conv by output pixels, ÷ 10⁹",
    gflops: (graph) => countHRNetSummary(graph) / 1e9,
  },
  torchstat: {
    description: "torchstat: MACs + bias, BN 2 and ReLU 1 per element, upsampling and pooling, ÷ 2²⁰ ÷ 10³",
    gflops: (graph) => countTorchstat(graph) / 2 ** 20 / 1e3,
  },
  mmcv: {
    description: "mmcv: MACs + bias, normalisations 2 and ReLU 1 per element, upsampling, ÷ 10⁹",
    gflops: (graph) => countMmcv(graph) / 1e9,
  },
  "binary-all": {
    description: "exact MACs ÷ 2³⁰, parameters ÷ 2²⁰",
    gflops: (graph) => countMacs(graph) / 2 ** 30,
    million: 2 ** 20,
  },
  "binary-macs": { description: "exact MACs ÷ 2³⁰", gflops: (graph) => countMacs(graph) / 2 ** 30 },
};

/** A named network's figures beside the paper's. */
export interface ModelFigures {
  readonly name: string;
  readonly task: Task;
  /** Height and width in pixels. */
  readonly input: readonly [number, number];
  /** Trainable parameters, exact. */
  readonly params: number;
  /** Multiply-accumulates of one forward pass, exact. */
  readonly macs: number;
  readonly paper: PaperFigures | null;
  /** Our counts by the paper's rules. */
  readonly paramsAsPaper: number | null;
  readonly gflopsAsPaper: number | null;
  readonly note?: string;
}

/** Number of trainable parameters. */
export function countParameters(parameters: ParameterMap): number {
  let sum = 0;
  for (const { value, trainable } of parameters.values()) {
    if (trainable) sum += elementCount(value.shape as readonly number[]);
  }
  return sum;
}

/** Two-stage detectors are counted with that many proposals (TPAMI Table VII). */
const COUNTED_PROPOSALS = 512;

/** Figures of a variant at its published input size. */
export function figuresOf(variant: Variant): ModelFigures {
  const { name, task, input, paper, note } = variant;
  const { graph, parameters } = buildNetwork(parseNetworkConfig(variant.config), input, undefined, {
    ...REGION_TEST,
    proposals: COUNTED_PROPOSALS,
  });
  const params = countParameters(parameters);
  const rule = paper && CONVENTIONS[paper.convention];
  return {
    name,
    task,
    input,
    params,
    macs: countMacs(graph),
    paper,
    paramsAsPaper: rule && params / (rule.million ?? 1e6),
    gflopsAsPaper: rule ? rule.gflops(graph) : null,
    ...(note !== undefined && { note }),
  };
}
