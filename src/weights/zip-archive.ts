// A reader for the ZIP archives torch.save writes: central directory, ZIP64, stored and deflated entries, all checked.
// Format: PKWARE APPNOTE 6.3.10, sections 4.3 and 4.5.3.

import { promisify } from "node:util";
import { crc32, inflateRaw } from "node:zlib";
import { HRNetError, messageOf } from "../errors.ts";
import { type ByteSource, invalidCheckpoint } from "./byte-source.ts";

const inflate = promisify(inflateRaw);

/** One file of an archive. */
export interface ZipEntry {
  readonly name: string;
  readonly method: number;
  readonly crc32: number;
  readonly compressedSize: number;
  /** Uncompressed size in bytes, as declared. */
  readonly size: number;
  readonly headerOffset: number;
  /** Where the next entry or the central directory begins: this one must end before. */
  readonly limit: number;
}

const END_SIGNATURE = 0x06054b50;
const END64_SIGNATURE = 0x06064b50;
const LOCATOR64_SIGNATURE = 0x07064b50;
const CENTRAL_SIGNATURE = 0x02014b50;
const LOCAL_SIGNATURE = 0x04034b50;
const END_BYTES = 22;
const END64_BYTES = 56;
const LOCATOR64_BYTES = 20;
const CENTRAL_BYTES = 46;
const LOCAL_BYTES = 30;
const STORED = 0;
const DEFLATED = 8;
const MAX_DIRECTORY_BYTES = 64 * 2 ** 20;
const MAX_FIELD = 0xffff;
/** torch.save aligns its data to 64 bytes of the file; reading from such a boundary keeps that in memory. */
const ALIGNMENT = 64;
/** Float weights deflate to no less than a tenth; a higher ratio than this on large entries is an attack. */
const MAX_RATIO = 100;
const RATIO_FREE_BYTES = 2 ** 20;

const DAMAGED = "The archive is truncated or damaged: download or copy it again.";

function damaged(problem: string): HRNetError {
  return invalidCheckpoint(`${problem} ${DAMAGED}`);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function uint64(view: DataView, offset: number): number {
  return view.getUint32(offset, true) + view.getUint32(offset + 4, true) * 2 ** 32;
}

interface Directory {
  readonly offset: number;
  readonly size: number;
  readonly count: number;
}

/** Finds the end record (it may be followed by a comment of up to 64 KiB) and with it the central directory. */
async function findDirectory(source: ByteSource): Promise<Directory> {
  const tailStart = Math.max(0, source.size - END_BYTES - MAX_FIELD);
  const tail = viewOf(await source.read(tailStart, source.size - tailStart, "the end of the archive"));
  let at = tail.byteLength - END_BYTES;
  while (at >= 0 && tail.getUint32(at, true) !== END_SIGNATURE) at -= 1;
  if (at < 0)
    throw damaged("It begins as a ZIP archive (as torch.save writes) and has no central directory.");
  const count = tail.getUint16(at + 10, true);
  const size = tail.getUint32(at + 12, true);
  const offset = tail.getUint32(at + 16, true);
  if (tail.getUint16(at + 4, true) !== 0 && tail.getUint16(at + 4, true) !== MAX_FIELD) {
    throw invalidCheckpoint("The archive is one part of several; join the parts first.");
  }
  const locator = at - LOCATOR64_BYTES;
  if (locator < 0 || tail.getUint32(locator, true) !== LOCATOR64_SIGNATURE) return { offset, size, count };
  const end64 = await source.read(uint64(tail, locator + 8), END64_BYTES, "the ZIP64 end record");
  const view = viewOf(end64);
  if (view.getUint32(0, true) !== END64_SIGNATURE)
    throw damaged("Its ZIP64 end record is not where it should be.");
  return { count: uint64(view, 32), size: uint64(view, 40), offset: uint64(view, 48) };
}

/** Sizes and offset of an entry whose 32-bit fields overflowed, from the ZIP64 extra field (4.5.3). */
function zip64Fields(extra: DataView, wanted: readonly number[]): number[] {
  for (let at = 0; at + 4 <= extra.byteLength; ) {
    const length = extra.getUint16(at + 2, true);
    if (extra.getUint16(at, true) === 1) {
      const end = Math.min(at + 4 + length, extra.byteLength);
      let next = at + 4;
      return wanted.map((value) => {
        if (value !== 0xffffffff) return value;
        if (next + 8 > end) throw damaged("A ZIP64 field is too short.");
        next += 8;
        return uint64(extra, next - 8);
      });
    }
    at += 4 + length;
  }
  return [...wanted];
}

type RawEntry = Omit<ZipEntry, "limit">;

function parseDirectory(bytes: Uint8Array, count: number): RawEntry[] {
  const view = viewOf(bytes);
  const entries: RawEntry[] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + CENTRAL_BYTES > bytes.length || view.getUint32(at, true) !== CENTRAL_SIGNATURE) {
      throw damaged(`Its central directory should list ${count} entries and breaks off after ${i}.`);
    }
    const nameLength = view.getUint16(at + 28, true);
    const extraLength = view.getUint16(at + 30, true);
    const nameStart = at + CENTRAL_BYTES;
    const extraStart = nameStart + nameLength;
    const next = extraStart + extraLength + view.getUint16(at + 32, true);
    if (next > bytes.length) throw damaged(`Entry ${i} of its central directory is cut short.`);
    const name = Buffer.from(bytes.buffer, bytes.byteOffset + nameStart, nameLength).toString("utf8");
    if ((view.getUint16(at + 8, true) & 1) !== 0)
      throw invalidCheckpoint(`Its entry "${name}" is encrypted.`);
    const [size, compressedSize, headerOffset] = zip64Fields(
      viewOf(bytes.subarray(extraStart, extraStart + extraLength)),
      [view.getUint32(at + 24, true), view.getUint32(at + 20, true), view.getUint32(at + 42, true)],
    ) as [number, number, number];
    const method = view.getUint16(at + 10, true);
    entries.push({ name, method, crc32: view.getUint32(at + 16, true), compressedSize, size, headerOffset });
    at = next;
  }
  return entries;
}

