// HRFPN, the neck of HRNetV2p: a pyramid of maps from the parallel branches.

import { averagePool } from "../graph/ops/pool.ts";
import { upsampleBilinear } from "../graph/ops/resize.ts";
import { concat } from "../graph/ops/shape.ts";
import type { Value } from "../graph/value.ts";
import { XAVIER_IN } from "../nn/init.ts";
import { conv2d } from "../nn/layers.ts";
import type { Scope } from "../nn/scope.ts";

/** What an HRFPN neck is. */
export interface PyramidNeck {
  readonly channels: number;
  readonly levels: number;
  /** Of the last convolutions: 1, or 2 for FCOS. */
  readonly stride: number;
}

/**
 * HRFPN (mmdet/models/necks/hrfpn.py): branches (strides 4, 8, …) enlarged to the first and concatenated, a 1×1 convolution, levels by
 * average pooling, a 3×3 convolution each.
 */
export function pyramidNeck(
  scope: Scope,
  { channels, levels, stride }: PyramidNeck,
  branches: readonly Value[],
): Value[] {
  const joined = concat(
    branches.map((x, b) => upsampleBilinear(x, 2 ** b)),
    1,
  );
  const options = { out: channels, bias: true, init: XAVIER_IN };
  const reduced = conv2d(scope.child("reduction_conv", 0), joined, options);
  return Array.from({ length: levels }, (_, i) => {
    const window = [2 ** i, 2 ** i] as const;
    const pooled = i === 0 ? reduced : averagePool(reduced, { kernel: window, strides: window });
    return conv2d(scope.child("fpn_conv", i), pooled, { ...options, kernel: 3, stride });
  });
}
