// RoIAlign: features of rectangles, sampled bilinearly and averaged over bins; and its gradient.

import { tensor } from "../../tensor/tensor.ts";
import { defineOperator, emitOne, numberOf, shapeError } from "../operator.ts";
import { constant, type Node, type Value } from "../value.ts";
import { knownShape } from "./broadcast.ts";
import { cast, wholePart } from "./cast.ts";
import { add, clip, less, mul, neg, scalar, scale, shift, sub, where } from "./elementwise.ts";
import { upsampleNearest } from "./resize.ts";
import { scatterAddRows } from "./scatter.ts";
import { reshape, slice, transpose } from "./shape.ts";

/** How {@link roiAlign} samples. */
export interface RoiAlignOptions {
  /** Bins `[rows, columns]` of each rectangle. */
  readonly output: readonly [number, number];
  /** Cells of the map per pixel, such as 1/4. */
  readonly spatialScale: number;
  /**
   * Samples of a bin along each axis; 0: as many as it has cells, rounded up. Only a fixed number has a gradient. mmdetection 1.x has
   * 2, 2.x has 0.
   */
  readonly samples: number;
  /** Whether the centre of the first cell is at half a cell (mmdetection 2.x) or at 0. */
  readonly aligned: boolean;
}

/** ONNX RoiAlign: features N×C×H×W, rectangles R×4 (`x1, y1, x2, y2`), for each the number of its picture (int64). */
export const RoiAlign = defineOperator({
  type: "RoiAlign",
  minInputs: 3,
  attributeKinds: {
    coordinate_transformation_mode: "string",
    mode: "string",
    output_height: "int",
    output_width: "int",
    sampling_ratio: "int",
    spatial_scale: "float",
  },
  infer(inputs, attributes) {
    const [x, rois, pictures] = inputs as readonly Value[];
    if (
      x!.shape.length !== 4 ||
      rois!.shape.length !== 2 ||
      rois!.shape[1] !== 4 ||
      pictures!.shape.length !== 1
    )
      throw shapeError(
        "RoiAlign",
        inputs,
        "expected N×C×H×W features, R×4 rectangles and R numbers of pictures",
      );
    const size = ["output_height", "output_width"].map((name) => numberOf(attributes, name, 1));
    return [{ dtype: x!.dtype, shape: [rois!.shape[0]!, x!.shape[1]!, ...size] }];
  },
  gradient: ({ node, gradients: [dy] }) => [gradientOf(node, dy!), undefined, undefined],
});

/**
 * Features of rectangles: R×C×rows×columns.
 * @param rois R×4 corners in pixels
 * @param pictures int64 R: which sample of the features each rectangle lies in
 */
export function roiAlign(
  features: Value,
  rois: Value,
  pictures: Value,
  { output, spatialScale, samples, aligned }: RoiAlignOptions,
  name = "",
): Value {
  const attributes = {
    coordinate_transformation_mode: aligned ? "half_pixel" : "output_half_pixel",
    mode: "avg",
    output_height: output[0],
    output_width: output[1],
    sampling_ratio: samples,
    spatial_scale: spatialScale,
  };
  return emitOne(RoiAlign, [features, rois, pictures], attributes, name);
}

/** Along one axis, for each sample of each rectangle: the cells on both sides, and their weights. R×(bins·samples·2) each. */
interface AxisTaps {
  readonly cells: Value;
  readonly weights: Value;
}

/**
 * Sample k lies at start + extent·(k + ½)/(bins·samples); more than a cell outside of the map it counts nothing, less than that the border
 * counts. Source: `bilinear_interpolate` of torchvision's `roi_align_kernel.cpp`.
 * @param start R×1, in cells
 * @param extent R×1
 */
function tapsOf(start: Value, extent: Value, bins: number, samples: number, size: number): AxisTaps {
  const count = bins * samples;
  const parts = Float32Array.from({ length: count }, (_, k) => (k + 0.5) / count);
  const at = add(start, mul(extent, constant(tensor("float32", [1, count], parts)))); // R×count
  const inside = clip(at, 0, size - 1);
  const low = wholePart(inside);
  const high = clip(shift(low, 1), 0, size - 1);
  const part = sub(inside, low);
  // Both ends of the map, by what lies beyond them: −1 − at > 0, at − size > 0.
  const outside = (beyond: Value): Value => where(less(scalar(0), beyond), scalar(0), scalar(1));
  const counts = scale(mul(outside(shift(neg(at), -1)), outside(shift(at, -size))), 1 / samples);
  const rois = at.shape[0] as number;
  const pairs = (a: Value, b: Value): Value => interleave(a, b, rois, count);
  return { cells: pairs(low, high), weights: pairs(mul(counts, shift(neg(part), 1)), mul(counts, part)) };
}

/** a₀ b₀ a₁ b₁ … of each row. */
function interleave(a: Value, b: Value, rows: number, count: number): Value {
  const even = Float32Array.of(1, 0);
  const odd = Float32Array.of(0, 1);
  const spread = (x: Value, pattern: Float32Array): Value =>
    mul(reshape(x, [rows, count, 1]), constant(tensor("float32", [1, 1, 2], pattern)));
  return reshape(add(spread(a, even), spread(b, odd)), [rows, 2 * count]);
}

/** Every sample's share of dy, added up in the cells that it was read from. */
function gradientOf(node: Node, dy: Value): Value {
  const [features, rois, pictures] = node.inputs as readonly [Value, Value, Value];
  const [batch, channels, height, width] = knownShape("RoiAlign", features) as [
    number,
    number,
    number,
    number,
  ];
  const [rows, columns] = ["output_height", "output_width"].map((name) =>
    numberOf(node.attributes, name, 1),
  ) as [number, number];
  const [count] = knownShape("RoiAlign", rois) as [number, number];
  const samples = numberOf(node.attributes, "sampling_ratio", 0);
  if (samples < 1)
    throw shapeError("RoiAlign", node.inputs, "has a gradient for a fixed number of samples only");
  const aligned = node.attributes["coordinate_transformation_mode"] === "half_pixel";
  const cells = shift(scale(rois, numberOf(node.attributes, "spatial_scale", 1)), aligned ? -0.5 : 0);
  const corner = (at: number): Value => slice(cells, 1, at, at + 1); // R×1
  const extent = (from: number): Value => {
    const length = sub(corner(from + 2), corner(from));
    return aligned ? length : clip(length, 1, 1e9); // as much as a cell, at least
  };
  const down = tapsOf(corner(1), extent(1), rows, samples, height);
  const across = tapsOf(corner(0), extent(0), columns, samples, width);
  const [tall, wide] = [2 * rows * samples, 2 * columns * samples];
  const place = add(
    add(
      scale(reshape(cast(pictures, "float32"), [count, 1, 1]), height * width),
      scale(reshape(down.cells, [count, tall, 1]), width),
    ),
    reshape(across.cells, [count, 1, wide]),
  ); // R×tall×wide
  const weights = mul(reshape(down.weights, [count, tall, 1]), reshape(across.weights, [count, 1, wide]));
  const spread = mul(upsampleNearest(dy, 2 * samples), reshape(weights, [count, 1, tall, wide])); // R×C×tall×wide
  const updates = reshape(transpose(spread, [0, 2, 3, 1]), [count * tall * wide, channels]);
  const indices = cast(reshape(place, [count * tall * wide, 1]), "int64");
  const sums = scatterAddRows(batch * height * width, indices, updates); // (N·H·W)×C
  return transpose(reshape(sums, [batch, height, width, channels]), [0, 3, 1, 2]);
}
