// Region proposals in graphs: the best anchors of every level, moved to what they saw, without those that say the same.

import { RPN_STDS } from "../detection/box-coding.ts";
import type { BoxExtent } from "../detection/boxes.ts";
import { reduceSum } from "../graph/ops/broadcast.ts";
import { cast } from "../graph/ops/cast.ts";
import { clip, shift, sigmoid } from "../graph/ops/elementwise.ts";
import { topK } from "../graph/ops/scatter.ts";
import { gatherRows } from "../graph/ops/select.ts";
import { concat, reshape } from "../graph/ops/shape.ts";
import { constant, type Value } from "../graph/value.ts";
import { tensor } from "../tensor/tensor.ts";
import { clipBoxes, decodeBoxes, withArea } from "./boxes.ts";
import { NO_SCORE, scoresWhere, suppressedScores } from "./suppression.ts";

/** What a region proposal network says of the P anchors of a level. */
export interface ProposalLevel {
  /** P×4 pixels. */
  readonly anchors: Value;
  /** Logits, B×P. */
  readonly objectness: Value;
  /** B×P×4. */
  readonly differences: Value;
}

/** How proposals are chosen. */
export interface ProposalOptions {
  /** Best anchors of each level that are looked at. */
  readonly perLevel: number;
  /** Proposals of a picture. */
  readonly most: number;
  /** IoU above which the weaker of two boxes of a level goes. */
  readonly nms: number;
  readonly extent: BoxExtent;
}

/** Boxes of each picture by descending score; where there are fewer, the rest has {@link NO_SCORE}. */
export interface ScoredBoxes {
  /** B×K×4 pixels. */
  readonly boxes: Value;
  /** B×K. */
  readonly scores: Value;
}

/** Numbers of rows that run-time indices of padded rows stand for: `count` rows of padding come first. */
const afterPadding = (indices: Value, count: number): Value =>
  cast(clip(shift(cast(indices, "float32"), -count), 0, 1e9), "int64");

/**
 * The `count` best of a row of scores, however short it is.
 * @param scores B×P, all above {@link NO_SCORE}
 * @returns scores B×count, {@link NO_SCORE} where there are no more, and int64 places B×count
 */
export function bestOf(scores: Value, count: number): { readonly scores: Value; readonly places: Value } {
  const batch = scores.shape[0] as number;
  const padding = constant(tensor("float32", [batch, count], new Float32Array(batch * count).fill(NO_SCORE)));
  const { values, indices } = topK(concat([padding, scores], 1), count, 1);
  return { scores: values, places: afterPadding(indices, count) };
}

/**
 * Proposals of all levels. Source: Ren et al. 2015 (arXiv:1506.01497), §3.3; `RPNHead.get_bboxes` of mmdetection.
 * @param limit largest corner, see `pictureLimit`
 */
export function proposals(
  levels: readonly ProposalLevel[],
  limit: Value,
  { perLevel, most, nms, extent }: ProposalOptions,
): ScoredBoxes {
  const best = levels.map(({ anchors, objectness, differences }) => {
    const { scores, places } = bestOf(sigmoid(objectness), perLevel);
    const moved = decodeBoxes(gatherRows(anchors, places), gatherRows(differences, places, true), {
      stds: RPN_STDS,
      extent,
    });
    return { scores, boxes: clipBoxes(moved, limit) };
  });
  const boxes = concat(
    best.map((level) => level.boxes),
    1,
  ); // B×(L·k)×4
  const scores = scoresWhere(
    concat(
      best.map((level) => level.scores),
      1,
    ),
    withArea(boxes),
  );
  const [batch, count] = scores.shape as readonly [number, number];
  const byLevel = scoresWhere(reshape(scores, [batch, 1, count]), levelRows(levels.length, perLevel));
  const left = suppressedScores(boxes, byLevel, extent, { threshold: nms, minScore: 0, most });
  // In the row of a level other levels' boxes have NO_SCORE: the sum is that of the box's own.
  const scored = shift(reduceSum(shift(left, -NO_SCORE), [1], false), NO_SCORE); // B×(L·k)
  const { values, indices } = topK(scored, Math.min(most, count), 1);
  return { boxes: gatherRows(boxes, indices, true), scores: values };
}

/** 1 where a column belongs to the level of its row: 1×L×(L·k). */
function levelRows(levels: number, each: number): Value {
  const rows = new Float32Array(levels * levels * each);
  for (let l = 0; l < levels; l++) rows.fill(1, (l * levels + l) * each, (l * levels + l + 1) * each);
  return constant(tensor("float32", [1, levels, levels * each], rows));
}
