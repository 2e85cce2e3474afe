// Sub-cell refinement of a heatmap's maximum: quarter offset, DARK, DARK as UDP uses it, combined offset maps.

import { createHeatmapBlur } from "./gaussian-blur.ts";
import { argmax } from "./maximum.ts";

/**
 * Writes `[x, y, score]` (heatmap cells) of one keypoint into `out` at `at`.
 * @param maps the keypoint's channels one after another, each height × width
 */
export type KeypointReader = (
  maps: Float32Array,
  width: number,
  height: number,
  out: Float64Array,
  at: number,
) => void;

/** Moves the maximum found at cell (`px`, `py`), adding to `out[at]` and `out[at + 1]`. */
type Refine = (
  map: Float32Array,
  width: number,
  height: number,
  px: number,
  py: number,
  out: Float64Array,
  at: number,
) => void;

/**
 * Writes the maximum's cell and height into `out` at `at`. A map without a positive value says that there is no keypoint:
 * (0, 0) with that value as its score (`get_max_preds` in `lib/core/inference.py` of deep-high-resolution-net.pytorch).
 * @returns whether there is a keypoint
 */
function placeMaximum(
  map: Float32Array | Float64Array,
  width: number,
  out: Float64Array,
  at: number,
): boolean {
  const index = argmax(map);
  const maximum = map[index]!;
  const found = maximum > 0;
  out[at] = found ? index % width : 0;
  out[at + 1] = found ? Math.floor(index / width) : 0;
  out[at + 2] = maximum;
  return found;
}

/** The maximum, then `refine` where there is a keypoint. */
function readMaximum(refine: Refine): KeypointReader {
  return (map, width, height, out, at) => {
    if (placeMaximum(map, width, out, at)) refine(map, width, height, out[at]!, out[at + 1]!, out, at);
  };
}

/** The maximum's own cell. */
export function plainReader(): KeypointReader {
  return readMaximum(() => {});
}

/**
 * A quarter of a cell towards the higher neighbour, in x and in y. Maxima within one cell of the border, and in the
 * second row or column, stay (`1 < px < W−1` and `1 < py < H−1`). Source: `get_final_preds` in `lib/core/inference.py`
 * of deep-high-resolution-net.pytorch; introduced for the stacked hourglass (Newell et al. 2016).
 */
export function quarterOffsetReader(): KeypointReader {
  return readMaximum((map, width, height, px, py, out, at) => {
    if (!(px > 1 && px < width - 1 && py > 1 && py < height - 1)) return;
    const cell = py * width + px;
    out[at] = px + 0.25 * Math.sign(map[cell + 1]! - map[cell - 1]!);
    out[at + 1] = py + 0.25 * Math.sign(map[cell + width]! - map[cell - width]!);
  });
}

/**
 * `patch` = log of the blurred map around (`px`, `py`), the map first rescaled so that blurring keeps its maximum, then
 * clamped to `floor … ceiling`.
 *
 * Rescaling by c only adds log c to every value, and the Taylor step below sees differences alone. So c matters only
 * where the clamp acts, and only then the whole map is blurred to find it (c ≥ 1, since a blur never raises a maximum).
 */
function createLogPatch(kernelSize: number, radius: number, floor: number, ceiling: number) {
  const blur = createHeatmapBlur(kernelSize, "zero");
  const patch = new Float64Array((2 * radius + 1) ** 2);
  return (map: Float32Array, width: number, height: number, px: number, py: number): Float64Array => {
    blur.patch(map, width, height, px, py, radius, patch);
    const maximum = map[py * width + px]!;
    let clamps = maximum > ceiling;
    for (const value of patch) clamps ||= value < floor;
    let scale = 1;
    if (clamps) {
      const blurred = blur.whole(map, width, height);
      const peak = blurred[argmax(blurred)]!;
      scale = peak > 0 ? maximum / peak : 0; // a lone spike among negative values: flat after the clamp, no step
    }
    for (let i = 0; i < patch.length; i++) {
      patch[i] = Math.log(Math.min(Math.max(patch[i]! * scale, floor), ceiling));
    }
    return patch;
  };
}

/**
 * DARK: the heatmap's logarithm is a parabola around a Gaussian's peak, so one Newton step from the maximum,
 * `−H⁻¹ g`, lands on it. Differences over two cells on either side; maxima too close to the border stay. Source: Zhang
 * et al., "Distribution-Aware Coordinate Representation for Human Pose Estimation" (CVPR 2020); floor 1e-10 from its code.
 * @param kernelSize of the blur that smooths the predicted map: 11 for σ = 2, 17 for σ = 3
 */
