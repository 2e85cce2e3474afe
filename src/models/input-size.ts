// The input sizes that parallel branches can work on.

import { HRNetError } from "../errors.ts";

/** Stride of the lowest of parallel branches: branch b has stride 4·2^b. */
export const lowestStride = (branches: number): number => 4 * 2 ** (branches - 1);

/**
 * Refuses a picture whose branches do not come out at whole multiples of each other. Branch b has stride 4·2^b and is
 * enlarged by 2^b, so height and width must be multiples of the lowest branch's stride.
 * @param branches number of parallel branches at the deepest stage
 * @throws HRNetError `invalid-shape` with a size that works
 */
export function checkInputSize([height, width]: readonly [number, number], branches: number): void {
  const multiple = lowestStride(branches);
  if (height % multiple === 0 && width % multiple === 0) return;
  const next = (size: number): number => Math.ceil(size / multiple) * multiple;
  throw new HRNetError(
    "invalid-shape",
    `The input size ${height}×${width} does not fit this network: height and width must be multiples of ${multiple} ` +
      `(its ${branches} branches are enlarged by whole factors). Try ${next(height)}×${next(width)}.`,
  );
}
