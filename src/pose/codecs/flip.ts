// Flip test: averages heatmaps of a picture with those of its mirror image.

/** One person's heatmaps: keypoints·channels × height × width, in C order (channels of a keypoint side by side). */
export interface HeatmapShape {
  readonly keypoints: number;
  readonly height: number;
  readonly width: number;
}

/**
 * `heatmaps ← ½ (heatmaps + unflipped)`, in place, where `unflipped` is `flipped` turned back: columns reversed, each
 * keypoint's maps taken from its mirror image, moved right by `shift` columns (column 0 stays what it was), and with
 * three channels per keypoint the horizontal offsets (channel 1) negated.
 *
 * @param heatmaps what the network said about the picture; any number of persons one after another
 * @param flipped what it said about the mirrored picture; left as it is
 * @param flipPermutation index of each keypoint's mirror image
 */
export function mergeFlippedHeatmaps(
  heatmaps: Float32Array,
  flipped: Float32Array,
  { keypoints, height, width }: HeatmapShape,
  flipPermutation: readonly number[],
  { channels, shift }: { readonly channels: 1 | 3; readonly shift: 0 | 1 },
): void {
  const area = height * width;
  const maps = heatmaps.length / area;
  const perPerson = keypoints * channels;
  for (let map = 0; map < maps; map++) {
    const channel = map % channels;
    const joint = ((map % perPerson) - channel) / channels;
    const person = map - (map % perPerson);
    const source = (person + flipPermutation[joint]! * channels + channel) * area;
    const half = channel === 1 ? -0.5 : 0.5;
    for (let y = 0; y < height; y++) {
      const row = map * area + y * width;
      const last = source + y * width + width - 1;
      heatmaps[row] = 0.5 * heatmaps[row]! + half * flipped[last]!;
      for (let x = 1; x < width; x++) {
        heatmaps[row + x] = 0.5 * heatmaps[row + x]! + half * flipped[last - x + shift]!;
      }
    }
  }
}
