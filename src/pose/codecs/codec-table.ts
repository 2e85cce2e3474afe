// The heatmap codecs as data: which crop, targets, grid and refinement belong together.

import { z } from "zod";
import type { CropKind } from "../transforms.ts";
import type { TargetKind } from "./targets.ts";

/**
 * Where heatmap cell `h` lies in the crop (`W` pixels wide, the map `w` cells).
 * - `stride`: at pixel `h · W/w`, so cell 0 is at the first pixel and the last cell `W/w − 1` pixels before the last.
 * - `corners`: at pixel `h · (W−1)/(w−1)`; first and last cell are on the first and last pixel.
 *
 * The flip test follows from it. A keypoint at crop pixel `u` is at pixel `W−1−u` of the mirrored crop. Turned back, its
 * heatmap peaks at cell
 * - `stride`: `w−1 − (W−1−u)·w/W = u·w/W − (1 − w/W)`: ¾ of a cell too far left at stride 4. Averaging two peaks
 *   ¾ of a cell apart blurs them and moves the result (about 2 AP); moving the mirrored map right by one cell leaves ¼.
 * - `corners`: `w−1 − (W−1−u)·(w−1)/(W−1) = u·(w−1)/(W−1)`: exactly the same cell. A shift would do harm.
 *
 * That is why the shift cannot be chosen apart from the codec.
 */
export type HeatmapGrid = "stride" | "corners";

/** How a maximum becomes a position between cells; see `refine.ts`. */
export type Refinement = "none" | "quarter-offset" | "dark" | "dark-udp" | "offset-maps";

/** One codec as plain data. */
export interface HeatmapCodecRow {
  readonly description: string;
  readonly crop: CropKind;
  readonly grid: HeatmapGrid;
  readonly target: TargetKind;
  readonly refinement: Refinement;
  /** Blur of the predicted map before refining; `sigma` = the kernel that goes with the targets' sigma. */
  readonly blurKernel: "sigma" | number;
}

/** Every codec by name. */
export const HEATMAP_CODECS = {
  "quarter-offset": {
    description: "HRNet, SimpleBaseline and Lite-HRNet as released (deep-high-resolution-net.pytorch)",
    crop: "three-point",
    grid: "stride",
    target: "gaussian",
    refinement: "quarter-offset",
    blurKernel: "sigma",
  },
  dark: {
    description: "DARK, distribution-aware coordinates (Zhang et al. 2020)",
    crop: "three-point",
    grid: "stride",
    target: "unbiased-gaussian",
    refinement: "dark",
    blurKernel: "sigma",
  },
  udp: {
    description: "UDP, unbiased data processing with Gaussian heatmaps (Huang et al. 2020)",
    crop: "udp",
    grid: "corners",
    target: "udp-gaussian",
    refinement: "dark-udp",
    blurKernel: "sigma",
  },
  "udp-combined": {
    description: "UDP with a disk and two offset maps per keypoint (Huang et al. 2020)",
    crop: "udp",
    grid: "corners",
    target: "offset-maps",
    refinement: "offset-maps",
    blurKernel: "sigma",
  },
  tinypose: {
    description:
      "PP-TinyPose: UDP crops, targets on the stride grid, DARK with a small blur (PaddleDetection)",
    crop: "udp",
    grid: "stride",
    target: "unbiased-gaussian",
    refinement: "dark",
    blurKernel: 3,
  },
} as const satisfies Readonly<Record<string, HeatmapCodecRow>>;

/** One of {@link HEATMAP_CODECS}. */
export type HeatmapCodecName = keyof typeof HEATMAP_CODECS;

/** Reads {@link HeatmapCodecOptions} from untrusted data. */
export const heatmapCodecOptionsSchema = z.strictObject({
  name: z.enum(Object.keys(HEATMAP_CODECS) as [HeatmapCodecName, ...HeatmapCodecName[]]),
  refinement: z.enum(["none", "quarter-offset", "dark", "dark-udp"]).optional(),
  sigma: z.number().min(0.5).max(16).optional(),
  blurKernel: z
    .int()
    .min(1)
    .max(63)
    .refine((size) => size % 2 === 1, "must be odd")
    .optional(),
});

/** What may vary within a codec; everything else belongs to its name. Plain data, as model files carry it. */
export interface HeatmapCodecOptions {
  readonly name: HeatmapCodecName;
  /** Another refinement than the codec's own; not for `udp-combined`, whose channels allow only one. */
  readonly refinement?: Exclude<Refinement, "offset-maps"> | undefined;
  /** Standard deviation of the targets in heatmap cells: 2 for 64-cell maps (default), 3 for 96-cell maps (384×288). */
  readonly sigma?: number | undefined;
  /** Odd size of the blur before DARK; by default 11 for sigma 2 and 17 for sigma 3, and 3 for `tinypose`. */
  readonly blurKernel?: number | undefined;
}

/** Blur kernel that goes with targets of that sigma: published for 2 (11) and 3 (17); 6σ − 1, made odd, between. */
export function kernelForSigma(sigma: number): number {
  return Math.max(3, 2 * Math.round(3 * sigma - 1) + 1);
}
