// Protobuf bytes from and to plain objects, driven by the schema tables of onnx-messages.ts.

import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { HRNetError, messageOf } from "../errors.ts";
import type { Field, ScalarKind, Schema } from "./onnx-messages.ts";

/** Messages nested deeper than this are refused on reading. A graph inside a graph costs four levels. */
const MAX_DEPTH = 64;
/** Protobuf's own limit on a message, which ONNX Runtime enforces. */
const MAX_BYTES = 2 ** 31 - 1;
/** Payloads at least this long are copied once, straight into the result. */
const LARGE = 4096;

type Message = Readonly<Record<string, unknown>>;
type PackedArray = Float32Array | Float64Array | Int32Array | BigInt64Array;

/** How one kind is written and read; `size` is the length without tag and length prefix. */
interface Codec {
  readonly wire: WireType;
  readonly size: (value: never) => number;
  readonly write: (writer: BinaryWriter, value: never) => void;
  readonly read: (reader: BinaryReader) => unknown;
}

/** How all repetitions of a number are kept in one typed array. */
interface PackedCodec {
  /** Codec of one element. */
  readonly item: Codec;
  /** Bytes per element on the wire; 0 for varints. */
  readonly width: number;
  readonly allocate: (count: number) => PackedArray;
}

const codec = <T>(
  wire: WireType,
  size: (value: T) => number,
  write: (writer: BinaryWriter, value: T) => void,
  read: (reader: BinaryReader) => T,
): Codec => ({ wire, size, write, read });

const INT64 = codec<number>(
  WireType.Varint,
  varintSize,
  // The library takes 64-bit integers through BigInt; almost all of ours are small.
  (writer, value) => (value >= 0 && value <= 0xffffffff ? writer.uint32(value) : writer.int64(value)),
  (reader) => safeInteger(reader.int64()),
);
const INT32 = codec<number>(
  WireType.Varint,
  varintSize,
  (writer, value) => writer.int32(value),
  (reader) => reader.int32(),
);
const BIGINT64 = codec<bigint>(
  WireType.Varint,
  bigVarintSize,
  (writer, value) => writer.int64(value),
  (reader) => BigInt(reader.int64()),
);
const FLOAT = codec<number>(
  WireType.Bit32,
  () => 4,
  (writer, value) => writer.float(value),
  (reader) => reader.float(),
);
const DOUBLE = codec<number>(
  WireType.Bit64,
  () => 8,
  (writer, value) => writer.double(value),
  (reader) => reader.double(),
);
const STRING = codec<string>(
  WireType.LengthDelimited,
  utf8Length,
  (writer, value) => writer.string(value),
  (reader) => reader.string(),
);
const BYTES = codec<Uint8Array>(
  WireType.LengthDelimited,
  (value) => value.byteLength,
  (writer, value) => writer.bytes(value),
  (reader) => reader.bytes(),
);

const SCALARS = { int64: INT64, int32: INT32, float: FLOAT, string: STRING, bytes: BYTES };
const PACKED: Record<Exclude<ScalarKind, keyof typeof SCALARS>, PackedCodec> = {
  packedFloat: { item: FLOAT, width: 4, allocate: (count) => new Float32Array(count) },
  packedDouble: { item: DOUBLE, width: 8, allocate: (count) => new Float64Array(count) },
  packedInt32: { item: INT32, width: 0, allocate: (count) => new Int32Array(count) },
  packedInt64: { item: BIGINT64, width: 0, allocate: (count) => new BigInt64Array(count) },
};

/** The codec of a field, sorted by how it is laid out. */
type Layout =
  | { readonly type: "message"; readonly schema: Schema }
  | { readonly type: "packed"; readonly packed: PackedCodec }
  | { readonly type: "scalar"; readonly codec: Codec };

function layoutOf(field: Field): Layout {
  const { kind } = field;
  if (typeof kind === "function") return { type: "message", schema: kind() };
  return kind in PACKED
    ? { type: "packed", packed: PACKED[kind as keyof typeof PACKED] }
    : { type: "scalar", codec: SCALARS[kind as keyof typeof SCALARS] };
}

