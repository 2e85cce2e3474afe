// Planes of numbers at another size, bilinear.

/** Planes of one size, one after another. */
export interface Planes {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** channels×height×width, row by row. */
  readonly data: Float32Array;
}

/** For each place of an axis the two source places, and the weight of the second. */
interface Taps {
  readonly first: Int32Array;
  readonly second: Int32Array;
  readonly part: Float64Array;
}

/**
 * Source place (i + ½)·source/target − ½, not below 0; with corners aligned i·(source − 1)/(target − 1). Source:
 * `area_pixel_compute_source_index` of PyTorch's `aten/src/ATen/native/UpSample.h`.
 */
function tapsOf(source: number, target: number, alignCorners: boolean): Taps {
  const first = new Int32Array(target);
  const second = new Int32Array(target);
  const part = new Float64Array(target);
  const aligned = target > 1 ? (source - 1) / (target - 1) : 0;
  for (let i = 0; i < target; i++) {
    const at = alignCorners ? i * aligned : Math.max(0, ((i + 0.5) * source) / target - 0.5);
    first[i] = Math.min(Math.floor(at), source - 1);
    second[i] = Math.min(first[i]! + 1, source - 1);
    part[i] = at - first[i]!;
  }
  return { first, second, part };
}

/**
 * Adds planes, brought to the size of others, to these. Equal to PyTorch's `interpolate(mode="bilinear")`, and for shrinking and
 * enlarging alike to OpenCV's `INTER_LINEAR` on floats: no smoothing before shrinking.
 * @param into as many planes, of the size wanted
 */
export function addResized(from: Planes, into: Planes, alignCorners = false): void {
  const { channels, height, width, data } = from;
  const across = tapsOf(width, into.width, alignCorners);
  const down = tapsOf(height, into.height, alignCorners);
  const rows = [new Float32Array(into.width), new Float32Array(into.width)] as const;
  const kept: [number, number] = [-1, -1];
  /** A source row, resized across; the two that were asked for last are kept. */
  const rowAt = (row: number, other: number): Float32Array => {
    const known = kept.indexOf(row);
    if (known >= 0) return rows[known as 0 | 1];
    const slot = kept[0] === other ? 1 : 0;
    kept[slot] = row;
    const result = rows[slot];
    const base = row * width;
    for (let i = 0; i < result.length; i++) {
      const a = data[base + across.first[i]!]!;
      result[i] = a + across.part[i]! * (data[base + across.second[i]!]! - a);
    }
    return result;
  };
  for (let c = 0; c < channels; c++) {
    for (let j = 0; j < into.height; j++) {
      const [low, high] = [c * height + down.first[j]!, c * height + down.second[j]!];
      const above = rowAt(low, high);
      const below = rowAt(high, low);
      const part = down.part[j]!;
      const base = (c * into.height + j) * into.width;
      for (let i = 0; i < above.length; i++) {
        into.data[base + i]! += above[i]! + part * (below[i]! - above[i]!);
      }
    }
  }
}

/** Planes of zeros. */
export function planesOf(channels: number, height: number, width: number): Planes {
  return { channels, height, width, data: new Float32Array(channels * height * width) };
}

/** Planes at another size; the same ones where they have it. */
export function resizedPlanes(from: Planes, height: number, width: number, alignCorners = false): Planes {
  if (from.height === height && from.width === width) return from;
  const into = planesOf(from.channels, height, width);
  addResized(from, into, alignCorners);
  return into;
}

/** Planes in the upper left corner of larger ones of 0; the same ones where they have the size. */
export function framedPlanes(planes: Planes, height: number, width: number): Planes {
  if (planes.height === height && planes.width === width) return planes;
  const framed = planesOf(planes.channels, height, width);
  for (let row = 0; row < planes.channels * planes.height; row++) {
    const to = Math.floor(row / planes.height) * height + (row % planes.height);
    framed.data.set(planes.data.subarray(row * planes.width, (row + 1) * planes.width), to * width);
  }
  return framed;
}
