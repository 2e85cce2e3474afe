// The safetensors format, read and written. Format: https://github.com/huggingface/safetensors#format

import { HRNetError } from "../errors.ts";
import { writeFileAtomic } from "../files/atomic-write.ts";
import {
  arrayOverBytes,
  bytesOf,
  bytesPerElement,
  type DType,
  elementCount,
  type Tensor,
  tensor,
} from "../tensor/tensor.ts";
import { type ByteSource, invalidCheckpoint } from "./byte-source.ts";
import type { Checkpoint } from "./checkpoint.ts";

/** The reference implementation's limit. */
const MAX_HEADER_BYTES = 100_000_000;
const MAX_DIMENSIONS = 16;
const METADATA_KEY = "__metadata__";

const DTYPE_OF_NAME: Readonly<Record<string, DType>> = {
  F64: "float64",
  F32: "float32",
  F16: "float16",
  BF16: "bfloat16",
  I64: "int64",
  I32: "int32",
  I16: "int16",
  I8: "int8",
  U8: "uint8",
  BOOL: "bool",
};

const NAME_OF_DTYPE = Object.fromEntries(
  Object.entries(DTYPE_OF_NAME).map(([name, dtype]) => [dtype, name]),
) as Record<DType, string>;

interface Entry {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: number[];
  readonly begin: number;
  readonly end: number;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isSize(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

/** Strings directly inside the outermost braces: its keys, as the values there are all objects. */
function countTopLevelKeys(json: string): number {
  let depth = 0;
  let keys = 0;
  for (let i = 0; i < json.length; i++) {
    const character = json[i];
    if (character === "{" || character === "[") depth += 1;
    else if (character === "}" || character === "]") depth -= 1;
    else if (character === '"') {
      if (depth === 1) keys += 1;
      for (i += 1; i < json.length && json[i] !== '"'; i++) if (json[i] === "\\") i += 1;
    }
  }
  return keys;
}

function parseEntry(name: string, value: unknown): Entry {
  const label = `Tensor ${JSON.stringify(name.slice(0, 200))}`;
  if (!isObject(value)) throw invalidCheckpoint(`${label} is not described by an object.`);
  const { dtype: dtypeName, shape, data_offsets: offsets } = value;
  if (typeof dtypeName !== "string" || !Object.hasOwn(DTYPE_OF_NAME, dtypeName)) {
    throw invalidCheckpoint(
      `${label} has dtype ${typeof dtypeName === "string" ? dtypeName.slice(0, 20) : typeof dtypeName}; ${Object.keys(DTYPE_OF_NAME).join(", ")} can be read.`,
    );
  }
  if (!Array.isArray(shape) || shape.length > MAX_DIMENSIONS || !shape.every(isSize)) {
    throw invalidCheckpoint(`${label} needs a shape of up to ${MAX_DIMENSIONS} whole numbers from 0.`);
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isSize)) {
    throw invalidCheckpoint(`${label} needs two data offsets from 0.`);
  }
  const dtype = DTYPE_OF_NAME[dtypeName] as DType;
  const [begin, end] = offsets as [number, number];
  const bytes = elementCount(shape) * bytesPerElement(dtype);
  if (end - begin !== bytes) {
    throw invalidCheckpoint(
      `${label} of shape [${shape.join(", ")}] and dtype ${dtypeName} needs ${bytes} bytes, its offsets ` +
        `${begin} to ${end} give ${end - begin}.`,
    );
  }
  return { name, dtype, shape, begin, end };
}

/** Every byte of the data belongs to exactly one tensor. */
function checkCoverage(entries: readonly Entry[], dataBytes: number): void {
  let at = 0;
  for (const entry of [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (entry.begin !== at) {
      const problem = entry.begin < at ? "overlaps the tensor before it" : "leaves a hole before it";
      throw invalidCheckpoint(
        `Tensor ${JSON.stringify(entry.name)} at offset ${entry.begin} ${problem} (${at}).`,
      );
    }
    at = entry.end;
  }
  if (at !== dataBytes) {
    throw invalidCheckpoint(
      `Its tensors take ${at} bytes and ${dataBytes} follow its header. The file is truncated or damaged: download or ` +
        "copy it again.",
    );
  }
}

function parseMetadata(value: unknown): Record<string, string> {
  if (value === undefined) return {};
  if (!isObject(value) || !Object.values(value).every((text) => typeof text === "string")) {
    throw invalidCheckpoint(`Its ${METADATA_KEY} must map strings to strings.`);
  }
  return value as Record<string, string>;
}

function parseHeader(json: string): { entries: Entry[]; metadata: Record<string, string> } {
  let header: unknown;
  try {
    header = JSON.parse(json);
  } catch (error) {
    throw invalidCheckpoint(`Its safetensors header is not valid JSON (${String(error).slice(0, 200)}).`);
  }
  if (!isObject(header)) throw invalidCheckpoint("Its safetensors header is no JSON object.");
  const items = Object.entries(header);
  const metadata = parseMetadata(header[METADATA_KEY]);
  const entries = items
    .filter(([name]) => name !== METADATA_KEY)
    .map(([name, value]) => parseEntry(name, value));
  if (countTopLevelKeys(json) !== items.length) {
    throw invalidCheckpoint("Its safetensors header names a tensor twice.");
  }
  return { entries, metadata };
}

/**
 * Reads a safetensors file. Tensors are views of one buffer that holds all data.
 * @throws HRNetError `invalid-checkpoint` when header, offsets and file size do not fit together.
 */
export async function readSafetensors(source: ByteSource): Promise<Checkpoint> {
  const length = Buffer.from(await source.read(0, 8, "the length of the header")).readBigUInt64LE();
  if (length > BigInt(MAX_HEADER_BYTES)) {
    throw invalidCheckpoint(
      `Its safetensors header claims ${length} bytes; at most ${MAX_HEADER_BYTES} are believed.`,
    );
  }
  const headerBytes = await source.read(8, Number(length), "the safetensors header");
  const { entries, metadata } = parseHeader(Buffer.from(headerBytes.buffer).toString("utf8"));
  const dataStart = 8 + Number(length);
  checkCoverage(entries, source.size - dataStart);
  const data = await source.read(dataStart, source.size - dataStart, "the tensor data");
  const stateDict = new Map<string, Tensor>();
  for (const { name, dtype, shape, begin } of entries) {
    const array = arrayOverBytes(dtype, data, begin, elementCount(shape));
    stateDict.set(name, tensor(dtype, shape, array));
  }
  return { format: "safetensors", stateDict, wrapper: [], metadata };
}

/**
 * The pieces of a safetensors file, in order; tensors are not copied. The header keeps the order given; the data lies by
 * descending element size, so that every tensor is aligned without gaps, which the format forbids.
 * @throws HRNetError `usage` when a tensor is named `__metadata__` or twice.
 */
export function encodeSafetensors(
  tensors: Iterable<readonly [name: string, tensor: Tensor]>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array[] {
  const named = [...tensors];
  const names = new Set(named.map(([name]) => name));
  if (names.has(METADATA_KEY) || names.size !== named.length) {
    throw new HRNetError("usage", `Tensors need names of their own, other than ${METADATA_KEY}.`);
  }
  const stored = [...named].sort((a, b) => bytesPerElement(b[1].dtype) - bytesPerElement(a[1].dtype));
  const offsets = new Map<string, [number, number]>();
  let at = 0;
  for (const [name, { data }] of stored) {
    offsets.set(name, [at, at + data.byteLength]);
    at += data.byteLength;
  }
  const header: [string, unknown][] = named.map(([name, { dtype, shape }]) => [
    name,
    { dtype: NAME_OF_DTYPE[dtype], shape, data_offsets: offsets.get(name) },
  ]);
  if (Object.keys(metadata).length > 0) header.unshift([METADATA_KEY, metadata]);
  // Written entry by entry: an object would bring names that look like integers forward.
  const json = `{${header.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(",")}}`;
  const bytes = Buffer.from(json, "utf8");
  const padded = Buffer.alloc(8 + Math.ceil(bytes.length / 8) * 8, " ");
  padded.writeBigUInt64LE(BigInt(padded.length - 8));
  padded.set(bytes, 8);
  return [padded, ...stored.map(([, { data }]) => bytesOf(data))];
}

/**
 * Writes tensors as a safetensors file, whole or not at all.
 * @throws HRNetError `write-failed`, or `usage` as {@link encodeSafetensors} does.
 */
export async function writeSafetensors(
  path: string,
  tensors: Iterable<readonly [name: string, tensor: Tensor]>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  await writeFileAtomic(path, encodeSafetensors(tensors, metadata));
}
