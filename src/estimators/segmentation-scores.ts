// Scores of a picture's pixels by a published method: scales and windows, one after another, summed.

import { resizeImage } from "../image/resize.ts";
import type { RgbImage } from "../image/rgb-image.ts";
import type { NormalizationTable } from "../image/warp.ts";
import { type InferenceMethod, type PlannedScale, planInference } from "../segmentation/inference-method.ts";
import { addResized, type Planes, planesOf, resizedPlanes } from "../tensor/resize-planes.ts";
import { normalizedPlanes, type PictureRegion } from "./normalized-planes.ts";

/** What scores are made with. */
export interface ScoreContext {
  readonly classes: number;
  readonly normalization: NormalizationTable;
  /** How scores of one size become those of another. */
  readonly alignCorners: boolean;
  /** exp(logits), K×H×W, for a normalised input of H×W, which is given away. */
  readonly network: (input: Planes) => Promise<Planes>;
}

/**
 * The sum over a method's scales of exp(logits), K×H×W at the picture's size. Source: `multi_scale_inference` and `testval` of
 * HRNet-Semantic-Segmentation.
 */
export async function scoresByMethod(
  image: RgbImage,
  method: InferenceMethod,
  context: ScoreContext,
): Promise<Planes> {
  const { classes, normalization, alignCorners } = context;
  const { content, frame, scales } = planInference(method, [image.height, image.width]);
  const fitted =
    content[0] === image.height && content[1] === image.width
      ? image
      : resizeImage(image, [content[1], content[0]]);
  // The mean colour is 0 once normalised.
  const framed = windowOf(normalizedPlanes(fitted, normalization), wholeOf(content), frame);
  const sum = planesOf(classes, frame[0], frame[1]);
  for (const scale of scales) addResized(await scoresAtScale(framed, scale, context), sum, alignCorners);
  const kept = frame.every((side, axis) => side === content[axis])
    ? sum
    : windowOf(sum, wholeOf(content), content);
  return resizedPlanes(kept, image.height, image.width, alignCorners);
}

const wholeOf = ([height, width]: readonly [number, number]): PictureRegion => ({
  x: 0,
  y: 0,
  width,
  height,
});

/** Scores at a scale: windows one by one, averaged where they overlap. */
async function scoresAtScale(
  picture: Planes,
  { size: [height, width], input, windows }: PlannedScale,
  { classes, normalization, network }: ScoreContext,
): Promise<Planes> {
  const scaled = resizedPlanes(picture, height, width);
  const black = [0, 1, 2].map((plane) => normalization.values[256 * plane]!);
  const sum = planesOf(classes, height, width);
  const counts = new Uint16Array(height * width);
  for (const window of windows) {
    const scores = await network(windowOf(scaled, window, input, black));
    for (let row = 0; row < window.height; row++) {
      const at = (window.y + row) * width + window.x;
      for (let column = 0; column < window.width; column++) counts[at + column]! += 1;
      for (let c = 0; c < classes; c++) {
        const from = (c * scores.height + row) * scores.width;
        const to = c * height * width + at;
        for (let column = 0; column < window.width; column++)
          sum.data[to + column]! += scores.data[from + column]!;
      }
    }
  }
  if (windows.length === 1) return sum;
  const area = height * width;
  for (let i = 0; i < sum.data.length; i++) sum.data[i]! /= counts[i % area]!;
  return sum;
}

/** A part of planes in the upper left corner of new ones, which have one value for each plane elsewhere. */
function windowOf(
  { channels, height, width, data }: Planes,
  part: PictureRegion,
  [rows, columns]: readonly [number, number],
  values: readonly number[] = [],
): Planes {
  const into = planesOf(channels, rows, columns);
  for (let c = 0; c < channels; c++) {
    into.data.fill(values[c] ?? 0, c * rows * columns, (c + 1) * rows * columns);
    for (let row = 0; row < part.height; row++) {
      const from = (c * height + part.y + row) * width + part.x;
      into.data.set(data.subarray(from, from + part.width), (c * rows + row) * columns);
    }
  }
  return into;
}
