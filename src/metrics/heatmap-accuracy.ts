// The accuracy that training logs show: how often the heatmaps' maxima lie near those of the targets.

/** Accuracies 0 … 1; −1 for a joint without a valid target. */
export interface HeatmapAccuracy {
  /** J. */
  readonly joints: readonly number[];
  /** Mean over the joints that have a valid target; 0 when none has. */
  readonly mean: number;
  /** Joints that have a valid target. */
  readonly validJoints: number;
}

/** Distances are in tenths of the map, and half of that is near enough. Source: `lib/core/evaluate.py`, see below. */
const MAP_PART = 10;
const NEAR = 0.5;

/**
 * Source: `accuracy` in `lib/core/evaluate.py` of deep-high-resolution-net.pytorch, with its two peculiarities: x
 * differences are divided by a tenth of the *height* and y differences by a tenth of the width, and targets in the first
 * two columns or rows do not count.
 * @param predicted N×J×2 positions `[x, y]` of the predicted maxima, in heatmap pixels
 * @param target N×J×2 positions of the targets' maxima; `[0, 0]` where a target is empty
 * @param joints J
 * @param mapSize `[width, height]` of the heatmaps
 */
export function heatmapAccuracy(
  predicted: ArrayLike<number>,
  target: ArrayLike<number>,
  joints: number,
  [width, height]: readonly [number, number],
): HeatmapAccuracy {
  const near = new Float64Array(joints);
  const valid = new Float64Array(joints);
  for (let i = 0; i < target.length / 2; i++) {
    const [x, y] = [target[2 * i]!, target[2 * i + 1]!];
    if (!(x > 1 && y > 1)) continue;
    valid[i % joints]!++;
    const dx = (predicted[2 * i]! - x) / (height / MAP_PART);
    const dy = (predicted[2 * i + 1]! - y) / (width / MAP_PART);
    if (Math.hypot(dx, dy) < NEAR) near[i % joints]!++;
  }
  const accuracies = Array.from(near, (count, j) => (valid[j] === 0 ? -1 : count / valid[j]!));
  const counted = accuracies.filter((accuracy) => accuracy >= 0);
  return {
    joints: accuracies,
    mean: counted.length === 0 ? 0 : counted.reduce((sum, accuracy) => sum + accuracy, 0) / counted.length,
    validJoints: counted.length,
  };
}
