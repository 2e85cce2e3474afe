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
  const v = smooth(y - iy);
  const top = gridValue(ix, iy, layer) * (1 - u) + gridValue(ix + 1, iy, layer) * u;
  const bottom = gridValue(ix, iy + 1, layer) * (1 - u) + gridValue(ix + 1, iy + 1, layer) * u;
  return top + (bottom - top) * v;
}
