// Pixels as a network wants them, inside the graph: 8-bit values are a quarter of the bytes to hand over.

import { cast } from "../graph/ops/cast.ts";
import { add, mul } from "../graph/ops/elementwise.ts";
import { gather } from "../graph/ops/shape.ts";
import { constant, type Value } from "../graph/value.ts";
import { tensor } from "../tensor/tensor.ts";

/** Mean and standard deviation of each channel, for pixels from 0 to 1. */
export interface Normalization {
  readonly mean: readonly number[];
  readonly std: readonly number[];
  /** Order that the network takes the channels in; pixels are always given as red, green, blue. Default `rgb`. */
  readonly channelOrder?: "rgb" | "bgr" | undefined;
}

const perChannel = (values: Float32Array): Value =>
  constant(tensor("float32", [1, values.length, 1, 1], values));

/** (x/255 − mean)/std of pixels 0 … 255, uint8 N×C×H×W → float32, as one product and one sum. */
export function normalizePixels(pixels: Value, { mean, std, channelOrder }: Normalization): Value {
  const factors = Float32Array.from(std, (s) => 1 / (255 * s));
  const terms = Float32Array.from(mean, (m, c) => -m / std[c]!);
  const floats = cast(pixels, "float32");
  const ordered = channelOrder === "bgr" ? gather(floats, [2, 1, 0], 1) : floats;
  return add(mul(ordered, perChannel(factors)), perChannel(terms));
}

/** x (N×3×H×W) normalised as `from` says, normalised as `to` says: x itself where these are the same. */
export function renormalize(x: Value, from: Normalization, to: Normalization): Value {
  const order = ({ channelOrder }: Normalization): "rgb" | "bgr" => channelOrder ?? "rgb";
  // Means and deviations are listed in each network's own order of channels.
  const turned = order(from) !== order(to);
  const own = (values: readonly number[]): readonly number[] => (turned ? [...values].reverse() : values);
  const [mean, std] = [own(from.mean), own(from.std)];
  const factors = Float32Array.from(to.std, (s, c) => std[c]! / s);
  const terms = Float32Array.from(to.mean, (m, c) => (mean[c]! - m) / to.std[c]!);
  const ordered = turned ? gather(x, [2, 1, 0], 1) : x;
  const same = factors.every((factor) => factor === 1) && terms.every((term) => term === 0);
  return same ? ordered : add(mul(ordered, perChannel(factors)), perChannel(terms));
}
