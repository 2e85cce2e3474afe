// The head of region proposal networks: whether there is an object at an anchor, and where (Ren et al. 2015, arXiv:1506.01497).

import { ANCHORS, levelStride } from "../detection/anchors.ts";
import type { BoxExtent } from "../detection/boxes.ts";
import { reshape, transpose } from "../graph/ops/shape.ts";
import type { Value } from "../graph/value.ts";
import { NORMAL_01 } from "../nn/init.ts";
import { channelsOf, conv2d, relu } from "../nn/layers.ts";
import type { Scope } from "../nn/scope.ts";
import { anchorGrid } from "../regions/boxes.ts";
import type { ProposalLevel } from "../regions/proposals.ts";

/** The head on every level (B×C×h×w, strides 4, 8, …), with shared weights. */
export function regionProposalHead(
  scope: Scope,
  levels: readonly Value[],
  extent: BoxExtent,
): ProposalLevel[] {
  const head = scope.shared();
  const anchors = ANCHORS.ratios.length;
  const options = { bias: true, init: NORMAL_01 };
  return levels.map((level, l) => {
    const batch = level.shape[0] as number;
    const module = head.child("rpn_conv");
    const y = relu(module, conv2d(module, level, { ...options, out: channelsOf(level), kernel: 3 }));
    const byCell = (map: Value): Value => transpose(reshape(map, [0, 0, -1]), [0, 2, 1]); // B×(h·w)×C
    const objectness = conv2d(head.child("rpn_cls"), y, { ...options, out: anchors });
    const differences = conv2d(head.child("rpn_reg"), y, { ...options, out: 4 * anchors });
    return {
      anchors: anchorGrid(level, levelStride(l), { ...ANCHORS, extent }),
      objectness: reshape(byCell(objectness), [batch, -1]),
      differences: reshape(byCell(differences), [batch, -1, 4]),
    };
  });
}