function checkMethod(entry: RawEntry): void {
  if (entry.method !== STORED && entry.method !== DEFLATED) {
    throw invalidCheckpoint(
      `Its entry "${entry.name}" uses compression method ${entry.method}, which is unknown.`,
    );
  }
  if (entry.method === STORED && entry.size !== entry.compressedSize) {
    throw damaged(
      `Its entry "${entry.name}" declares ${entry.size} bytes and stores ${entry.compressedSize}.`,
    );
  }
  if (entry.size > RATIO_FREE_BYTES && entry.size > MAX_RATIO * entry.compressedSize) {
    throw new HRNetError(
      "invalid-checkpoint",
      `Its entry "${entry.name}" would grow from ${entry.compressedSize} to ${entry.size} bytes, as a ZIP bomb does. ` +
        `torch.save compresses nothing; at most ${MAX_RATIO} times is accepted.`,
    );
  }
}

/**
 * The entries of an archive by name, checked: inside the file, none overlapping, no name twice.
 * @throws HRNetError `invalid-checkpoint` otherwise.
 */
export async function readZipDirectory(source: ByteSource): Promise<Map<string, ZipEntry>> {
  const directory = await findDirectory(source);
  if (directory.size > MAX_DIRECTORY_BYTES) {
    throw damaged(`Its central directory claims ${directory.size} bytes.`);
  }
  const bytes = await source.read(directory.offset, directory.size, "the central directory");
  const ordered = parseDirectory(bytes, directory.count).sort((a, b) => a.headerOffset - b.headerOffset);
  const entries = new Map<string, ZipEntry>();
  for (const [i, entry] of ordered.entries()) {
    const limit = ordered[i + 1]?.headerOffset ?? directory.offset;
    const least = entry.headerOffset + LOCAL_BYTES + Buffer.byteLength(entry.name) + entry.compressedSize;
    if (!(least <= limit)) throw damaged(`Its entry "${entry.name}" overlaps what follows it.`);
    if (entries.has(entry.name)) throw damaged(`It holds two entries named "${entry.name}".`);
    checkMethod(entry);
    entries.set(entry.name, { ...entry, limit });
  }
  return entries;
}

/**
 * The content of an entry, its checksum verified. Data that is aligned in the file is aligned in memory.
 * @throws HRNetError `invalid-checkpoint` when header, size or checksum disagree, `limit-exceeded` above `maxSize`.
 */
export async function readZipEntry(
  source: ByteSource,
  entry: ZipEntry,
  maxSize = Number.POSITIVE_INFINITY,
): Promise<Uint8Array> {
  if (entry.size > maxSize) {
    throw new HRNetError(
      "limit-exceeded",
      `"${entry.name}" has ${entry.size} bytes, at most ${maxSize} are read.`,
    );
  }
  const start = entry.headerOffset - (entry.headerOffset % ALIGNMENT);
  const furthest = entry.headerOffset + LOCAL_BYTES + 2 * MAX_FIELD + entry.compressedSize;
  const region = await source.read(start, Math.min(entry.limit, furthest) - start, `"${entry.name}"`);
  const header = viewOf(region.subarray(entry.headerOffset - start));
  if (header.byteLength < LOCAL_BYTES || header.getUint32(0, true) !== LOCAL_SIGNATURE) {
    throw damaged(`Its entry "${entry.name}" has no header where one should be.`);
  }
  const dataStart = LOCAL_BYTES + header.getUint16(26, true) + header.getUint16(28, true);
  if (header.getUint16(8, true) !== entry.method || dataStart + entry.compressedSize > header.byteLength) {
    throw damaged(`Its entry "${entry.name}" does not fit the central directory.`);
  }
  const at = entry.headerOffset - start + dataStart;
  const stored = region.subarray(at, at + entry.compressedSize);
  const data = entry.method === STORED ? stored : await inflateEntry(entry, stored);
  if (crc32(data) !== entry.crc32) {
    throw damaged(`Its entry "${entry.name}" does not have the checksum written beside it.`);
  }
  return data;
}

async function inflateEntry(entry: ZipEntry, stored: Uint8Array): Promise<Uint8Array> {
  try {
    const data = await inflate(stored, { maxOutputLength: Math.max(1, entry.size) });
    if (data.length === entry.size) return data;
    throw new RangeError(`${data.length} bytes instead of ${entry.size}`);
  } catch (error) {
    throw damaged(`Its entry "${entry.name}" cannot be decompressed (${messageOf(error)}).`);
  }
}
