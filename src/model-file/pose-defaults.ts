// Skeleton and codec of a pose network whose file does not name them.

import { basename } from "node:path";
import { HRNetError } from "../errors.ts";
import type { HeatmapCodecName, HeatmapCodecOptions } from "../pose/codecs/heatmap-codec.ts";
import { defineSkeleton, type Skeleton } from "../skeleton/skeleton.ts";
import { COCO_17, MPII_16 } from "../skeleton/skeletons.ts";

/** Skeletons of the published checkpoints by number of keypoints. */
const BY_COUNT: ReadonlyMap<number, Skeleton> = new Map(
  [COCO_17, MPII_16].map((row) => [row.keypoints.length, row]),
);

/**
 * The given skeleton, the published one with that many keypoints, or one with numbered keypoints and no limbs.
 * @throws HRNetError `invalid-config` when the given skeleton has another number of keypoints.
 */
export function skeletonForChannels(keypoints: number, given?: Skeleton): Skeleton {
  if (given && given.keypoints.length !== keypoints) {
    throw new HRNetError(
      "invalid-config",
      `The skeleton ${given.name} has ${given.keypoints.length} keypoints, the network ${keypoints}. ` +
        `Give the skeleton the network was trained with${
          keypoints === 3 * given.keypoints.length
            ? ", or --codec udp-combined (three channels per keypoint)"
            : ""
        }.`,
    );
  }
  const numbered = {
    name: `${keypoints} keypoints`,
    keypoints: Array.from({ length: keypoints }, (_, k) => `${k}`),
  };
  return given ?? BY_COUNT.get(keypoints) ?? defineSkeleton(numbered);
}

/** A codec by name, or what to change in the one a model has. */
export type CodecChange = Partial<HeatmapCodecOptions>;

/** `base` with a change. Another codec starts from its own defaults; the σ of the targets stays the model's. */
export function changeCodec(base: HeatmapCodecOptions, change: CodecChange = {}): HeatmapCodecOptions {
  const { name, ...rest } = change;
  const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
  const start = name === undefined ? base : { name, ...(base.sigma !== undefined && { sigma: base.sigma }) };
  return { ...start, ...given };
}

/** What the published files' names say of their codec; the first that matches. */
const CODEC_IN_NAME = [
  [/udp[-_]regress/i, "udp-combined"],
  [/udp/i, "udp"],
  [/dark/i, "dark"],
] as const satisfies readonly (readonly [RegExp, HeatmapCodecName])[];

/** The codec that a published file's name tells. */
export function codecInName(source: string): HeatmapCodecName | undefined {
  const file = basename(source);
  return CODEC_IN_NAME.find(([pattern]) => pattern.test(file))?.[1];
}

/** Three channels for each expected keypoint are a disk and two offset maps; else the heatmaps are plain. */
export function codecOfChannels(
  channels: number | undefined,
  expected: { readonly outputs?: number | undefined; readonly skeleton?: Skeleton | undefined },
): HeatmapCodecName {
  const keypoints = expected.outputs ?? expected.skeleton?.keypoints.length ?? COCO_17.keypoints.length;
  return channels === 3 * keypoints ? "udp-combined" : "quarter-offset";
}

/** σ of the targets the published networks were trained with: 3 heatmap cells for 384×288, else 2 (their yaml files). */
export function defaultCodec(
  name: HeatmapCodecName,
  [height]: readonly [number, number],
): HeatmapCodecOptions {
  return height >= 384 ? { name, sigma: 3 } : { name };
}
