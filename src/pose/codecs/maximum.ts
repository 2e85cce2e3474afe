// The highest cell of a heatmap.

import { HRNetError } from "../../errors.ts";

/**
 * Index of the first maximum in row-major order, as `numpy.argmax` gives it.
 * @throws HRNetError `inference-failed` when the map holds no comparable number (all NaN: the network overflowed)
 */
export function argmax(map: Float32Array | Float64Array): number {
  let best = -1;
  let maximum = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < map.length; i++) {
    const value = map[i]!;
    if (value > maximum) {
      maximum = value;
      best = i;
    }
  }
  if (best < 0) {
    throw new HRNetError(
      "inference-failed",
      "A heatmap holds only NaN or −Infinity, so it has no maximum. The network's weights or its precision are at fault: " +
        "check the checkpoint, or run the model in fp32.",
    );
  }
  return best;
}
