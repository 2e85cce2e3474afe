// One training sample of a pose network: the augmented crop, its target heatmaps and their weights.

import { HRNetError } from "../errors.ts";
import { type Affine, applyAffine, composeAffine } from "../image/affine.ts";
import { type PhotometricOptions, varyPhotometrically } from "../image/photometric.ts";
import type { RgbImage } from "../image/rgb-image.ts";
import { warpIntoPlanes } from "../image/warp.ts";
import type { Random } from "../random/random.ts";
import { flipPermutation, type Skeleton } from "../skeleton/skeleton.ts";
import {
  type AugmentationOptions,
  type AugmentedGeometry,
  augmentPerson,
  type PersonGeometry,
  unaugmented,
  withAspect,
} from "./augment.ts";
import {
  createHeatmapCodec,
  type HeatmapCodecName,
  type HeatmapCodecOptions,
} from "./codecs/heatmap-codec.ts";
import type { Size } from "./transforms.ts";

/** How samples are made. Plain data. */
export interface PoseSampleOptions {
  readonly skeleton: Skeleton;
  /** The network's input `[W, H]` in pixels. */
  readonly inputSize: Size;
  /** The network's output `[w, h]` in cells. */
  readonly heatmapSize: Size;
  readonly codec: HeatmapCodecName | HeatmapCodecOptions;
  /** Left out: samples are not varied, as in validation. */
  readonly augmentation?: AugmentationOptions | undefined;
  /** Left out: colours stay as they are. */
  readonly photometric?: PhotometricOptions | undefined;
  /** K factors of the targets' weights (`USE_DIFFERENT_JOINTS_WEIGHT`); left out: all 1. */
  readonly jointWeights?: readonly number[] | undefined;
}

/** A labelled person, in image pixels. */
export interface LabelledPerson extends PersonGeometry {
  /** K factors of the targets' weights, such as the confidence of pseudo-labels; left out: all 1. */
  readonly weights?: Float32Array;
}

/** Where a sample is written. */
export interface PoseSampleArrays {
  /** 3×H×W: red, green and blue plane, 0–255. */
  readonly image: Uint8Array;
  /** K·channels×h×w heatmaps. */
  readonly target: Float32Array;
  /**
   * K. 0: unlabelled, or too far outside the crop to have a target. Otherwise the person's weight times the joint's; the
   * official loss squares it.
   */
  readonly weight: Float32Array;
  /** K×3, `[x, y, weight]` in crop pixels: for drawing. */
  readonly keypoints: Float32Array;
  /** 6: the matrix from pixels of the picture to pixels of the crop, mirror included: for drawing. */
  readonly crop: Float64Array;
}

/** Makes samples; see {@link createPoseSampleMaker}. */
export interface PoseSampleMaker {
  readonly keypoints: number;
  readonly channelsPerKeypoint: 1 | 3;
  /** Writes one random variation of the person. Uses `random` alone: the same stream gives the same sample. */
  make(image: RgbImage, person: LabelledPerson, random: Random, into: PoseSampleArrays): void;
}

/**
 * Order of one sample, as in `JointsDataset.__getitem__` of deep-high-resolution-net.pytorch: augmentation of the
 * geometry, mirror of the picture, crop, change of colours (ours), targets.
 * @throws HRNetError `invalid-config` for an unknown codec, half-body crops without an upper body, or another number of
 * joint weights than of keypoints
 */
export function createPoseSampleMaker(options: PoseSampleOptions): PoseSampleMaker {
  const { skeleton, inputSize, heatmapSize, augmentation, photometric, jointWeights } = options;
  const count = skeleton.keypoints.length;
  const [width, height] = inputSize;
  if (augmentation?.halfBody && skeleton.upperBody.length === 0) {
    throw new HRNetError(
      "invalid-config",
      `Half-body crops need to know the upper body, and the skeleton "${skeleton.name}" does not say. List its keypoints ` +
        'under "upperBody", or leave halfBody out.',
    );
  }
  if (jointWeights && jointWeights.length !== count) {
    throw new HRNetError(
      "invalid-config",
      `There are ${jointWeights.length} joint weights for the ${count} keypoints of "${skeleton.name}"; give one each.`,
    );
  }
  const codec = createHeatmapCodec(options.codec);
  const permutation = flipPermutation(skeleton);
  const shape = { keypoints: count, width: heatmapSize[0], height: heatmapSize[1] };
  const aspect = width / height;
  const context = { aspect, flipPermutation: permutation, upperBody: skeleton.upperBody };

  return {
    keypoints: count,
    channelsPerKeypoint: codec.channelsPerKeypoint,
    make(image, given, random, into) {
      const person = { ...given, scale: withAspect(given.scale, aspect) };
      const augmented = augmentation
        ? augmentPerson(person, augmentation, { ...context, imageWidth: image.width }, random)
        : unaugmented(person);
      const matrix = codec.cropMatrix(augmented, inputSize, augmented.rotation);
      warpIntoPlanes(image, matrix, { width, height, out: into.image }, augmented.mirrored);
      if (photometric) varyPhotometrically({ width, height, data: into.image }, photometric, random);

      const points = keypointsInCrop(augmented, matrix);
      const drawn = augmented.visibility.map((value) => Number(value > 0));
      const { heatmaps, weights } = codec.encode(points, drawn, shape, inputSize);
      into.target.set(heatmaps);
      for (let joint = 0; joint < count; joint++) {
        const source = augmented.mirrored ? permutation[joint]! : joint;
        const weight = weights[joint]! * (given.weights?.[source] ?? 1) * (jointWeights?.[joint] ?? 1);
        into.weight[joint] = weight;
        into.keypoints.set([points[2 * joint]!, points[2 * joint + 1]!, weight], 3 * joint);
      }
      into.crop.set(augmented.mirrored ? composeAffine(matrix, mirrorOf(image)) : matrix);
    },
  };
}

/** J×2 in crop pixels; unlabelled ones stay as they are, as in the original. */
function keypointsInCrop({ keypoints, visibility }: AugmentedGeometry, matrix: Affine): Float64Array {
  const points = Float64Array.from(keypoints);
  for (let joint = 0; joint < visibility.length; joint++) {
    if (!(visibility[joint]! > 0)) continue;
    points.set(applyAffine(matrix, points[2 * joint]!, points[2 * joint + 1]!), 2 * joint);
  }
  return points;
}

/** `x ← width − x − 1`. */
function mirrorOf({ width }: RgbImage): Affine {
  return [-1, 0, width - 1, 0, 1, 0];
}
