// Two-stage detectors on HRNetV2p: Faster R-CNN (arXiv:1506.01497), Mask R-CNN (arXiv:1703.06870), Cascade R-CNN (arXiv:1712.00726), HTC
// (arXiv:1901.07518), as mmdetection has them.

import { STAGE_STDS } from "../detection/box-coding.ts";
import { SEMANTIC_STRIDE } from "../detection/region-targets.ts";
import { expand } from "../graph/ops/broadcast.ts";
import { cast } from "../graph/ops/cast.ts";
import { add, greater, indicator, mul, scalar, scale, sigmoid } from "../graph/ops/elementwise.ts";
import { softmax } from "../graph/ops/normalization.ts";
import { averagePool } from "../graph/ops/pool.ts";
import { roiAlign } from "../graph/ops/roi-align.ts";
import { gatherRows } from "../graph/ops/select.ts";
import { reshape, slice } from "../graph/ops/shape.ts";
import type { Value } from "../graph/value.ts";
import type { Scope } from "../nn/scope.ts";
import { clipBoxes, decodeBoxes, pictureLimit } from "../regions/boxes.ts";
import { finalDetections } from "../regions/detections.ts";
import { proposals } from "../regions/proposals.ts";
import { pictureNumbers, pyramidFeatures } from "../regions/pyramid-features.ts";
import type { HRNetHead } from "./hrnet-config.ts";
import {
  type BoxHeadOutputs,
  boxHead,
  type MaskHeadOutputs,
  maskHead,
  type SemanticOutputs,
  semanticHead,
} from "./region-heads.ts";
import { regionProposalHead } from "./region-proposal-head.ts";

/** Levels that regions are taken from: strides 4 to 32. */
const REGION_LEVELS = 4;
/** Bins of a region along each axis, for boxes and for masks. */
const BOX_BINS = 7;
const MASK_BINS = 14;

/** The heads of a two-stage detector, each with its weights, to be used on any regions. */
export class RegionHeads {
  readonly head: HRNetHead<"rcnn">;
  readonly levels: readonly Value[];
  /** Outputs of the semantic branch; `undefined` without one. */
  readonly semantic: SemanticOutputs | undefined;
  readonly #scope: Scope;
  readonly #samples: number;

  /**
   * @param levels of the neck, strides 4, 8, …
   * @param samples of a bin along each axis; 0: as many as it has cells, which cannot be trained
   */
  constructor(scope: Scope, head: HRNetHead<"rcnn">, levels: readonly Value[], samples: number) {
    this.head = head;
    this.levels = levels;
    this.#scope = scope.shared();
    this.#samples = samples;
    this.semantic =
      head.semantic === null ? undefined : semanticHead(scope.child("semantic_head"), levels, head.semantic);
  }

  /** What stage `stage` says of regions B×R×4; its values have B·R rows. */
  boxes(stage: number, regions: Value): BoxHeadOutputs {
    const { channels: classes, hidden, stages } = this.head;
    const features = this.#features(regions, BOX_BINS);
    const scope = this.#stageScope("bbox_head", stage);
    return boxHead(scope, features, { classes, hidden, ownBoxes: stages === 1 });
  }

  /** What the mask heads of all stages say of regions B×R×4; their values have B·R rows. In a flow each sees the features of the one before. */
  masks(regions: Value): MaskHeadOutputs[] {
    const { channels: classes, maskConvs: convs, masks, firstFlow, stages } = this.head;
    const features = this.#features(regions, MASK_BINS);
    const outputs: MaskHeadOutputs[] = [];
    for (let t = 0; t < stages; t++) {
      const flow = masks === "flow" && (t > 0 || firstFlow);
      const scope = this.#stageScope("mask_head", t);
      outputs.push(maskHead(scope, features, { classes, convs, flow }, outputs.at(-1)?.features));
    }
    return outputs;
  }

  #stageScope(name: string, stage: number): Scope {
    return this.head.stages === 1 ? this.#scope.child(name) : this.#scope.child(name, stage);
  }

  /** Of the pyramid, and of the semantic branch. (B·R)×C×bins×bins. */
  #features(regions: Value, bins: number): Value {
    const { extent } = this.head;
    const samples = this.#samples;
    const features = pyramidFeatures(this.levels.slice(0, REGION_LEVELS), regions, { bins, samples, extent });
    if (!this.semantic) return features;
    const [batch, each] = regions.shape as readonly [number, number];
    const semantic = roiAlign(
      this.semantic.features,
      reshape(regions, [batch * each, 4]),
      pictureNumbers(batch, each),
      {
        output: [MASK_BINS, MASK_BINS],
        spatialScale: 1 / SEMANTIC_STRIDE,
        samples,
        aligned: extent === "continuous",
      },
    );
    const window = [MASK_BINS / bins, MASK_BINS / bins] as const;
    return add(
      features,
      bins === MASK_BINS ? semantic : averagePool(semantic, { kernel: window, strides: window }),
    );
  }
}

