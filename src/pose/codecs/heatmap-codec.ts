// Heatmap codecs: each ties together crop geometry, targets, flip rule, refinement and the way back to the picture.

import { z } from "zod";
import { HRNetError } from "../../errors.ts";
import { type Affine, applyAffine, composeAffine, invertAffine } from "../../image/affine.ts";
import { type CenterScale, type CropKind, cropMatrix, type Size } from "../transforms.ts";
import {
  HEATMAP_CODECS,
  type HeatmapCodecName,
  type HeatmapCodecOptions,
  type HeatmapCodecRow,
  type HeatmapGrid,
  heatmapCodecOptionsSchema,
  kernelForSigma,
  type Refinement,
} from "./codec-table.ts";
import { type HeatmapShape, mergeFlippedHeatmaps } from "./flip.ts";
import {
  darkReader,
  darkUdpReader,
  type KeypointReader,
  offsetMapsReader,
  plainReader,
  quarterOffsetReader,
} from "./refine.ts";
import { TARGET_DRAWERS, type TargetKind } from "./targets.ts";

export {
  HEATMAP_CODECS,
  type HeatmapCodecName,
  type HeatmapCodecOptions,
  type HeatmapGrid,
  heatmapCodecOptionsSchema,
  type Refinement,
} from "./codec-table.ts";

/** Reader of each refinement. */
const READERS: Readonly<Record<Refinement, (blurKernel: number) => KeypointReader>> = {
  none: plainReader,
  "quarter-offset": quarterOffsetReader,
  dark: darkReader,
  "dark-udp": darkUdpReader,
  "offset-maps": offsetMapsReader,
};

/** Targets of one person. */
export interface EncodedTargets {
  /** keypoints·channels × height × width */
  readonly heatmaps: Float32Array;
  /** One per keypoint: its visibility, or 0 where its target would be empty. */
  readonly weights: Float32Array;
}

/** Turns keypoints into heatmaps and heatmaps into keypoints, in one consistent geometry. */
export interface HeatmapCodec {
  readonly name: HeatmapCodecName;
  readonly description: string;
  readonly crop: CropKind;
  readonly grid: HeatmapGrid;
  readonly target: TargetKind;
  readonly refinement: Refinement;
  readonly sigma: number;
  readonly blurKernel: number;
  /** Heatmap channels per keypoint; `udp-combined` has a disk and the offsets in x and y, in this order. */
  readonly channelsPerKeypoint: 1 | 3;
  /** Columns by which the flip test moves the mirrored heatmaps to the right; see {@link HeatmapGrid}. */
  readonly flipShift: 0 | 1;

  /** Image pixels → crop pixels: the matrix to warp the picture with. */
  cropMatrix(region: CenterScale, inputSize: Size, rotationDegrees?: number): Affine;

  /** Heatmap cells → image pixels for a crop made with {@link HeatmapCodec.cropMatrix}. */
  heatmapToImage(region: CenterScale, inputSize: Size, heatmapSize: Size, rotationDegrees?: number): Affine;

  /**
   * Flip test: averages, into `heatmaps`, the network's output for the mirrored crops (as the network gave it, still
   * mirrored). Any number of persons one after another.
   * @throws HRNetError `invalid-shape` when the arrays, the shape and the permutation do not fit each other
   */
  mergeFlipped(
    heatmaps: Float32Array,
    flipped: Float32Array,
    shape: HeatmapShape,
    flipPermutation: readonly number[],
  ): void;

  /**
   * Keypoints of one person.
   * @param heatmaps keypoints·channels × height × width
   * @param region the crop's centre and scale
   * @param inputSize the network's input `[width, height]`
   * @param out where to write; a new array when left out
   * @returns keypoints × 3: x and y in image pixels, and the score (the maximum's height)
   * @throws HRNetError `invalid-shape` when `heatmaps` or `out` does not fit the shape; `inference-failed` on NaN
   */
  decode(
    heatmaps: Float32Array,
    shape: HeatmapShape,
    region: CenterScale,
    inputSize: Size,
    out?: Float64Array,
  ): Float64Array;

  /** As {@link HeatmapCodec.decode}, but x and y in heatmap cells. */
  decodeCells(heatmaps: Float32Array, shape: HeatmapShape, out?: Float64Array): Float64Array;

  /**
   * Training targets of one person.
   * @param keypoints J×2, x and y in crop pixels
   * @param visibility J; a keypoint is drawn where it is above 0.5
   * @throws HRNetError `invalid-shape` when the arrays do not fit the shape
   */
  encode(
    keypoints: Float64Array,
    visibility: Float32Array,
    shape: HeatmapShape,
    inputSize: Size,
  ): EncodedTargets;
}

/** Crop pixels from one heatmap cell to the next, in x and y. */
function cellPitch(grid: HeatmapGrid, inputSize: Size, heatmapSize: Size): [x: number, y: number] {
  const less = grid === "corners" ? 1 : 0;
  return [(inputSize[0] - less) / (heatmapSize[0] - less), (inputSize[1] - less) / (heatmapSize[1] - less)];
}

/** @throws HRNetError `invalid-shape` unless `actual` is `expected` */
function requireLength(what: string, actual: number, expected: number, because: string): void {
  if (actual === expected) return;
  throw new HRNetError(
    "invalid-shape",
    `${what} has ${actual} elements; ${expected} were expected (${because}).`,
  );
}

/**
 * The codec of that name, with what may vary varied.
 *
 * ```ts
 * createHeatmapCodec("udp");
 * createHeatmapCodec({ name: "quarter-offset", refinement: "dark", blurKernel: 3 });
 * createHeatmapCodec({ name: "dark", sigma: 3 }); // 384×288 networks: blur kernel 17
 * ```
 *
 * A codec keeps working memory between calls: use one per thread of work.
 * @throws HRNetError `invalid-config` for an unknown name, option or value
 */
