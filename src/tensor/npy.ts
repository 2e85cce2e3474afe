// NumPy's .npy array files (format versions 1.0, 2.0 and 3.0), read and written as tensors.
// Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html

import { open } from "node:fs/promises";
import { HRNetError, messageOf } from "../errors.ts";
import { gatherStrided } from "./strided.ts";
import {
  arrayOverBytes,
  bytesOf,
  bytesPerElement,
  type DType,
  elementCount,
  type Tensor,
  tensor,
} from "./tensor.ts";

const MAGIC = "\x93NUMPY";
/** NumPy itself writes under 200 bytes and refuses above 10,000. */
const MAX_HEADER_BYTES = 65_536;
/** NumPy's own limit (NPY_MAXDIMS of NumPy 1). */
const MAX_DIMENSIONS = 32;
/** The largest array file that is opened from a path. */
const MAX_FILE_BYTES = 2 ** 32;
/** NumPy pads its header so that the data starts at a multiple of this. */
const DATA_ALIGNMENT = 64;

const DTYPE_OF_DESCR: Readonly<Record<string, DType>> = {
  "<f2": "float16",
  "<f4": "float32",
  "<f8": "float64",
  "<i8": "int64",
  "<i4": "int32",
  "<i2": "int16",
  "|i1": "int8",
  "|u1": "uint8",
  "|b1": "bool",
  "<i1": "int8",
  "<u1": "uint8",
  "<b1": "bool",
};

const DESCR_OF_DTYPE: Readonly<Record<DType, string | undefined>> = {
  float16: "<f2",
  bfloat16: undefined,
  float32: "<f4",
  float64: "<f8",
  int64: "<i8",
  int32: "<i4",
  int16: "<i2",
  int8: "|i1",
  uint8: "|u1",
  bool: "|b1",
};

function invalid(problem: string): HRNetError {
  return new HRNetError("invalid-data", `Not a readable .npy array: ${problem}`);
}

interface Header {
  readonly dtype: DType;
  readonly fortranOrder: boolean;
  readonly shape: number[];
}

/** The one form NumPy writes: a dict literal of three entries. Keys may come in any order; nothing is evaluated. */
function parseHeader(text: string): Header {
  const body = /^\s*\{(.*)\}\s*$/s.exec(text)?.[1];
  if (body === undefined) throw invalid("its header is no Python dict. Save it again with numpy.save.");
  const entry =
    /\s*'(descr|fortran_order|shape)'\s*:\s*('[^']*'|True|False|\([\d\s,L]*\)|\[.*\])\s*(?:,|$)/sy;
  const found = new Map<string, string>();
  while (entry.lastIndex < body.trimEnd().length) {
    const match = entry.exec(body);
    if (match === null || found.has(match[1] as string)) {
      throw invalid(`its header cannot be understood: ${JSON.stringify(text.slice(0, 200))}.`);
    }
    found.set(match[1] as string, match[2] as string);
  }
  return {
    dtype: parseDescr(found.get("descr") ?? ""),
    fortranOrder: parseOrder(found.get("fortran_order") ?? ""),
    shape: parseShape(found.get("shape") ?? ""),
  };
}

function parseDescr(literal: string): DType {
  const descr = literal.replaceAll("'", "");
  const dtype = Object.hasOwn(DTYPE_OF_DESCR, descr) ? DTYPE_OF_DESCR[descr] : undefined;
  if (dtype !== undefined) return dtype;
  if (descr.startsWith("|O") || descr === "O") {
    throw invalid("it holds Python objects (a pickle), which are never loaded. Save a plain numeric array.");
  }
  throw invalid(
    `its element type is ${literal || "missing"}; little-endian f2, f4, f8, i8, i4, i2, i1, u1 and b1 can be read. ` +
      `Convert it, for instance with array.astype("<f4"), and save again.`,
  );
}

function parseOrder(literal: string): boolean {
  if (literal !== "True" && literal !== "False")
    throw invalid("its header lacks fortran_order True or False.");
  return literal === "True";
}

function parseShape(literal: string): number[] {
  if (!/^\(\s*(\d+L?\s*(,\s*\d+L?\s*)*,?\s*)?\)$/.test(literal))
    throw invalid("its header lacks a shape tuple.");
  const shape = Array.from(literal.matchAll(/\d+/g), (match) => Number(match[0]));
  if (shape.length > MAX_DIMENSIONS) {
    throw invalid(`it has ${shape.length} dimensions, at most ${MAX_DIMENSIONS} are possible.`);
  }
  if (!shape.every(Number.isSafeInteger) || !Number.isSafeInteger(elementCount(shape))) {
    throw invalid(`its shape (${shape.join(", ")}) is impossibly large.`);
  }
  return shape;
}

