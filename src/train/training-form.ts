// A network's graph as training computes it: batch normalisation by the statistics of the batch.

import { type Graph, rewriteGraph } from "../graph/graph.ts";
import { numberOf } from "../graph/operator.ts";
import { BatchNormalization, batchNormalizationTraining } from "../graph/ops/normalization.ts";
import type { Value } from "../graph/value.ts";

/** One batch normalisation that follows its batches. */
export interface BatchStatistics {
  /** State-dict keys of its running statistics. */
  readonly meanName: string;
  readonly varianceName: string;
  /** What this batch has: C numbers each; the variance is the population's. */
  readonly mean: Value;
  readonly variance: Value;
  /** Numbers per channel of a batch, M. The running variance takes the unbiased one, M/(M − 1) times the population's. */
  readonly count: number;
}

/** The graph in its training form and the statistics that its batch normalisations give. */
export interface TrainingForm {
  readonly graph: Graph;
  readonly statistics: readonly BatchStatistics[];
}

/**
 * Replaces batch normalisations by stored statistics with ones by the batch's own.
 * @param frozen tells by the module's path (`stage2.0.branches.0.0.bn1`) which keep their stored statistics
 */
export function trainingForm(graph: Graph, frozen: (path: string) => boolean = () => false): TrainingForm {
  const statistics: BatchStatistics[] = [];
  const rewritten = rewriteGraph(graph, (node, inputs) => {
    if (node.operator !== BatchNormalization || frozen(node.name)) return undefined;
    const [x, scale, bias, runningMean, runningVariance] = inputs as readonly Value[];
    if (runningMean!.kind !== "parameter") return undefined; // a teacher's
    const epsilon = numberOf(node.attributes, "epsilon", 1e-5);
    const { y, mean, variance } = batchNormalizationTraining(x!, scale!, bias!, epsilon, node.name);
    const [samples, , height, width] = x!.shape as [number, number, number, number];
    statistics.push({
      meanName: runningMean!.name!,
      varianceName: runningVariance!.name!,
      mean,
      variance,
      count: samples * height * width,
    });
    return [y];
  });
  return { graph: rewritten, statistics };
}
