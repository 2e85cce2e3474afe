// Features of regions from a pyramid of maps: each region from the level that fits its size.

import { levelStride } from "../detection/anchors.ts";
import type { BoxExtent } from "../detection/boxes.ts";
import { add, equal, greater, indicator, mul, scalar, scale, shift, sqrt } from "../graph/ops/elementwise.ts";
import { roiAlign } from "../graph/ops/roi-align.ts";
import { reshape } from "../graph/ops/shape.ts";
import { constant, type Value } from "../graph/value.ts";
import { tensor } from "../tensor/tensor.ts";
import { boxAreas } from "./boxes.ts";

/** How features of regions are taken. */
export interface RegionFeatureOptions {
  /** Bins of a region along each axis. */
  readonly bins: number;
  /** Samples of a bin along each axis; 0: as many as it has cells, which has no gradient. */
  readonly samples: number;
  readonly extent: BoxExtent;
}

/** Regions of this side and larger, up to twice, belong to the second level: the first has all below 112 pixels, as the paper's k₀ = 4. */
const FINEST = 56;

/**
 * The level of each region: ⌊log₂(√(w·h)/56 + 10⁻⁶)⌋ within 0 … levels − 1. Source: Lin et al. 2017 (arXiv:1612.03144), equation 1;
 * `SingleRoIExtractor` of mmdetection.
 * @param boxes M×4 pixels
 * @returns M×1
 */
function levelsOf(boxes: Value, levels: number, extent: BoxExtent): Value {
  const side = scale(sqrt(boxAreas(boxes, extent)), 1 / FINEST);
  const reached = Array.from({ length: levels - 1 }, (_, l) =>
    indicator(greater(side, scalar(2 ** (l + 1) - 1e-6))),
  );
  return reached.reduce((sum, step) => add(sum, step), scale(side, 0));
}

/** Far outside of every picture: features there are 0. */
const FAR = -1e5;

/** Number of the picture of each of `each` boxes: int64 batch·each. */
export const pictureNumbers = (batch: number, each: number): Value =>
  constant(
    tensor(
      "int64",
      [batch * each],
      BigInt64Array.from({ length: batch * each }, (_, i) => BigInt(Math.floor(i / each))),
    ),
  );

/**
 * Features of regions.
 * @param maps of the levels that regions may belong to, B×C×h×w each
 * @param boxes B×R×4 pixels
 * @returns (B·R)×C×bins×bins
 */
export function pyramidFeatures(
  maps: readonly Value[],
  boxes: Value,
  { bins, samples, extent }: RegionFeatureOptions,
): Value {
  const [batch, each] = boxes.shape as readonly [number, number];
  const pictures = pictureNumbers(batch, each);
  const ends = constant(tensor("float32", [4], Float32Array.of(0, 0, 1, 1)));
  const flat = reshape(boxes, [batch * each, 4]);
  const level = levelsOf(flat, maps.length, extent);
  const regions = extent === "pixels" ? add(flat, ends) : flat;
  return maps
    .map((map, l) => {
      // Regions of other levels are looked at where there is nothing, which costs little and gives 0.
      const own = indicator(equal(level, scalar(l)));
      const seen = add(mul(regions, own), scale(shift(own, -1), -FAR));
      return roiAlign(map, seen, pictures, {
        output: [bins, bins],
        spatialScale: 1 / levelStride(l),
        samples,
        aligned: extent === "continuous",
      });
    })
    .reduce((sum, part) => add(sum, part));
}
