// Pictures of how well a person was found: truth on the left, prediction on the right, cut out and brought to one size.

import sharp from "sharp";
import { HRNetError, messageOf } from "../errors.ts";
import { type Color, drawCapsule } from "../image/draw.ts";
import { type RgbImage, rgbImage } from "../image/rgb-image.ts";
import { type DrawablePerson, drawPoses } from "../pose/draw-pose.ts";
import type { Skeleton } from "../skeleton/skeleton.ts";
import { sideBySide } from "./draw-sample.ts";

/** What {@link comparePoses} draws. */
export interface PoseComparison {
  readonly skeleton: Skeleton;
  /** In image pixels; score 0 for what is not labelled. */
  readonly truth: DrawablePerson["keypoints"];
  /** In image pixels. */
  readonly prediction: DrawablePerson["keypoints"];
  /** The person's box in image pixels; is shown whole, as are the keypoints of the truth. */
  readonly box?: readonly [x: number, y: number, width: number, height: number];
  /** Predicted keypoints that score lower are left out. Default 0: a report shows what the network said. */
  readonly minScore?: number;
  /** Height of the result in pixels. Default 360. */
  readonly height?: number;
}

const DEFAULT_HEIGHT = 360;
/** Part of the region's longer side that is shown around it. */
const MARGIN = 0.12;
/** A region is at most this much longer than it is high, so that a person lying down stays a picture of a person. */
const MAX_ASPECT = 2;
/** Errors below this part of the height show in the figures, not in a picture. */
const SHORTEST_LINE = 0.01;
const ERROR_COLOR: Color = [255, 255, 255];

/**
 * Truth and prediction of one person side by side. White lines lead from each predicted keypoint to where it should be.
 * @throws HRNetError `invalid-shape` when the keypoints do not fit the skeleton; `invalid-image`
 */
export async function comparePoses(image: RgbImage, comparison: PoseComparison): Promise<RgbImage> {
  const { skeleton, truth, prediction, box, minScore = 0, height = DEFAULT_HEIGHT } = comparison;
  const region = regionOf(image, truth, box);
  const view = await cutOut(image, region, height);
  // sharp scales by the edges of pixels; keypoints are counted from their middles.
  const [scaleX, scaleY] = [view.width / region.width, view.height / region.height];
  const inView = (keypoints: DrawablePerson["keypoints"]) =>
    keypoints.map(({ x, y, score }) => ({
      x: (x - region.left + 0.5) * scaleX - 0.5,
      y: (y - region.top + 0.5) * scaleY - 0.5,
      score,
    }));
  const [expected, found] = [inView(truth), inView(prediction)];
  const left = rgbImage(view.width, view.height, view.data.slice());
  const right = rgbImage(view.width, view.height, view.data.slice());
  drawPoses(left, [{ keypoints: expected }], skeleton, { minScore: Number.MIN_VALUE });
  drawPoses(right, [{ keypoints: found }], skeleton, { minScore });
  const radius = Math.max(0.6, height / 450);
  found.forEach(({ x, y, score }, k) => {
    const target = expected[k]!;
    if (!(target.score > 0) || !(score >= minScore)) return;
    if (Math.hypot(target.x - x, target.y - y) < SHORTEST_LINE * height) return;
    drawCapsule(right, x, y, target.x, target.y, radius, {
      color: ERROR_COLOR,
      opacity: 0.95,
      outlineWidth: 0.6,
    });
  });
  return sideBySide([left, right]);
}

interface Region {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Whole pixels of the picture around box and labelled keypoints; all of it when there are neither. */
function regionOf(image: RgbImage, truth: DrawablePerson["keypoints"], box: PoseComparison["box"]): Region {
  const corners = truth.filter(({ score }) => score > 0).map(({ x, y }) => [x, y] as const);
  if (box !== undefined) corners.push([box[0], box[1]], [box[0] + box[2], box[1] + box[3]]);
  const finite = corners.filter((corner) => corner.every(Number.isFinite));
  if (finite.length === 0) return { left: 0, top: 0, width: image.width, height: image.height };
  const span = (axis: 0 | 1): [number, number] => [
    Math.min(...finite.map((corner) => corner[axis])),
    Math.max(...finite.map((corner) => corner[axis])),
  ];
  const [xs, ys] = [span(0), span(1)];
  const margin = MARGIN * Math.max(xs[1] - xs[0], ys[1] - ys[0], 1);
  const least = (xs[1] - xs[0] + 2 * margin) / MAX_ASPECT;
  const extra = Math.max(0, least - (ys[1] - ys[0] + 2 * margin)) / 2;
  const [left, width] = within(xs[0] - margin, xs[1] + margin, image.width);
  const [top, height] = within(ys[0] - margin - extra, ys[1] + margin + extra, image.height);
  return { left, top, width, height };
}

/** Start and length of the whole pixels between two places, at least one and none outside the picture. */
function within(from: number, to: number, size: number): [number, number] {
  const start = Math.min(size - 1, Math.max(0, Math.floor(from)));
  const end = Math.min(size, Math.max(start + 1, Math.ceil(to) + 1));
  return [start, end - start];
}

async function cutOut(image: RgbImage, region: Region, height: number): Promise<RgbImage> {
  const { width: columns, height: rows, data } = image;
  try {
    const { data: pixels, info } = await sharp(data, {
      raw: { width: columns, height: rows, channels: 3 },
      limitInputPixels: false,
    })
      .extract(region)
      .resize({
        width: Math.max(1, Math.round((region.width * height) / region.height)),
        height,
        fit: "fill",
      })
      .raw()
      .toBuffer({ resolveWithObject: true });
    return rgbImage(info.width, info.height, pixels);
  } catch (cause) {
    throw new HRNetError(
      "invalid-image",
      `A part of a ${columns}×${rows} picture cannot be cut out: ${messageOf(cause)}.`,
      { cause },
    );
  }
}