export function darkReader(kernelSize: number): KeypointReader {
  const logPatch = createLogPatch(kernelSize, 2, 1e-10, Number.POSITIVE_INFINITY);
  return readMaximum((map, width, height, px, py, out, at) => {
    if (!(px > 1 && px < width - 2 && py > 1 && py < height - 2)) return;
    const p = logPatch(map, width, height, px, py); // 5 × 5, the maximum's cell is p[12]
    const dx = 0.5 * (p[13]! - p[11]!);
    const dy = 0.5 * (p[17]! - p[7]!);
    const dxx = 0.25 * (p[14]! - 2 * p[12]! + p[10]!);
    const dyy = 0.25 * (p[22]! - 2 * p[12]! + p[2]!);
    const dxy = 0.25 * (p[18]! - p[8]! - p[16]! + p[6]!);
    const determinant = dxx * dyy - dxy * dxy;
    if (determinant === 0) return;
    out[at] = px - (dyy * dx - dxy * dy) / determinant;
    out[at + 1] = py - (dxx * dy - dxy * dx) / determinant;
  });
}

/** Added to the Hessian's diagonal so that flat maps stay invertible: the float32 machine epsilon (mmpose). */
const HESSIAN_EPSILON = 2 ** -23;

/**
 * DARK as UDP uses it: differences over one cell, the border repeated, so that every maximum is refined. Source: Huang
 * et al., "The Devil is in the Details: Delving into Unbiased Data Processing" (CVPR 2020); clamp 1e-3 … 50 from its code
 * and mmpose's `refine_keypoints_dark_udp`.
 */
export function darkUdpReader(kernelSize: number): KeypointReader {
  const logPatch = createLogPatch(kernelSize, 1, 1e-3, 50);
  return readMaximum((map, width, height, px, py, out, at) => {
    const p = logPatch(map, width, height, px, py); // 3 × 3, the maximum's cell is p[4]
    const dx = 0.5 * (p[5]! - p[3]!);
    const dy = 0.5 * (p[7]! - p[1]!);
    const dxx = p[5]! - 2 * p[4]! + p[3]! + HESSIAN_EPSILON;
    const dyy = p[7]! - 2 * p[4]! + p[1]! + HESSIAN_EPSILON;
    const dxy = 0.5 * (p[8]! - p[5]! - p[7]! + 2 * p[4]! - p[3]! - p[1]! + p[0]!);
    const determinant = dxx * dyy - dxy * dxy;
    if (determinant === 0) return;
    out[at] = px - (dyy * dx - dxy * dy) / determinant;
    out[at + 1] = py - (dxx * dy - dxy * dx) / determinant;
  });
}

/** Radius of a keypoint's disk as a fraction of the longer heatmap side (Huang et al., used by mmpose as well). */
export const DISK_RADIUS_FACTOR = 0.0546875;

/**
 * UDP's combined maps: a disk that says "the keypoint is within r", and beside it, how far and in which direction, in
 * units of r. The disk map is blurred with kernel 2k+1 and its maximum taken; the offset maps are blurred with kernel k
 * and read there. Source: Huang et al. (CVPR 2020) and mmpose's `UDPHeatmap` with `heatmap_type="combined"`.
 * @param kernelSize k, 11 by default
 */
export function offsetMapsReader(kernelSize: number): KeypointReader {
  const diskBlur = createHeatmapBlur(2 * kernelSize + 1, "reflect");
  const offsetBlur = createHeatmapBlur(kernelSize, "reflect");
  const offset = new Float64Array(1);
  return (maps, width, height, out, at) => {
    const area = width * height;
    const disk = diskBlur.whole(maps.subarray(0, area), width, height);
    if (!placeMaximum(disk, width, out, at)) return;
    const [px, py] = [out[at]!, out[at + 1]!];
    const radius = DISK_RADIUS_FACTOR * Math.max(width, height);
    for (let axis = 0; axis < 2; axis++) {
      const map = maps.subarray((axis + 1) * area, (axis + 2) * area);
      offsetBlur.patch(map, width, height, px, py, 0, offset);
      out[at + axis] = (axis === 0 ? px : py) + offset[0]! * radius;
    }
  };
}
