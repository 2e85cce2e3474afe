// Non-maximum suppression in graphs, with as many results as there are boxes: what goes loses its score.

import type { BoxExtent } from "../detection/boxes.ts";
import { cast } from "../graph/ops/cast.ts";
import { add, mul, scale, shift } from "../graph/ops/elementwise.ts";
import { scatterRows } from "../graph/ops/scatter.ts";
import { type NonMaxSuppressionOptions, nonMaxSuppression } from "../graph/ops/select.ts";
import { reshape, slice } from "../graph/ops/shape.ts";
import { constant, type Value } from "../graph/value.ts";
import { tensor } from "../tensor/tensor.ts";

/** The score of what is no box: below all scores that are. */
export const NO_SCORE = -1;

/** Scores where `kept` is 1, {@link NO_SCORE} where it is 0. */
export const scoresWhere = (scores: Value, kept: Value): Value =>
  add(mul(scores, kept), shift(kept, NO_SCORE));

/**
 * Scores (B×C×N) after the suppression of boxes (B×N×4) within each class: {@link NO_SCORE} for those that went.
 * @param extent `pixels`: areas and intersections count the last pixel as well
 */
export function suppressedScores(
  boxes: Value,
  scores: Value,
  extent: BoxExtent,
  options: NonMaxSuppressionOptions,
): Value {
  const ends = constant(tensor("float32", [4], Float32Array.of(0, 0, 1, 1)));
  const seen = extent === "pixels" ? add(boxes, ends) : boxes;
  const selected = nonMaxSuppression(seen, scores, options); // selected×3
  const ones = reshape(shift(scale(cast(slice(selected, 1, 0, 1), "float32"), 0), 1), [-1]);
  const kept = scatterRows(scores.shape as readonly number[], selected, ones);
  return scoresWhere(scores, kept);
}
