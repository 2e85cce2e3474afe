// Reads the numeric arrays of MATLAB 5 files (`.mat`, as `save -v6` and `-v7` write them).

import { inflateSync } from "node:zlib";
import { HRNetError, messageOf } from "../errors.ts";
import { readFileWithin } from "../files/read-file.ts";

/** A numeric array. */
export interface MatArray {
  readonly dims: readonly number[];
  /** Column by column: the first dimension is the fastest. */
  readonly data: Float64Array;
}

/** Largest file, and largest array once decompressed, in bytes. */
const MAX_BYTES = 256 * 2 ** 20;

/** Dimensions of an array. */
const MAX_DIMS = 32;

// Numbers of the format. Source: MathWorks, "MAT-File Format", tables 1-1 to 1-3.
const HEADER_BYTES = 128;
const TAG_BYTES = 8;
const TYPE_MATRIX = 14;
const TYPE_COMPRESSED = 15;
/** Array classes double, single and the integers; cells, structures, texts and sparse arrays lie outside. */
const [FIRST_NUMERIC_CLASS, LAST_NUMERIC_CLASS] = [6, 15];
const COMPLEX_FLAG = 0x800;

/** How numbers are stored, by data type. */
const STORED: Readonly<Record<number, { bytes: number; read: (view: DataView, at: number) => number }>> = {
  1: { bytes: 1, read: (view, at) => view.getInt8(at) },
  2: { bytes: 1, read: (view, at) => view.getUint8(at) },
  3: { bytes: 2, read: (view, at) => view.getInt16(at, true) },
  4: { bytes: 2, read: (view, at) => view.getUint16(at, true) },
  5: { bytes: 4, read: (view, at) => view.getInt32(at, true) },
  6: { bytes: 4, read: (view, at) => view.getUint32(at, true) },
  7: { bytes: 4, read: (view, at) => view.getFloat32(at, true) },
  9: { bytes: 8, read: (view, at) => view.getFloat64(at, true) },
  12: { bytes: 8, read: (view, at) => Number(view.getBigInt64(at, true)) },
  13: { bytes: 8, read: (view, at) => Number(view.getBigUint64(at, true)) },
};

interface Element {
  readonly type: number;
  readonly bytes: Uint8Array;
  /** Where the next element begins. */
  readonly next: number;
}

/**
 * The real numeric arrays of a file, by name; everything else in it is left out.
 * @throws HRNetError `file-not-found`, `read-failed`; `limit-exceeded` above 256 MiB; `invalid-data` for another format
 * (MATLAB 7.3's is HDF5) or a damaged file
 */
export async function readMatArrays(path: string): Promise<Map<string, MatArray>> {
  const bytes = await readFileWithin(path, "MATLAB file", MAX_BYTES);
  try {
    return parseMatArrays(bytes);
  } catch (cause) {
    throw new HRNetError("invalid-data", `${path} cannot be read as a MATLAB 5 file: ${messageOf(cause)}.`, {
      cause,
    });
  }
}

function parseMatArrays(file: Uint8Array): Map<string, MatArray> {
  const header = new TextDecoder("latin1").decode(file.subarray(0, HEADER_BYTES));
  if (header.startsWith("MATLAB 7.3")) throw new Error('it is of version 7.3; save it with "-v7"');
  if (file.length < HEADER_BYTES || header.slice(126) !== "IM") {
    throw new Error("it does not begin as one, or is big-endian");
  }
  const arrays = new Map<string, MatArray>();
  for (let at = HEADER_BYTES; at < file.length; ) {
    const element = readElement(file, at, true);
    at = element.next;
    const matrix =
      element.type === TYPE_COMPRESSED
        ? readElement(inflateSync(element.bytes, { maxOutputLength: MAX_BYTES }), 0, true)
        : element;
    if (matrix.type !== TYPE_MATRIX) continue;
    const named = readMatrix(matrix.bytes);
    if (named !== undefined) arrays.set(named.name, named.array);
  }
  return arrays;
}

/** @param top whether it is an element of the file itself: these are not padded when compressed */
function readElement(bytes: Uint8Array, at: number, top = false): Element {
  if (at + TAG_BYTES > bytes.length) throw new Error("it ends within an element");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const word = view.getUint32(at, true);
  const smallSize = word >>> 16; // up to 4 bytes of data share the tag's 8
  if (smallSize > 4) throw new Error(`a short element claims ${smallSize} bytes`);
  if (smallSize > 0) {
    return { type: word & 0xffff, bytes: bytes.subarray(at + 4, at + 4 + smallSize), next: at + TAG_BYTES };
  }
  const start = at + TAG_BYTES;
  const end = start + view.getUint32(at + 4, true);
  if (end > bytes.length) throw new Error(`an element of ${end - start} bytes reaches beyond its end`);
  const padded = top && word === TYPE_COMPRESSED ? end : start + Math.ceil((end - start) / 8) * 8;
  return { type: word, bytes: bytes.subarray(start, end), next: padded };
}

function readMatrix(bytes: Uint8Array): { name: string; array: MatArray } | undefined {
  const flags = readElement(bytes, 0);
  const flagWord = Number(numbersOf(flags)[0]);
  const arrayClass = flagWord & 0xff;
  if (arrayClass < FIRST_NUMERIC_CLASS || arrayClass > LAST_NUMERIC_CLASS) return undefined;
  if ((flagWord & COMPLEX_FLAG) !== 0) return undefined;
  const dimensions = readElement(bytes, flags.next);
  const name = readElement(bytes, dimensions.next);
  const dims = [...numbersOf(dimensions)];
  const data = numbersOf(readElement(bytes, name.next));
  const size = dims.reduce((product, dim) => product * dim, 1);
  const text = new TextDecoder("latin1").decode(name.bytes);
  if (dims.length > MAX_DIMS || size !== data.length) {
    throw new Error(`the array "${text}" has ${data.length} numbers for the dimensions ${dims.join("×")}`);
  }
  return { name: text, array: { dims, data } };
}

function numbersOf({ type, bytes }: Element): Float64Array {
  const stored = STORED[type];
  if (stored === undefined) throw new Error(`it has numbers of the unknown type ${type}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = Math.floor(bytes.length / stored.bytes);
  const numbers = new Float64Array(count);
  for (let i = 0; i < count; i++) numbers[i] = stored.read(view, i * stored.bytes);
  return numbers;
}
