// From a person's box to the network's input and back: centre/scale, crop matrices, mirrored keypoints.

import { HRNetError } from "../errors.ts";
import { type Affine, applyAffine, invertAffine } from "../image/affine.ts";
import type { Box } from "./types.ts";

/** `[width, height]` in pixels. */
export type Size = readonly [width: number, height: number];

/**
 * The region of the picture that a crop shows: where its middle is and how large it is, in image pixels.
 *
 * The original code, and files made by it, keep `scale` in units of 200 px ("pixel_std", a convention of the MPII
 * annotations with no meaning of its own): `officialScale = scale / 200`. See {@link centerScaleFromOfficial}.
 */
export interface CenterScale {
  readonly center: readonly [x: number, y: number];
  readonly scale: Size;
}

/** Pixels in one unit of the original code's `scale` (`pixel_std` in its `JointsDataset`). */
export const OFFICIAL_SCALE_UNIT = 200;

/** Context added around a box: the networks were trained on crops 1.25 times as large (`_xywh2cs` of the original code). */
export const DEFAULT_PADDING = 1.25;

/** A `center`, `scale` pair of the original code (scale in units of 200 px) as a {@link CenterScale}. */
export function centerScaleFromOfficial(center: readonly [number, number], scale: Size): CenterScale {
  return { center, scale: [scale[0] * OFFICIAL_SCALE_UNIT, scale[1] * OFFICIAL_SCALE_UNIT] };
}

/**
 * Grows a box to the network's aspect ratio and pads it, keeping its middle.
 *
 * ```
 *      box [x, y, w, h]          aspect = W / H            × padding
 *                              ┌───────────────┐      ┌─────────────────────┐
 *          ┌───────┐           │   ┌───────┐   │      │   ┌───────────┐     │
 *          │       │           │   │       │   │      │   │           │     │  scale[1]
 *        h │   +   │    ──▶    │   │   +   │   │ ──▶  │   │     +     │     │
 *          │ center│           │   │       │   │      │   │   center  │     │
 *          └───────┘           │   └───────┘   │      │   └───────────┘     │
 *              w               └───────────────┘      └─────────────────────┘
 *                                                             scale[0]
 * ```
 *
 * The shorter side grows, so nothing of the box is lost and the crop is not distorted. Source: `_xywh2cs` in
 * `lib/dataset/coco.py` of deep-high-resolution-net.pytorch.
 *
 * @param options.aspect width / height of the network's input, such as 192 / 256
 * @param options.padding factor on both sides, 1.25 by default; 1 for none
 */
export function boxToCenterScale(
  box: Box,
  options: { readonly aspect: number; readonly padding?: number },
): CenterScale {
  const [x, y, width, height] = box;
  const { aspect, padding = DEFAULT_PADDING } = options;
  return {
    center: [x + width / 2, y + height / 2],
    scale: [Math.max(width, height * aspect) * padding, Math.max(height, width / aspect) * padding],
  };
}

/**
 * Centre and scale of an MPII annotation: moved down by 15·scale pixels and grown by 1.25 so that the feet fit, and
 * shifted from MATLAB's 1-based to 0-based pixels. Source: `_get_db` in `lib/dataset/mpii.py` of
 * deep-high-resolution-net.pytorch, which leaves persons without a position (centre −1) unmoved.
 * @param center 1-based pixels, as annotated
 * @param scale height of the person / 200 px, as annotated
 */
export function mpiiCenterScale(center: readonly [number, number], scale: number): CenterScale {
  const [x, y] = center;
  const placed = x !== -1;
  const side = scale * OFFICIAL_SCALE_UNIT * (placed ? DEFAULT_PADDING : 1);
  return { center: [x - 1, (placed ? y + 15 * scale : y) - 1], scale: [side, side] };
}

/**
 * How crop pixels are counted.
 * - `three-point`: the original HRNet and SimpleBaseline; the crop's extent is its `W` pixels, source width ↔ `W`.
 * - `udp`: Unbiased Data Processing; distances run between pixel middles, source width ↔ `W − 1`.
 *
 * A network gives its best only with the rule it was trained with; the codec chooses it.
 */
export type CropKind = "three-point" | "udp";

