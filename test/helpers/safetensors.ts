// Reads fixture tensors without the library's own reader, so that a fault there cannot hide one here.
import { readFileSync } from "node:fs";

/** A fixture tensor; values of any stored type as float64. */
export interface FixtureTensor {
  readonly shape: readonly number[];
  readonly values: Float64Array;
}

const READERS: Record<string, [bytes: number, read: (view: DataView, at: number) => number]> = {
  F32: [4, (view, at) => view.getFloat32(at, true)],
  F64: [8, (view, at) => view.getFloat64(at, true)],
  I64: [8, (view, at) => Number(view.getBigInt64(at, true))],
  U8: [1, (view, at) => view.getUint8(at)],
  BOOL: [1, (view, at) => view.getUint8(at)],
};

/** Every tensor of a safetensors file by name. */
export function readFixtureTensors(path: string): Record<string, FixtureTensor> {
  const file = readFileSync(path);
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const headerBytes = Number(view.getBigUint64(0, true));
  const header = JSON.parse(file.toString("utf8", 8, 8 + headerBytes)) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  const tensors: Record<string, FixtureTensor> = {};
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const [bytes, read] = READERS[entry.dtype]!;
    const count = entry.shape.reduce((product, size) => product * size, 1);
    const start = 8 + headerBytes + entry.data_offsets[0];
    tensors[name] = {
      shape: entry.shape,
      values: Float64Array.from({ length: count }, (_, i) => read(view, start + i * bytes)),
    };
  }
  return tensors;
}