/** How a two-stage detector is tested. */
export interface RegionTestOptions {
  /** Proposals of a picture: 1000 in mmdetection 2.x, 2000 in HRNet-Object-Detection. */
  readonly proposals: number;
  readonly minScore: number;
  /** IoU above which the weaker of two boxes of a class goes. */
  readonly nms: number;
  /** Detections of a picture. */
  readonly most: number;
}

/** Source: `test_cfg` of mmdetection's configurations. */
export const REGION_TEST: RegionTestOptions = { proposals: 1000, minScore: 0.05, nms: 0.5, most: 100 };
/** IoU above which the weaker of two proposals of a level goes. */
export const PROPOSAL_NMS = 0.7;
/** Samples of a bin along each axis in mmdetection 1.x; 2.x takes as many as it has cells. */
const SAMPLES = { continuous: 0, pixels: 2 } as const;

/**
 * Detections of pictures.
 * @param x pictures, B×3×H×W
 * @param levels of the neck
 * @returns `boxes` B×D×4 in pixels, `scores` B×D (below 0: none), `classes` float32 B×D, with masks `masks` B×D×28×28 (0 … 1, over the
 * box), with a semantic branch `semantic`
 */
export function regionNetwork(
  scope: Scope,
  head: HRNetHead<"rcnn">,
  x: Value,
  levels: readonly Value[],
  { proposals: count, minScore, nms, most }: RegionTestOptions = REGION_TEST,
): Record<string, Value> {
  const { extent, stages, channels: classes } = head;
  const limit = pictureLimit(x, extent);
  const found = proposals(regionProposalHead(scope.child("rpn_head"), levels, extent), limit, {
    perLevel: count,
    most: count,
    nms: PROPOSAL_NMS,
    extent,
  });
  const heads = new RegionHeads(scope.child("roi_head"), head, levels, SAMPLES[extent]);
  const [batch, regions] = found.scores.shape as readonly [number, number];
  let boxes = found.boxes;
  let logits: Value | undefined;
  let own: Value | undefined;
  for (let t = 0; t < stages; t++) {
    const said = heads.boxes(t, boxes);
    const coding = { stds: STAGE_STDS[t]!, extent };
    logits = logits ? add(logits, said.classes) : said.classes;
    if (stages === 1) {
      const each = [batch, regions, classes, 4];
      const from = expand(reshape(boxes, [batch, regions, 1, 4]), each);
      own = clipBoxes(decodeBoxes(from, reshape(said.differences, each), coding), limit);
    } else {
      const differences = reshape(said.differences, [batch, regions, 4]);
      boxes = clipBoxes(decodeBoxes(boxes, differences, coding), limit);
    }
  }
  const probabilities = reshape(softmax(scale(logits!, 1 / stages), 1), [batch, regions, classes + 1]);
  // Proposals that make up the number show nothing.
  const real = reshape(indicator(greater(found.scores, scalar(0))), [batch, regions, 1]);
  const detections = finalDetections(own ?? boxes, mul(slice(probabilities, 2, 0, classes), real), {
    minScore,
    nms,
    most,
    extent,
  });
  return {
    ...detections,
    ...(head.masks !== "none" && { masks: maskProbabilities(heads, detections.boxes, detections.classes) }),
    ...(heads.semantic && { semantic: heads.semantic.semantic }),
  };
}

/** Probabilities of the masks of detections, averaged over the stages: B×D×28×28. */
function maskProbabilities(heads: RegionHeads, boxes: Value, classes: Value): Value {
  const [batch, each] = classes.shape as readonly [number, number];
  const labels = cast(reshape(classes, [batch * each, 1]), "int64");
  const stages = heads.masks(boxes).map(({ masks }) => {
    const [, , height, width] = masks.shape as readonly number[]; // (B·D)×K×28×28
    return reshape(sigmoid(gatherRows(masks, labels, true)), [batch, each, height!, width!]);
  });
  return scale(
    stages.reduce((total, part) => add(total, part)),
    1 / stages.length,
  );
}
