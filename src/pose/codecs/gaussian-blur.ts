// OpenCV's Gaussian blur of a heatmap, computed only where it is needed.

/**
 * OpenCV's fixed kernels: `getGaussianKernel` uses these, not the formula, when it is given no sigma. Kernel 3 of the
 * formula would be `.239 .522 .239`.
 */
const SMALL_KERNELS: Readonly<Record<number, readonly number[]>> = {
  1: [1],
  3: [1 / 4, 1 / 2, 1 / 4],
  5: [1 / 16, 1 / 4, 3 / 8, 1 / 4, 1 / 16],
  7: [1 / 32, 7 / 64, 7 / 32, 9 / 32, 7 / 32, 7 / 64, 1 / 32],
};

/**
 * `cv2.getGaussianKernel(size, 0)`: sigma = 0.3·((size − 1)/2 − 1) + 0.8, normalised to sum 1.
 * @param size odd
 */
export function gaussianKernel(size: number): Float64Array {
  const fixed = SMALL_KERNELS[size];
  if (fixed !== undefined) return Float64Array.from(fixed);
  const half = (size - 1) / 2;
  const sigma = 0.3 * (half - 1) + 0.8;
  const kernel = Float64Array.from({ length: size }, (_, i) =>
    Math.exp(-((i - half) ** 2) / (2 * sigma * sigma)),
  );
  const sum = kernel.reduce((total, value) => total + value, 0);
  return kernel.map((value) => value / sum);
}

/**
 * Where a kernel reads when it reaches over the border: `zero` = nothing there; `reflect` = mirrored about the border
 * pixel's middle, `cb|abcd|cb` (OpenCV's BORDER_REFLECT_101, its default).
 */
export type BlurBorder = "zero" | "reflect";

/** Index to read for `index` outside `0 … size − 1`; −1 for nothing. */
function borderIndex(index: number, size: number, border: BlurBorder): number {
  if (index >= 0 && index < size) return index;
  if (border === "zero") return -1;
  if (size === 1) return 0;
  const period = 2 * (size - 1);
  const folded = ((index % period) + period) % period;
  return folded < size ? folded : period - folded;
}

/** Blurs heatmaps of any size with one kernel; keeps its working memory between calls. */
export interface HeatmapBlur {
  /**
   * The blurred values of the (2·radius+1)² cells around (`cx`, `cy`), row by row into `patch`. Cells outside the map
   * repeat the blurred map's border cells.
   */
  patch(
    map: Float32Array,
    width: number,
    height: number,
    cx: number,
    cy: number,
    radius: number,
    patch: Float64Array,
  ): void;
  /** The whole blurred map, valid until the next call. */
  whole(map: Float32Array, width: number, height: number): Float64Array;
}

/** A separable Gaussian blur equal to `cv2.GaussianBlur(map, (size, size), 0)` with that border. */
export function createHeatmapBlur(size: number, border: BlurBorder): HeatmapBlur {
  const kernel = gaussianKernel(size);
  const half = (size - 1) / 2;
  let rows = new Float64Array(0); // size + 2·radius: one column of horizontally blurred cells
  let line = new Float64Array(0); // width + 2·half: one row with its border
  let horizontal = new Float64Array(0); // height + 1 × width
  let rowStarts = new Int32Array(0); // height + 2·half
  let blurred = new Float64Array(0); // height × width

  /** One row's horizontal blur at column `x`. */
  const rowAt = (map: Float32Array, offset: number, width: number, x: number): number => {
    let sum = 0;
    if (x >= half && x + half < width) {
      const start = offset + x - half;
      for (let i = 0; i < size; i++) sum += kernel[i]! * map[start + i]!;
      return sum;
    }
    for (let i = 0; i < size; i++) {
      const column = borderIndex(x + i - half, width, border);
      if (column >= 0) sum += kernel[i]! * map[offset + column]!;
    }
    return sum;
  };

  const blurRows = (
    map: Float32Array,
    width: number,
    height: number,
    line: Float64Array,
    out: Float64Array,
  ): void => {
    for (let y = 0; y < height; y++) {
      const offset = y * width;
      for (let i = 0; i < line.length; i++) {
        const column = borderIndex(i - half, width, border);
        line[i] = column < 0 ? 0 : map[offset + column]!;
      }
      for (let x = 0; x < width; x++) {
        let sum = kernel[half]! * line[x + half]!;
        for (let i = 0; i < half; i++) sum += kernel[i]! * (line[x + i]! + line[x + size - 1 - i]!);
        out[offset + x] = sum;
      }
    }
  };

  const blurColumns = (
    rows: Float64Array,
    width: number,
    height: number,
    starts: Int32Array,
    out: Float64Array,
  ): void => {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        let sum = kernel[half]! * rows[y * width + x]!;
        for (let i = 0; i < half; i++) {
          sum += kernel[i]! * (rows[starts[y + i]! + x]! + rows[starts[y + size - 1 - i]! + x]!);
        }
        out[y * width + x] = sum;
      }
    }
  };

  return {
    patch(map, width, height, cx, cy, radius, patch) {
      const side = 2 * radius + 1;
      const reach = side + 2 * half;
      if (rows.length < reach) rows = new Float64Array(reach);
      for (let column = 0; column < side; column++) {
        const x = Math.min(Math.max(cx - radius + column, 0), width - 1);
        for (let i = 0; i < reach; i++) {
          const y = borderIndex(cy - radius - half + i, height, border);
          rows[i] = y < 0 ? 0 : rowAt(map, y * width, width, x);
        }
        for (let row = 0; row < side; row++) {
          // Row of the nearest cell inside the map, as an index into `rows`.
          const y = Math.min(Math.max(cy - radius + row, 0), height - 1) - (cy - radius);
          let sum = 0;
          for (let i = 0; i < size; i++) sum += kernel[i]! * rows[y + i]!;
          patch[row * side + column] = sum;
        }
      }
    },

    whole(map, width, height) {
      const area = width * height;
      if (blurred.length !== area || line.length !== width + 2 * half) {
        line = new Float64Array(width + 2 * half);
        horizontal = new Float64Array(area + width);
        blurred = new Float64Array(area);
        // Where each row that the kernel may reach begins in `horizontal`; its last row stays zero, for the border.
        rowStarts = Int32Array.from({ length: height + 2 * half }, (_, i) => {
          const row = borderIndex(i - half, height, border);
          return (row < 0 ? height : row) * width;
        });
      }
      blurRows(map, width, height, line, horizontal);
      blurColumns(horizontal, width, height, rowStarts, blurred);
      return blurred;
    },
  };
}
