// Strided views of arrays, brought to C order.

import { type DType, type Tensor, tensor } from "./tensor.ts";

/**
 * The elements of a strided view in C order.
 * @param source starts at the first element of the view and must reach its last
 * @param strides elements from one index to the next, per axis
 */
export function gatherStrided<D extends DType>(
  source: Tensor<D>,
  shape: readonly number[],
  strides: readonly number[],
): Tensor<D> {
  const result = tensor(source.dtype, shape);
  const index = shape.map(() => 0);
  let from = 0;
  for (let to = 0; to < result.data.length; to++) {
    result.data[to] = source.data[from] as never;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis]!;
      index[axis]!++;
      if (index[axis]! < shape[axis]!) break;
      from -= strides[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return result;
}
