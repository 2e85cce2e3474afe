// Our tensors as ONNX Runtime's and back, without copying, and how their memory is given back.

import { MessageChannel } from "node:worker_threads";
import { Tensor as OrtTensor } from "onnxruntime-node";
import type { DType, Tensor, TensorArray } from "../tensor/tensor.ts";

/** Element types that both sides know; their names are the same. */
const SHARED_TYPES = {
  float32: true,
  float64: true,
  float16: true,
  int64: true,
  int32: true,
  int16: true,
  int8: true,
  uint8: true,
  bool: true,
} as const satisfies Partial<Record<DType, true>>;

/**
 * One of the element types both sides know.
 * @throws Error for any other
 */
export function sharedTypeOf(type: string): keyof typeof SHARED_TYPES {
  if (type in SHARED_TYPES) return type as keyof typeof SHARED_TYPES;
  throw new Error(
    `tensors of type ${type} are not supported; supported: ${Object.keys(SHARED_TYPES).join(", ")}`,
  );
}

/** The engine's tensor over the same elements. */
export function toEngine({ dtype, shape, data }: Tensor): OrtTensor {
  return new OrtTensor(sharedTypeOf(dtype), data as Float32Array, shape);
}

/** Our tensor over the same elements, which must not lie on a GPU. */
export function fromEngine(tensor: OrtTensor): Tensor {
  const data = tensor.data as Exclude<typeof tensor.data, string[]>;
  const dtype = sharedTypeOf(tensor.type);
  return {
    dtype,
    shape: tensor.dims,
    // Where JavaScript has Float16Array, the engine uses it; our tensors hold the bits.
    data: (dtype === "float16"
      ? new Uint16Array(data.buffer, data.byteOffset, data.length)
      : data) as TensorArray,
  };
}

/** Gives a tensor's memory back, wherever it lies; nothing may use the tensor afterwards. */
export function discard(tensor: OrtTensor): void {
  if (tensor.location === "gpu-buffer") tensor.dispose();
  else freeBuffer(tensor.data as TensorArray);
}

/**
 * Gives an array's memory back to the system at once: a thread that does nothing but run a model may not collect
 * garbage for hours. Sending a buffer to a closed port is the way Node.js 20 offers.
 */
export function freeBuffer(array: TensorArray | Uint8Array): void {
  if (array.byteLength !== array.buffer.byteLength) return; // part of a buffer that others use
  const { port1, port2 } = new MessageChannel();
  port2.close();
  port1.postMessage(undefined, [array.buffer as ArrayBuffer]);
  port1.close();
}
