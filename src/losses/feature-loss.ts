// How unlike feature maps are to those of a teacher, as a graph.

import { reduceSum } from "../graph/ops/broadcast.ts";
import { add, div, mul, relu, scale, shift, sqrt, sub } from "../graph/ops/elementwise.ts";
import type { Value } from "../graph/value.ts";

/** A map of the network that learns and the one that it should be like, N×C×h×w both, sizes known. */
export interface FeaturePair {
  readonly own: Value;
  readonly wanted: Value;
}

/** Keeps channels that are the same everywhere from dividing by zero; as in batch normalisation, whose outputs these are. */
const SMALLEST_VARIANCE = 1e-5;

/**
 * 1 − r, a mean over channels, r the correlation over samples and cells: 0 for maps that are equal but for a positive factor and a term for each
 * channel, 1 for maps that have nothing in common. After the hints of Romero et al. 2015 (FitNets, equation 3); that one
 * compares values, but factors and terms are for the next normalisation to choose, and are learned slowest.
 */
function unlikeness({ own, wanted }: FeaturePair): Value {
  const [samples, channels, height, width] = wanted.shape as [number, number, number, number];
  const mean = (x: Value): Value => scale(reduceSum(x, [0, 2, 3], true), 1 / (samples * height * width)); // 1×C×1×1
  const [x, t] = [mean(own), mean(wanted)];
  const covariance = sub(mean(mul(own, wanted)), mul(x, t));
  const deviation = (values: Value, centre: Value): Value =>
    // Rounding may leave less than nothing of a variance.
    sqrt(shift(relu(sub(mean(mul(values, values)), mul(centre, centre))), SMALLEST_VARIANCE));
  const correlations = div(covariance, mul(deviation(own, x), deviation(wanted, t)));
  return shift(scale(reduceSum(correlations, [0, 1, 2, 3], false), -1 / channels), 1);
}

/** The mean of 1 − r over all pairs. */
export function featureLoss(pairs: readonly FeaturePair[]): Value {
  return scale(
    pairs.map(unlikeness).reduce((sum, term) => add(sum, term)),
    1 / pairs.length,
  );
}