/** A field with everything worked out that does not depend on the message. */
interface Row extends Field {
  readonly name: string;
  readonly layout: Layout;
  readonly tagSize: number;
  /** Repeated numbers: one length-delimited run on the wire, read in either form. */
  readonly runs: boolean;
}

interface Plan {
  readonly rows: readonly Row[];
  readonly byId: ReadonlyMap<number, Row>;
  readonly required: readonly Row[];
}

const plans = new WeakMap<Schema, Plan>();

function planOf(schema: Schema): Plan {
  const known = plans.get(schema);
  if (known) return known;
  const rows = Object.entries(schema)
    .map(([name, field]): Row => {
      const layout = layoutOf(field);
      const runs =
        field.repeated && layout.type === "scalar" && layout.codec.wire !== WireType.LengthDelimited;
      return { ...field, name, layout, tagSize: varintSize(field.id << 3), runs };
    })
    .sort((a, b) => a.id - b.id);
  const plan: Plan = {
    rows,
    byId: new Map(rows.map((row) => [row.id, row])),
    required: rows.filter((row) => row.required),
  };
  plans.set(schema, plan);
  return plan;
}

// Writing. One pass measures every message, so that a length prefix is known before its payload and nothing is moved
// afterwards; a second pass writes. Large payloads are left out of the library's growing buffer and put in place at the
// end: a 255 MB model is copied once.

/** Measured lengths of length-delimited parts, in the order in which the writer meets them. */
type Sizes = number[];

function measure(schema: Schema, message: Message, sizes: Sizes): number {
  let total = 0;
  for (const row of planOf(schema).rows) {
    const value = message[row.name];
    if (value === undefined) continue;
    const { layout, tagSize } = row;
    if (layout.type === "message") {
      for (const item of itemsOf(row, value)) {
        const slot = sizes.push(0) - 1;
        const length = measure(layout.schema, item as Message, sizes);
        sizes[slot] = length;
        total += tagSize + varintSize(length) + length;
      }
    } else if (layout.type === "packed" || row.runs) {
      const items = value as ArrayLike<unknown>;
      if (items.length === 0) continue;
      const length = runSize(layout.type === "packed" ? layout.packed.item : layout.codec, items);
      sizes.push(length);
      total += tagSize + varintSize(length) + length;
    } else {
      for (const item of itemsOf(row, value)) {
        const length = layout.codec.size(item as never);
        total += tagSize + length;
        if (layout.codec.wire === WireType.LengthDelimited) total += varintSize(length);
      }
    }
  }
  return total;
}

function runSize(item: Codec, items: ArrayLike<unknown>): number {
  if (item.wire !== WireType.Varint) return items.length * item.size(0 as never);
  let length = 0;
  for (let i = 0; i < items.length; i++) length += item.size(items[i] as never);
  return length;
}

/** Walks the measured lengths while writing. */
interface Cursor {
  readonly sizes: Sizes;
  next: number;
}

/** The finished parts; concatenated they are the message. */
type Parts = Uint8Array[];

function write(schema: Schema, message: Message, writer: BinaryWriter, parts: Parts, cursor: Cursor): void {
  for (const row of planOf(schema).rows) {
    const value = message[row.name];
    if (value === undefined) continue;
    const { id, layout } = row;
    if (layout.type === "message") {
      for (const item of itemsOf(row, value)) {
        writer.tag(id, WireType.LengthDelimited).uint32(cursor.sizes[cursor.next++]!);
        write(layout.schema, item as Message, writer, parts, cursor);
      }
    } else if (layout.type === "packed" || row.runs) {
      const items = value as ArrayLike<unknown>;
      if (items.length === 0) continue;
      const item = layout.type === "packed" ? layout.packed.item : layout.codec;
      writer.tag(id, WireType.LengthDelimited).uint32(cursor.sizes[cursor.next++]!);
      for (let i = 0; i < items.length; i++) item.write(writer, items[i] as never);
    } else {
      for (const item of itemsOf(row, value)) {
        writer.tag(id, layout.codec.wire);
        if (item instanceof Uint8Array && item.byteLength >= LARGE) {
          parts.push(writer.uint32(item.byteLength).finish(), item);
        } else layout.codec.write(writer, item as never);
      }
    }
  }
}

