// Smooth random fields: value noise, the same on every machine.

/** A number in [0, 1) for a point of the whole-number grid (mixing as in MurmurHash3). */
function gridValue(x: number, y: number, z: number): number {
  let hash = Math.imul(x, 0x27d4eb2d) ^ Math.imul(y, 0x165667b1) ^ Math.imul(z, 0x9e3779b1);
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 4294967296;
}

const smooth = (t: number): number => t * t * (3 - 2 * t);

/** Noise in [0, 1) over the plane, smooth at the scale of 1; `layer` chooses one of many. */
export function noise2(x: number, y: number, layer: number): number {
  const ix = Math.floor(x);
  const iy = Math.floor(y);
  const u = smooth(x - ix);
  const top = gridValue(ix, iy, layer);
  const bottom = gridValue(ix, iy + 1, layer);
  const above = top + (gridValue(ix + 1, iy, layer) - top) * u;
  const below = bottom + (gridValue(ix + 1, iy + 1, layer) - bottom) * u;
  return above + (below - above) * smooth(y - iy);
}

/** {@link noise2} of one layer for points that follow each other closely: the cell of the last point is remembered. */
export function noiseField(layer: number): (x: number, y: number) => number {
  let cellX = Number.NaN;
  let cellY = Number.NaN;
  let topLeft = 0;
  let topRise = 0;
  let bottomLeft = 0;
  let bottomRise = 0;
  return (x, y) => {
    const ix = Math.floor(x);
    const iy = Math.floor(y);
    if (ix !== cellX || iy !== cellY) {
      cellX = ix;
      cellY = iy;
      topLeft = gridValue(ix, iy, layer);
      topRise = gridValue(ix + 1, iy, layer) - topLeft;
      bottomLeft = gridValue(ix, iy + 1, layer);
      bottomRise = gridValue(ix + 1, iy + 1, layer) - bottomLeft;
    }
    const u = smooth(x - ix);
    const top = topLeft + topRise * u;
    return top + (bottomLeft + bottomRise * u - top) * smooth(y - iy);
  };
}
