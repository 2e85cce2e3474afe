// How parameters lie in the flat vectors that a training step keeps on its device.

import { HRNetError } from "../errors.ts";
import { elementCount, formatShape, type Tensor, tensor } from "../tensor/tensor.ts";

/** A named array inside a vector. */
export interface Slot {
  readonly name: string;
  readonly shape: readonly number[];
}

/** Arrays one after the other in one vector. */
export interface Vector {
  readonly slots: readonly Slot[];
  readonly length: number;
}

/**
 * Elements from which on a vector is closed: few enough that an optimizer's passes over it stay in the cache, many enough
 * that the step has few vectors. 4 MB in float32.
 */
const VECTOR_ELEMENTS = 1 << 20;

/** One vector of all slots. */
export function vectorOf(slots: readonly Slot[]): Vector {
  return { slots, length: slots.reduce((sum, { shape }) => sum + elementCount(shape), 0) };
}

/** The slots in order, in vectors of about {@link VECTOR_ELEMENTS}. */
export function vectorsOf(slots: readonly Slot[]): Vector[] {
  const vectors: Vector[] = [];
  let open: Slot[] = [];
  let length = 0;
  for (const slot of slots) {
    open.push(slot);
    length += elementCount(slot.shape);
    if (length < VECTOR_ELEMENTS) continue;
    vectors.push(vectorOf(open));
    open = [];
    length = 0;
  }
  if (open.length > 0) vectors.push(vectorOf(open));
  return vectors;
}

/**
 * The vector filled from arrays by name.
 * @throws HRNetError `weights-mismatch` when one is missing or has another shape.
 */
export function pack({ slots, length }: Vector, arrays: ReadonlyMap<string, Tensor>): Tensor<"float32"> {
  const result = tensor("float32", [length]);
  let offset = 0;
  for (const { name, shape } of slots) {
    const array = arrays.get(name);
    if (!array || formatShape(array.shape) !== formatShape(shape) || array.dtype !== "float32") {
      throw new HRNetError(
        "weights-mismatch",
        `${name} must be float32 of shape ${formatShape(shape)}; it is ` +
          `${array ? `${array.dtype} of shape ${formatShape(array.shape)}` : "missing"}.`,
      );
    }
    result.data.set(array.data as Float32Array, offset);
    offset += elementCount(shape);
  }
  return result;
}

/** The arrays that a vector holds, by name; they share its memory. */
export function unpack({ slots }: Vector, vector: Tensor): Map<string, Tensor<"float32">> {
  const data = vector.data as Float32Array;
  let offset = 0;
  return new Map(
    slots.map(({ name, shape }) => {
      const count = elementCount(shape);
      const part = tensor("float32", shape, data.subarray(offset, offset + count));
      offset += count;
      return [name, part] as const;
    }),
  );
}