/**
 * The bytes of `message`. Fields that are `undefined` are left out; everything else is written, zeros and empty texts
 * included. The result is the only buffer of the message's size that is allocated.
 * @throws HRNetError `limit-exceeded` when the message is 2 GiB or more.
 */
export function encodeMessage(schema: Schema, message: object): Uint8Array {
  const sizes: Sizes = [];
  const length = measure(schema, message as Message, sizes);
  if (length > MAX_BYTES) {
    throw new HRNetError(
      "limit-exceeded",
      `The model takes ${length} bytes as protobuf; one message may take ${MAX_BYTES}. Use fewer parameters or float16.`,
    );
  }
  const writer = new BinaryWriter();
  const parts: Parts = [];
  write(schema, message as Message, writer, parts, { sizes, next: 0 });
  parts.push(writer.finish());
  const result = new Uint8Array(length);
  let position = 0;
  for (const part of parts) {
    result.set(part, position);
    position += part.byteLength;
  }
  return result;
}

function itemsOf(row: Row, value: unknown): readonly unknown[] {
  return row.repeated ? (value as readonly unknown[]) : [value];
}

// Reading.

function readMessage(schema: Schema, reader: BinaryReader, end: number, depth: number): Message {
  if (depth > MAX_DEPTH) throw new Error(`messages are nested more than ${MAX_DEPTH} deep`);
  const plan = planOf(schema);
  const message: Record<string, unknown> = {};
  // Runs of packed numbers, joined at the end: a field may come in any number of pieces.
  let pieces: Map<Row, PackedArray[]> | undefined;
  for (const row of plan.required) {
    if (row.repeated) message[row.name] = [];
  }
  while (reader.pos < end) {
    const [id, wire] = reader.tag();
    const row = plan.byId.get(id);
    if (row === undefined) {
      reader.skip(wire, id);
    } else if (row.layout.type === "packed") {
      pieces ??= new Map();
      const list = pieces.get(row);
      const piece = readPacked(row.layout.packed, reader, wire, row, end);
      if (list === undefined) pieces.set(row, [piece]);
      else list.push(piece);
    } else if (row.runs && wire === WireType.LengthDelimited) {
      const { codec } = row.layout as { codec: Codec };
      const list = listOf(message, row);
      const stop = delimitedEnd(reader, end);
      while (reader.pos < stop) list.push(codec.read(reader));
      expectAt(reader, stop);
    } else {
      const value = readOne(row, reader, wire, end, depth);
      if (row.repeated) listOf(message, row).push(value);
      else message[row.name] = value;
    }
    if (reader.pos > end) throw new Error(`field ${id} runs past the end of its message`);
  }
  if (pieces !== undefined) {
    for (const [row, list] of pieces)
      message[row.name] = joined((row.layout as { packed: PackedCodec }).packed, list);
  }
  for (const row of plan.required) message[row.name] ??= emptyOf(row, depth);
  return message;
}

function readOne(row: Row, reader: BinaryReader, wire: WireType, end: number, depth: number): unknown {
  const expected = row.layout.type === "scalar" ? row.layout.codec.wire : WireType.LengthDelimited;
  if (wire !== expected) throw wrongWire(row, wire);
  if (row.layout.type === "scalar") return row.layout.codec.read(reader);
  const stop = delimitedEnd(reader, end);
  const nested = readMessage((row.layout as { schema: Schema }).schema, reader, stop, depth + 1);
  expectAt(reader, stop);
  return nested;
}

