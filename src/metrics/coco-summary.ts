// The figures people quote, read from the tables of a COCO evaluation.

import type { CocoEvaluation } from "./coco-eval.ts";
import type { SummaryRow } from "./coco-params.ts";

/** Tables are looked up by threshold value; thresholds closer than this are the same. */
const SAME_THRESHOLD = 1e-9;

/**
 * One figure: the mean over the row's slice of the table, categories without anything to find left out.
 * Source: `COCOeval.summarize` of pycocotools.
 * @returns 0 … 1, or −1 when there is nothing to find or the evaluation lacks the row's threshold, area or limit
 */
export function summarizeRow(evaluation: CocoEvaluation<unknown, unknown>, row: SummaryRow): number {
  const { params, categoryIds, precision, recall } = evaluation;
  const [T, K] = [params.thresholds.length, categoryIds.length];
  const [A, M] = [params.areaRanges.length, params.maxDetections.length];
  const R = row.kind === "precision" ? params.recallThresholds.length : 1; // recall is one number per threshold
  const table = row.kind === "precision" ? precision : recall;
  const a = params.areaRanges.findIndex((range) => range.name === row.area);
  const m = row.maxDetections === undefined ? M - 1 : params.maxDetections.indexOf(row.maxDetections);
  if (a < 0 || m < 0) return -1;
  let sum = 0;
  let count = 0;
  for (let t = 0; t < T; t++) {
    if (row.threshold !== undefined && Math.abs(params.thresholds[t]! - row.threshold) > SAME_THRESHOLD)
      continue;
    for (let r = 0; r < R; r++) {
      for (let k = 0; k < K; k++) {
        const value = table[(((t * R + r) * K + k) * A + a) * M + m]!;
        if (value <= -1) continue;
        sum += value;
        count++;
      }
    }
  }
  return count === 0 ? -1 : sum / count;
}

/** All figures of a table of rows, by name. */
export function summarize<N extends string>(
  evaluation: CocoEvaluation<unknown, unknown>,
  rows: readonly (SummaryRow & { readonly name: N })[],
): Record<N, number> {
  return Object.fromEntries(rows.map((row) => [row.name, summarizeRow(evaluation, row)])) as Record<
    N,
    number
  >;
}