/**
 * The forward affine matrix, image pixels → crop pixels.
 *
 * ```
 *        picture                                crop, W × H
 *   ┌──────────────────────┐                 ┌──────────────┐
 *   │    ╱╲  scale[0]      │   cropMatrix    │              │
 *   │   ╱  ╲               │   ──────────▶   │      +       │ H
 *   │  ╱  + ╲ rotation     │                 │  (W/2, H/2)  │
 *   │  ╲ center            │   ◀──────────   │              │
 *   │   ╲  ╱               │  toImageCoords  └──────────────┘
 *   └──────────────────────┘                        W
 * ```
 *
 * - `three-point`: `(W / scale[0]) · R(−r) (x − center) + (W/2, H/2)`. Only the *width* of the scale enters, so a
 *   scale of another aspect than the input's is not stretched but cut or extended. This is the closed form of the three
 *   point pairs of `get_affine_transform` (`lib/utils/transforms.py`), which rounds the points to float32: agreement
 *   within 0.005 px.
 * - `udp`: `diag((W−1)/scale[0], (H−1)/scale[1]) · R(−r) (x − center) + ((W−1)/2, (H−1)/2)` (Huang et al., "The Devil
 *   is in the Details", CVPR 2020; mmpose `get_udp_warp_matrix`, which turns the other way for the same angle).
 *
 * @param rotationDegrees content turns counter-clockwise in the crop for positive angles, with either kind
 * @throws HRNetError `invalid-data` when the region has no extent or is not finite
 */
export function cropMatrix(
  { center, scale }: CenterScale,
  rotationDegrees: number,
  [width, height]: Size,
  kind: CropKind,
): Affine {
  const values = [...center, ...scale, rotationDegrees];
  if (!values.every(Number.isFinite) || !(scale[0] > 0) || !(scale[1] > 0)) {
    throw new HRNetError(
      "invalid-data",
      `A crop with centre ${center.join(", ")}, scale ${scale.join(" × ")} px and rotation ${rotationDegrees}° cannot be made: ` +
        "the region needs finite numbers and a positive width and height. Check the box it came from.",
    );
  }
  const udp = kind === "udp";
  const scaleX = (udp ? width - 1 : width) / scale[0];
  const scaleY = udp ? (height - 1) / scale[1] : scaleX;
  const middleX = (udp ? width - 1 : width) / 2;
  const middleY = (udp ? height - 1 : height) / 2;

  const radians = (rotationDegrees * Math.PI) / 180;
  const cos = Math.cos(radians);
  const sin = Math.sin(radians);
  const [a, b, c, d] = [scaleX * cos, scaleX * sin, -scaleY * sin, scaleY * cos];
  const tx = middleX - a * center[0] - b * center[1];
  const ty = middleY - c * center[0] - d * center[1];
  return [a, b, tx, c, d, ty];
}

/** Maps a point of the crop (pixels) back to the picture: the inverse of {@link cropMatrix}'s matrix. */
export function toImageCoords(point: readonly [u: number, v: number], crop: Affine): [x: number, y: number] {
  return applyAffine(invertAffine(crop), point[0], point[1]);
}

/**
 * Keypoints of the mirrored picture, for augmentation: `x ← width − x − 1`, each keypoint taking the place of its mirror
 * image (the left wrist of the mirrored picture is the right wrist of the original). Coordinates of unlabelled
 * keypoints become 0. Source: `fliplr_joints` in `lib/utils/transforms.py` of deep-high-resolution-net.pytorch.
 * @param keypoints J×2, `[x, y]` in pixels
 * @param visibility J; 0 = unlabelled
 * @param width of the picture, in pixels
 * @param flipPermutation J; index of each keypoint's mirror image
 */
export function mirrorKeypoints(
  keypoints: Float64Array,
  visibility: Float32Array,
  width: number,
  flipPermutation: readonly number[],
): { keypoints: Float64Array; visibility: Float32Array } {
  const mirrored = {
    keypoints: new Float64Array(keypoints.length),
    visibility: new Float32Array(visibility.length),
  };
  for (let joint = 0; joint < visibility.length; joint++) {
    const source = flipPermutation[joint]!;
    const visible = visibility[source]!;
    mirrored.visibility[joint] = visible;
    if (visible === 0) continue;
    mirrored.keypoints[2 * joint] = width - keypoints[2 * source]! - 1;
    mirrored.keypoints[2 * joint + 1] = keypoints[2 * source + 1]!;
  }
  return mirrored;
}