function readPacked(
  packed: PackedCodec,
  reader: BinaryReader,
  wire: WireType,
  row: Row,
  end: number,
): PackedArray {
  if (wire === packed.item.wire) {
    const single = packed.allocate(1);
    single[0] = packed.item.read(reader) as never;
    return single;
  }
  if (wire !== WireType.LengthDelimited) throw wrongWire(row, wire);
  const stop = delimitedEnd(reader, end);
  const length = stop - reader.pos;
  if (packed.width > 0 && length % packed.width !== 0)
    throw new Error(`field ${row.name} ends within a number`);
  // A varint takes at least one byte.
  const array = packed.allocate(packed.width > 0 ? length / packed.width : length);
  let count = 0;
  while (reader.pos < stop) array[count++] = packed.item.read(reader) as never;
  expectAt(reader, stop);
  return array.slice(0, count);
}

function joined(packed: PackedCodec, pieces: readonly PackedArray[]): PackedArray {
  if (pieces.length === 1) return pieces[0]!;
  const whole = packed.allocate(pieces.reduce((total, piece) => total + piece.length, 0));
  let position = 0;
  for (const piece of pieces) {
    whole.set(piece as never, position);
    position += piece.length;
  }
  return whole;
}

/** Reads a length and returns where its payload ends, checked against the message around it. */
function delimitedEnd(reader: BinaryReader, end: number): number {
  const length = reader.uint32();
  const stop = reader.pos + length;
  if (stop > end)
    throw new Error(`a part of ${length} bytes is announced where ${end - reader.pos} are left`);
  return stop;
}

function expectAt(reader: BinaryReader, stop: number): void {
  if (reader.pos !== stop) throw new Error("a field runs past the end of its message");
}

function wrongWire(row: Row, wire: WireType): Error {
  return new Error(`field ${row.name} has wire type ${wire}, which does not fit it`);
}

function listOf(message: Record<string, unknown>, row: Row): unknown[] {
  const list = (message[row.name] as unknown[] | undefined) ?? [];
  message[row.name] = list;
  return list;
}

function emptyOf(row: Row, depth: number): unknown {
  if (row.layout.type === "message") {
    return readMessage(row.layout.schema, new BinaryReader(new Uint8Array(0)), 0, depth + 1);
  }
  return row.kind === "string" ? "" : 0;
}

/**
 * The message in `bytes`. Unknown fields are skipped; `bytes` fields are views of the input, not copies.
 * @throws HRNetError `invalid-model` when the bytes are no such message.
 */
export function decodeMessage(schema: Schema, bytes: Uint8Array): unknown {
  try {
    // Views of a plain Uint8Array are plain too, whatever subclass (Buffer) came in.
    const plain = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return readMessage(schema, new BinaryReader(plain), plain.byteLength, 0);
  } catch (error) {
    throw new HRNetError(
      "invalid-model",
      `The ${bytes.byteLength} bytes given are no ONNX model, or a damaged one: ${messageOf(error)}.`,
      { cause: error },
    );
  }
}

// Lengths and ranges of single values.

/** Bytes of an integer as a varint; negative ones take ten. */
function varintSize(value: number): number {
  if (value < 0) return 10;
  if (value < 0x80) return 1;
  let size = 2;
  for (let bound = 0x4000; value >= bound; bound *= 0x80) size++;
  return size;
}

function bigVarintSize(value: bigint): number {
  if (value < 0n) return 10;
  let size = 1;
  for (let rest = value; rest >= 0x80n; rest >>= 7n) size++;
  return size;
}

/** Bytes of a text as UTF-8; a lone surrogate becomes U+FFFD (three bytes), as `TextEncoder` writes it. */
function utf8Length(text: string): number {
  let length = text.length;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x80) continue;
    if (code < 0x800) length += 1;
    else {
      length += 2;
      // A surrogate pair: two UTF-16 units, four bytes.
      if (text.codePointAt(i)! > 0xffff) i++;
    }
  }
  return length;
}

/** Integers of the file as numbers. Only sizes, axes and versions are read this way; none needs more than 53 bits. */
function safeInteger(value: bigint | string): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw new Error(`the integer ${value} is larger than 2^53`);
  return number;
}
