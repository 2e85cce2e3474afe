// A batch cut into equal parts, and results of parts put together.

import { type Tensor, tensor } from "../tensor/tensor.ts";

/** The samples `index` of `parts` equal parts; a scalar as it is. */
export function partOf({ dtype, shape, data }: Tensor, index: number, parts: number): Tensor {
  if (shape.length === 0) return tensor(dtype, shape, data.slice());
  const length = data.length / parts;
  const samples = shape[0]! / parts;
  return tensor(dtype, [samples, ...shape.slice(1)], data.slice(index * length, (index + 1) * length));
}

/** The mean of float arrays of one shape, in the memory of the first. */
export function mean(parts: readonly Tensor[]): Tensor {
  const [first, ...others] = parts.map(({ data }) => data as Float32Array) as [
    Float32Array,
    ...Float32Array[],
  ];
  const factor = 1 / parts.length;
  const last = others.pop();
  for (const other of others) for (let i = 0; i < first.length; i++) first[i]! += other[i]!;
  if (last) for (let i = 0; i < first.length; i++) first[i] = (first[i]! + last[i]!) * factor;
  return parts[0]!;
}

/** Values of all parts one after the other; of numbers their mean. */
export function concatenated(parts: readonly Tensor[]): Tensor {
  const { dtype, shape, data } = parts[0]!;
  if (shape.length === 0) return mean(parts);
  const result = tensor(dtype, [shape[0]! * parts.length, ...shape.slice(1)]);
  parts.forEach((part, index) => {
    (result.data as Float32Array).set(part.data as Float32Array, index * data.length);
  });
  return result;
}
