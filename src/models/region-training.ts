// The training form of two-stage detectors: from pictures and true objects to what the losses compare, all in one graph. Proposals are
// made, matched and drawn in the graph; no gradient goes through them.

import { STAGE_STDS } from "../detection/box-coding.ts";
import type { BoxExtent } from "../detection/boxes.ts";
import { reduceSum } from "../graph/ops/broadcast.ts";
import { cast } from "../graph/ops/cast.ts";
import {
  add,
  detach,
  div,
  greater,
  indicator,
  mul,
  scalar,
  scale,
  shift,
  sub,
} from "../graph/ops/elementwise.ts";
import { roiAlign } from "../graph/ops/roi-align.ts";
import { oneHot } from "../graph/ops/select.ts";
import { concat, reshape, slice } from "../graph/ops/shape.ts";
import { constant, type Value } from "../graph/value.ts";
import type { Scope } from "../nn/scope.ts";
import { clipBoxes, columnsOf, decodeBoxes, encodeBoxes, pictureLimit } from "../regions/boxes.ts";
import { proposals } from "../regions/proposals.ts";
import { type SampledRegions, sampleRegions, type TrueObjects } from "../regions/sampling.ts";
import { tensor } from "../tensor/tensor.ts";
import type { HRNetHead } from "./hrnet-config.ts";
import { PROPOSAL_NMS, RegionHeads } from "./region-network.ts";
import { regionProposalHead } from "./region-proposal-head.ts";

/** How many regions a picture gives. */
export interface RegionTrainingCounts {
  /** Proposals that regions are drawn from, beside the true boxes. */
  readonly proposals: number;
  /** Regions that the heads learn from, and how many of them show an object at most. */
  readonly samples: number;
  readonly positives: number;
}

/** What is fed beside the pictures. */
export interface RegionTruth extends TrueObjects {
  /** float32 B×n, n being {@link drawsNeeded}: uniform random numbers. */
  readonly draws: Value;
  /** With masks: uint8 B×G×cells×cells, 0 … 255 over the objects' boxes, the outermost cells around them. */
  readonly masks?: Value | undefined;
}

/** Random numbers of a picture with that many objects at most. */
export const drawsNeeded = (
  { stages, masks }: HRNetHead<"rcnn">,
  counts: Pick<RegionTrainingCounts, "proposals" | "samples">,
  objects: number,
): number => {
  const again = counts.samples + objects;
  return counts.proposals + objects + (stages - 1) * again + (masks === "flow" ? stages * again : 0);
};

/** IoU with an object from which a region of each stage shows it. Source: Cai & Vasconcelos 2018 (arXiv:1712.00726), §4. */
const STAGE_IOU = [0.5, 0.6, 0.7] as const;
/** Samples of a bin along each axis: as many as mmdetection 1.x has. A number that follows the region's size has no gradient. */
const SAMPLES = 2;
/** Side of predicted masks. */
const MASK_SIDE = 28;

/**
 * What the losses compare. `objectness` B×P and `differences` B×P×4 of all anchors; of each stage t, on B·S regions: `classes` logits
 * (B·S)×(K+1), `labels` (K is the background), `weights`, `boxes` (B·S)×4 as differences from the region, `targets`, `positive`; with masks,
 * on the first regions: `masks` logits M×28×28 of the object's class, `maskTargets` and `maskWeights`; `semantic` logits. Names of stages
 * end in their number.
 */
export function regionTraining(
  scope: Scope,
  head: HRNetHead<"rcnn">,
  x: Value,
  levels: readonly Value[],
  truth: RegionTruth,
  counts: RegionTrainingCounts,
): Record<string, Value> {
  const { extent, stages, masks, channels: classes } = head;
  const limit = pictureLimit(x, extent);
  const said = regionProposalHead(scope.child("rpn_head"), levels, extent);
  const found = proposals(
    said.map((level) => ({
      anchors: level.anchors,
      objectness: detach(level.objectness),
      differences: detach(level.differences),
    })),
    limit,
    { perLevel: counts.proposals, most: counts.proposals, nms: PROPOSAL_NMS, extent },
  );
  const heads = new RegionHeads(scope.child("roi_head"), head, levels, SAMPLES);
  const objects = truth.boxes.shape[1] as number;
  const outputs: Record<string, Value> = {
    objectness: concat(
      said.map((level) => level.objectness),
      1,
    ),
    differences: concat(
      said.map((level) => level.differences),
      1,
    ),
    ...(heads.semantic && { semantic: heads.semantic.semantic }),
  };
  let proposed = { boxes: found.boxes, valid: indicator(greater(found.scores, scalar(0))) };
  let drawn = 0;
  const draw = (from: typeof proposed, stage: number): SampledRegions => {
    const needed = (from.boxes.shape[1] as number) + objects;
    const draws = slice(truth.draws, 1, drawn, drawn + needed);
    drawn += needed;
    const { samples: count, positives } = counts;
    return sampleRegions(from, truth, draws, { positiveIou: STAGE_IOU[stage]!, count, positives, extent });
  };
  for (let t = 0; t < stages; t++) {
    const regions = draw(proposed, t);
    const coding = { stds: STAGE_STDS[t]!, extent };
    const { classes: logits, differences } = heads.boxes(t, regions.boxes);
    const [batch, each] = regions.positive.shape as readonly [number, number];
    const rows = batch * each;
    const flat = (values: Value): Value => reshape(values, [rows]);
    const own =
      stages === 1
        ? ofClass(reshape(differences, [rows, classes, 4]), flat(regions.classes), classes)
        : differences;
    const background = scale(sub(scalar(1), regions.positive), classes);
    Object.assign(outputs, {
      [`classes${t}`]: logits,
      [`labels${t}`]: flat(add(mul(regions.classes, regions.positive), background)),
      [`weights${t}`]: flat(regions.weights),
      [`boxes${t}`]: own,
      [`targets${t}`]: reshape(encodeBoxes(regions.boxes, regions.targets, coding), [rows, 4]),
      [`positive${t}`]: flat(regions.positive),
    });
    if (stages > 1) {
      const moved = decodeBoxes(regions.boxes, reshape(detach(differences), [batch, each, 4]), coding);
      proposed = { boxes: clipBoxes(moved, limit), valid: regions.weights };
    }
    // In a flow the masks of a stage are those of the boxes that it gives.
    if (masks !== "none")
      Object.assign(
        outputs,
        maskOutputs(
          heads,
          t,
          masks === "flow" ? draw(proposed, t) : regions,
          truth,
          counts.positives,
          extent,
        ),
      );
  }
  return outputs;
}

