// CenterNet: objects as triplets of keypoints, two corners and the centre between them (Duan et al. 2019, arXiv:1904.08189). TPAMI compares
// HRNetV2 with its hourglass, but no code of that was released: how the branches are joined here is HRNetV2's own way.

import type { Value } from "../graph/value.ts";
import { convBn } from "../nn/blocks.ts";
import { cascadeCornerPooling, centerPooling } from "../nn/corner-pooling.ts";
import { type Initializer, KAIMING_OUT, NORMAL_001 } from "../nn/init.ts";
import { channelsOf, conv2d, relu } from "../nn/layers.ts";
import type { Scope } from "../nn/scope.ts";
import type { HRNetHead } from "./hrnet-config.ts";

/** The three kinds of keypoint. */
export const TRIPLET = ["topLeft", "bottomRight", "center"] as const;

/** Heatmaps begin at a probability of 0.1: b = −ln 9 (CornerNet's −2.19). */
const PRIOR: Initializer = { kind: "constant", value: -2.19 };

/** 3×3 convolution with bias and ReLU, then 1×1 to `out`. */
function predictor(scope: Scope, x: Value, out: number, biasInit?: Initializer): Value {
  const options = { kernel: 3, bias: true, init: KAIMING_OUT };
  const y = relu(scope.child(1), conv2d(scope.child(0), x, { ...options, out: channelsOf(x) }));
  return conv2d(scope.child(2), y, { out, bias: true, init: NORMAL_001, ...(biasInit && { biasInit }) });
}

/**
 * The head on the joined branches (B×C×h×w, a quarter of the picture).
 * @returns for each of {@link TRIPLET}: `heatmaps_…` (logits, B×K×h×w), `offsets_…` (x and y within the cell, B×2×h×w), and for the corners
 * `tags_…` (B×1×h×w)
 */
export function centernetHead(
  scope: Scope,
  { channels, features, pooled }: HRNetHead<"centernet">,
  joined: Value,
): Record<string, Value> {
  const x = relu(scope.child("reduce", 2), convBn(scope.child("reduce"), joined, { out: features }));
  const maps: Record<(typeof TRIPLET)[number], Value> = {
    topLeft: cascadeCornerPooling(scope.child("topLeft"), x, pooled, ["right", "below"]),
    bottomRight: cascadeCornerPooling(scope.child("bottomRight"), x, pooled, ["left", "above"]),
    center: centerPooling(scope.child("center"), x, pooled),
  };
  const outputs: Record<string, Value> = {};
  for (const kind of TRIPLET) {
    const part = scope.child(kind);
    outputs[`heatmaps_${kind}`] = predictor(part.child("heatmaps"), maps[kind], channels, PRIOR);
    outputs[`offsets_${kind}`] = predictor(part.child("offsets"), maps[kind], 2);
    if (kind !== "center") outputs[`tags_${kind}`] = predictor(part.child("tags"), maps[kind], 1);
  }
  return outputs;
}
