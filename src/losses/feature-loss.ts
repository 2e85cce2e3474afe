// How far feature maps are from those of a teacher, as a graph.

import { reduceSum } from "../graph/ops/broadcast.ts";
import { add, div, mul, scale, shift, sub } from "../graph/ops/elementwise.ts";
import type { Value } from "../graph/value.ts";

/** A map of the network that learns and the one that it should be, N×C×h×w both, sizes known. */
export interface FeaturePair {
  readonly own: Value;
  readonly wanted: Value;
}

/** Keeps maps that are the same everywhere from dividing by zero. */
const SMALLEST_VARIANCE = 1e-6;

/**
 * Σ (x − t)² / Σ (t − t̄)², t̄ the mean of t's channel over samples and cells: 0 for equal maps, 1 for a network that knows no more
 * than each channel's mean. Hints of Romero et al. 2015 (FitNets, equation 3) relative to what there is to explain, so that
 * layers of any size and scale count alike.
 */
function unexplained({ own, wanted }: FeaturePair): Value {
  const [samples, , height, width] = wanted.shape as [number, number, number, number];
  const cells = samples * height * width;
  const centred = sub(wanted, scale(reduceSum(wanted, [0, 2, 3], true), 1 / cells));
  const difference = sub(own, wanted);
  const all = [0, 1, 2, 3];
  const variance = reduceSum(mul(centred, centred), all, false);
  return div(reduceSum(mul(difference, difference), all, false), shift(variance, SMALLEST_VARIANCE * cells));
}

/** The mean over the pairs of the share of the teacher's variance that the network does not explain. */
export function featureLoss(pairs: readonly FeaturePair[]): Value {
  return scale(
    pairs.map(unexplained).reduce((sum, term) => add(sum, term)),
    1 / pairs.length,
  );
}