/** Of M×K×n the n numbers of each row's class: M×n. Rows may have classes that are none. */
function ofClass(values: Value, labels: Value, classes: number): Value {
  const [rows, , count] = values.shape as readonly [number, number, number];
  const chosen = oneHot(reshape(labels, [rows, 1]), classes); // M×K
  return reshape(reduceSum(mul(values, reshape(chosen, [rows, classes, 1])), [1], false), [rows, count]);
}

/** Masks of the regions that may show objects: those in front. */
function maskOutputs(
  heads: RegionHeads,
  stage: number,
  sampled: SampledRegions,
  truth: RegionTruth,
  positives: number,
  extent: BoxExtent,
): Record<string, Value> {
  const front = (values: Value): Value => slice(values, 1, 0, positives);
  const boxes = front(sampled.boxes);
  const [batch] = boxes.shape as readonly [number];
  const rows = batch * positives;
  const { masks } = heads.masks(boxes)[stage]!; // M×K×28×28
  const classes = heads.head.channels;
  const pixels = MASK_SIDE * MASK_SIDE;
  const logits = ofClass(
    reshape(masks, [rows, classes, pixels]),
    reshape(front(sampled.classes), [rows]),
    classes,
  );
  return {
    [`masks${stage}`]: reshape(logits, [rows, MASK_SIDE, MASK_SIDE]),
    [`maskTargets${stage}`]: maskTargets(
      boxes,
      front(sampled.targets),
      front(sampled.objects),
      truth,
      extent,
    ),
    [`maskWeights${stage}`]: reshape(front(sampled.positive), [rows]),
  };
}

/** Shorter sides of an object's box count as this long. */
const SHORTEST = 1e-3;

/** The part of its object's mask that each region shows: M×28×28, 0 or 1. */
function maskTargets(
  boxes: Value,
  targets: Value,
  objects: Value,
  { masks, boxes: all }: RegionTruth,
  extent: BoxExtent,
): Value {
  const [batch, count, cells] = masks!.shape as readonly [number, number, number];
  const [, positives] = boxes.shape as readonly [number, number];
  const rows = batch * positives;
  const more = extent === "pixels" ? 1 : 0;
  const [ox1, oy1, ox2, oy2] = columnsOf(targets);
  const [x1, y1, x2, y2] = columnsOf(boxes);
  // From pixels to cells of the mask, whose outermost ones lie around the object's box.
  const place = (at: Value, low: Value, high: Value, last: number): Value => {
    const length = add(sub(high, low), scalar(more + SHORTEST));
    return shift(scale(div(shift(sub(at, low), last), length), cells - 2), 1);
  };
  const seen = concat(
    [place(x1, ox1, ox2, 0), place(y1, oy1, oy2, 0), place(x2, ox1, ox2, more), place(y2, oy1, oy2, more)],
    2,
  ); // B×M×4
  const first = constant(
    tensor(
      "float32",
      [batch, 1],
      Float32Array.from({ length: batch }, (_, n) => n * (all.shape[1] as number)),
    ),
  );
  const numbers = cast(reshape(add(cast(objects, "float32"), first), [rows]), "int64");
  const crops = roiAlign(
    reshape(cast(masks!, "float32"), [batch * count, 1, cells, cells]),
    reshape(seen, [rows, 4]),
    numbers,
    { output: [MASK_SIDE, MASK_SIDE], spatialScale: 1, samples: SAMPLES, aligned: true },
  );
  return indicator(greater(reshape(crops, [rows, MASK_SIDE, MASK_SIDE]), scalar(HALF)));
}

/** Half of a mask's 255. */
const HALF = 127.5;
