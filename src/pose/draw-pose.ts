// Draws persons on a picture: limbs and keypoints coloured by the skeleton, sized to the person and the picture.

import { HRNetError } from "../errors.ts";
import { type Color, drawBox, drawCapsule, drawDisc } from "../image/draw.ts";
import type { RgbImage } from "../image/rgb-image.ts";
import type { Skeleton } from "../skeleton/skeleton.ts";

/** A person to draw; what the estimator returns fits. Coordinates in image pixels. */
export interface DrawablePerson {
  /** In the skeleton's order. */
  readonly keypoints: readonly { readonly x: number; readonly y: number; readonly score: number }[];
  readonly box?: readonly [x: number, y: number, width: number, height: number];
}

/** Options of {@link drawPoses}. */
export interface DrawPoseOptions {
  /** Keypoints that score lower are left out, and limbs that end in them. Default {@link DEFAULT_DRAW_MIN_SCORE}. */
  readonly minScore?: number;
  /** Width of a limb in pixels. Default: by the sizes of the person and the picture. */
  readonly lineWidth?: number;
  /** Radius of a keypoint's disc in pixels. Default: 1.1 line widths. */
  readonly discRadius?: number;
  /** 0–1. Default 0.9. */
  readonly opacity?: number;
  /** Also draws each person's box. Default false. */
  readonly boxes?: boolean;
}

/**
 * Heatmap maxima of what is not in the picture are mostly below 0.3, the threshold that published demos of top-down
 * networks use.
 */
export const DEFAULT_DRAW_MIN_SCORE = 0.3;

const OUTLINE: Color = [20, 20, 20];
const BOX_COLOR: Color = [240, 228, 66];

/**
 * Draws persons in place, those with the larger extent first so that small ones stay visible in front. Keypoints
 * outside the picture are clipped; NaN coordinates or scores draw nothing.
 * @throws HRNetError `invalid-shape` when a person has another number of keypoints than the skeleton.
 */
export function drawPoses(
  image: RgbImage,
  persons: readonly DrawablePerson[],
  skeleton: Skeleton,
  options: DrawPoseOptions = {},
): void {
  const { minScore = DEFAULT_DRAW_MIN_SCORE } = options;
  for (const { keypoints } of persons) {
    if (keypoints.length !== skeleton.keypoints.length) {
      throw new HRNetError(
        "invalid-shape",
        `A person of ${keypoints.length} keypoints does not fit the skeleton "${skeleton.name}" of ` +
          `${skeleton.keypoints.length}.`,
      );
    }
  }
  const sized = persons.map((person) => ({ person, size: personSize(person, minScore) }));
  sized.sort((a, b) => b.size - a.size);
  for (const { person, size } of sized) drawPerson(image, person, size, skeleton, { ...options, minScore });
}

function drawPerson(
  image: RgbImage,
  person: DrawablePerson,
  size: number,
  skeleton: Skeleton,
  options: DrawPoseOptions & { readonly minScore: number },
): void {
  const { minScore, opacity = 0.9 } = options;
  const lineWidth = options.lineWidth ?? defaultLineWidth(image, size);
  const discRadius = options.discRadius ?? 1.1 * lineWidth;
  const outlineWidth = Math.max(0.5, 0.22 * lineWidth);
  const paint = (color: Color) => ({ color, opacity, outlineWidth, outlineColor: OUTLINE });
  const { keypoints, box } = person;
  const visible = keypoints.map((keypoint) => isVisible(keypoint, minScore));
  if (options.boxes === true && box !== undefined) {
    drawBox(image, box, 0.3 * lineWidth, { color: BOX_COLOR, opacity, outlineWidth: 0.5 * outlineWidth });
  }
  skeleton.edges.forEach(([a, b], index) => {
    if (!visible[a] || !visible[b]) return;
    const [from, to] = [keypoints[a]!, keypoints[b]!];
    drawCapsule(image, from.x, from.y, to.x, to.y, lineWidth / 2, paint(skeleton.edgeColors[index]!));
  });
  keypoints.forEach(({ x, y }, index) => {
    if (visible[index]) drawDisc(image, x, y, discRadius, paint(skeleton.keypointColors[index]!));
  });
}

/** False for NaN too: no comparison with it holds. */
function isVisible({ x, y, score }: DrawablePerson["keypoints"][number], minScore: number): boolean {
  return score >= minScore && Number.isFinite(x) && Number.isFinite(y);
}

/** Longer side in pixels of what is seen of a person: of its visible keypoints, or else of its box; 0 if neither. */
function personSize({ keypoints, box }: DrawablePerson, minScore: number): number {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const keypoint of keypoints) {
    if (!isVisible(keypoint, minScore)) continue;
    const { x, y } = keypoint;
    left = Math.min(left, x);
    right = Math.max(right, x);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y);
  }
  const extent = Math.max(right - left, bottom - top);
  if (extent > 0) return extent;
  const fromBox = box === undefined ? 0 : Math.max(box[2], box[3]);
  return Number.isFinite(fromBox) ? Math.max(0, fromBox) : 0;
}

/**
 * About 1.8 % of the person's longer side, so that a small person is not smeared over, but at least 1.5 px and 0.15 %
 * of the picture's longer side (visible when a 12-megapixel picture is scaled to a screen), and at most 1 % of it.
 */
function defaultLineWidth({ width, height }: RgbImage, size: number): number {
  const longer = Math.max(width, height);
  const most = Math.max(1.5, 0.01 * longer);
  const least = Math.max(1.5, 0.0015 * longer);
  return Math.min(most, Math.max(least, 0.018 * size));
}