/** Elements stored with the first axis fastest, brought to C order. */
function fromFortranOrder<D extends DType>(source: Tensor<D>): Tensor<D> {
  const { shape } = source;
  const strides = shape.map((_, axis) => elementCount(shape.slice(0, axis)));
  return gatherStrided(source, shape, strides);
}

/**
 * The array in the bytes of a .npy file. The tensor may share memory with `bytes`.
 * @throws HRNetError `invalid-data` when the bytes are no .npy file, are cut short, or hold another element type.
 */
export function decodeNpy(bytes: Uint8Array): Tensor {
  if (bytes.length < 10 || String.fromCharCode(...bytes.subarray(0, 6)) !== MAGIC) {
    throw invalid("it does not begin with the NumPy magic bytes. Write it with numpy.save.");
  }
  const major = bytes[6] as number;
  if (major < 1 || major > 3) throw invalid(`format version ${major} is unknown; 1, 2 and 3 can be read.`);
  const lengthBytes = major === 1 ? 2 : 4;
  const headerStart = 8 + lengthBytes;
  if (bytes.length < headerStart) throw invalid("it ends inside its header. Copy or save it again.");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerLength = major === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (headerLength > MAX_HEADER_BYTES) {
    throw invalid(`its header claims ${headerLength} bytes, at most ${MAX_HEADER_BYTES} are believed.`);
  }
  const dataStart = headerStart + headerLength;
  if (bytes.length < dataStart) throw invalid("it ends inside its header. Copy or save it again.");
  const encoding = major === 3 ? "utf-8" : "latin1";
  const header = parseHeader(new TextDecoder(encoding).decode(bytes.subarray(headerStart, dataStart)));
  const count = elementCount(header.shape);
  const expected = count * bytesPerElement(header.dtype);
  if (bytes.length - dataStart !== expected) {
    throw invalid(
      `shape (${header.shape.join(", ")}) of ${header.dtype} needs ${expected} bytes of data, the file has ` +
        `${bytes.length - dataStart}. Copy or save it again.`,
    );
  }
  const array = tensor(header.dtype, header.shape, arrayOverBytes(header.dtype, bytes, dataStart, count));
  return header.fortranOrder && header.shape.length > 1 && count > 0 ? fromFortranOrder(array) : array;
}

/**
 * The array of a .npy file given by path, or by its bytes.
 * @throws HRNetError `file-not-found`, `read-failed`, `limit-exceeded` (above 4 GiB), or `invalid-data` as
 * {@link decodeNpy} does, with the path in its message.
 */
export async function readNpy(source: string | Uint8Array): Promise<Tensor> {
  if (typeof source !== "string") return decodeNpy(source);
  const bytes = await readArrayFile(source);
  try {
    return decodeNpy(bytes);
  } catch (error) {
    if (!(error instanceof HRNetError)) throw error;
    throw new HRNetError(error.code, `${source}: ${error.message}`, { cause: error });
  }
}

async function readArrayFile(path: string): Promise<Uint8Array> {
  try {
    await using file = await open(path);
    const { size } = await file.stat();
    if (size > MAX_FILE_BYTES) {
      throw new HRNetError("limit-exceeded", `${path} has ${size} bytes; arrays up to 4 GiB are read.`);
    }
    return await file.readFile();
  } catch (error) {
    if (error instanceof HRNetError) throw error;
    if ((error as NodeJS.ErrnoException).code === "ENOENT") {
      throw new HRNetError("file-not-found", `There is no array file ${path}. Check the path.`, {
        cause: error,
      });
    }
    throw new HRNetError("read-failed", `Cannot read ${path}: ${messageOf(error)}.`, { cause: error });
  }
}

/**
 * The bytes of a .npy file (version 1.0, C order) holding `array`; `numpy.load` reads them.
 * @throws HRNetError `invalid-data` for bfloat16, which NumPy does not have.
 */
export function encodeNpy(array: Tensor): Uint8Array {
  const descr = DESCR_OF_DTYPE[array.dtype];
  if (descr === undefined) {
    throw new HRNetError(
      "invalid-data",
      `NumPy has no ${array.dtype}. Convert to float32 before writing .npy.`,
    );
  }
  const shape = array.shape.length === 1 ? `(${array.shape[0]},)` : `(${array.shape.join(", ")})`;
  const dict = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${shape}, }`;
  const dataStart = Math.ceil((MAGIC.length + 4 + dict.length + 1) / DATA_ALIGNMENT) * DATA_ALIGNMENT;
  const header = `${dict.padEnd(dataStart - MAGIC.length - 4 - 1)}\n`;
  const data = bytesOf(array.data);
  const bytes = new Uint8Array(dataStart + data.length);
  bytes.set(Buffer.from(MAGIC, "latin1"));
  bytes[6] = 1;
  new DataView(bytes.buffer).setUint16(8, header.length, true);
  bytes.set(Buffer.from(header, "latin1"), 10);
  bytes.set(data, dataStart);
  return bytes;
}