export function createHeatmapCodec(options: HeatmapCodecName | HeatmapCodecOptions): HeatmapCodec {
  const parsed = heatmapCodecOptionsSchema.safeParse(
    typeof options === "string" ? { name: options } : options,
  );
  if (!parsed.success) {
    throw new HRNetError(
      "invalid-config",
      `${JSON.stringify(options)} is no heatmap codec: ${z.prettifyError(parsed.error)}\n` +
        `The codecs are ${Object.keys(HEATMAP_CODECS).join(", ")}; refinement, sigma and blurKernel may be set beside the name.`,
    );
  }
  const row: HeatmapCodecRow = HEATMAP_CODECS[parsed.data.name];
  const { name, sigma = 2 } = parsed.data;
  const { refinement = row.refinement } = parsed.data;
  if (row.refinement === "offset-maps" && refinement !== "offset-maps") {
    throw new HRNetError(
      "invalid-config",
      `The codec ${name} cannot be refined by ${refinement}: its three channels per keypoint are read in one way only. ` +
        "Leave refinement out, or choose another codec.",
    );
  }
  const blurKernel =
    parsed.data.blurKernel ?? (row.blurKernel === "sigma" ? kernelForSigma(sigma) : row.blurKernel);
  const channels = row.target === "offset-maps" ? 3 : 1;
  const flipShift = row.grid === "stride" ? 1 : 0;
  const read = READERS[refinement](blurKernel);
  const draw = TARGET_DRAWERS[row.target];

  const codec: HeatmapCodec = {
    name,
    description: row.description,
    crop: row.crop,
    grid: row.grid,
    target: row.target,
    refinement,
    sigma,
    blurKernel,
    channelsPerKeypoint: channels,
    flipShift,

    cropMatrix: (region, inputSize, rotationDegrees = 0) =>
      cropMatrix(region, rotationDegrees, inputSize, row.crop),

    heatmapToImage(region, inputSize, heatmapSize, rotationDegrees = 0) {
      const [pitchX, pitchY] = cellPitch(row.grid, inputSize, heatmapSize);
      const toCrop: Affine = [pitchX, 0, 0, 0, pitchY, 0];
      return composeAffine(invertAffine(codec.cropMatrix(region, inputSize, rotationDegrees)), toCrop);
    },

    mergeFlipped(heatmaps, flipped, shape, flipPermutation) {
      const { keypoints, height, width } = shape;
      const person = keypoints * channels * height * width;
      const persons = Math.max(1, Math.round(heatmaps.length / person));
      const because = `persons × ${keypoints * channels} × ${height} × ${width}`;
      requireLength("The heatmap array", heatmaps.length, persons * person, because);
      requireLength("The array of flipped heatmaps", flipped.length, heatmaps.length, "as many as heatmaps");
      requireLength("The flip permutation", flipPermutation.length, keypoints, "one index per keypoint");
      mergeFlippedHeatmaps(heatmaps, flipped, shape, flipPermutation, { channels, shift: flipShift });
    },

    decodeCells(heatmaps, { keypoints, height, width }, out = new Float64Array(3 * keypoints)) {
      const size = channels * height * width;
      const because = `${keypoints * channels} × ${height} × ${width}`;
      requireLength("The heatmap array", heatmaps.length, keypoints * size, because);
      requireLength("The array for keypoints", out.length, 3 * keypoints, "x, y and score per keypoint");
      for (let joint = 0; joint < keypoints; joint++) {
        const at = 3 * joint;
        read(heatmaps.subarray(joint * size, (joint + 1) * size), width, height, out, at);
        if (Number.isFinite(out[at]! + out[at + 1]! + out[at + 2]!)) continue;
        throw new HRNetError(
          "inference-failed",
          `The heatmap of keypoint ${joint} holds NaN or Infinity. The network's weights or its precision are at fault: ` +
            "check the checkpoint, or run the model in fp32.",
        );
      }
      return out;
    },

    decode(heatmaps, shape, region, inputSize, out) {
      const toImage = codec.heatmapToImage(region, inputSize, [shape.width, shape.height]);
      const decoded = codec.decodeCells(heatmaps, shape, out);
      for (let at = 0; at < decoded.length; at += 3) {
        const [x, y] = applyAffine(toImage, decoded[at]!, decoded[at + 1]!);
        decoded[at] = x;
        decoded[at + 1] = y;
      }
      return decoded;
    },

    encode(keypoints, visibility, { keypoints: count, height, width }, inputSize) {
      requireLength("The keypoint array", keypoints.length, 2 * count, "x and y per keypoint");
      requireLength("The visibility array", visibility.length, count, "one per keypoint");
      const [pitchX, pitchY] = cellPitch(row.grid, inputSize, [width, height]);
      const size = channels * height * width;
      const heatmaps = new Float32Array(count * size);
      const weights = Float32Array.from(visibility);
      for (let joint = 0; joint < count; joint++) {
        if (!(visibility[joint]! > 0)) continue;
        const maps = heatmaps.subarray(joint * size, (joint + 1) * size);
        const x = keypoints[2 * joint]! / pitchX;
        const y = keypoints[2 * joint + 1]! / pitchY;
        if (!draw(maps, width, height, x, y, sigma)) weights[joint] = 0;
        if (visibility[joint]! <= 0.5) maps.fill(0); // as the original: an empty map whose weight still counts
      }
      return { heatmaps, weights };
    },
  };
  return codec;
}
