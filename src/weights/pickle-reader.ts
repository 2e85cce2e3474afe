// Reads the primitive fields of a pickle stream, each checked against the end of the bytes.

import { invalidCheckpoint } from "./byte-source.ts";

/** Longest text line (numbers and names of protocol 0) that is believed. */
const MAX_LINE_BYTES = 4096;

/** A cursor over pickle bytes. Several pickles may follow each other in one stream. */
export class PickleReader {
  position = 0;
  /** Whether a read went past the end: with more of the file the pickle might be whole. */
  ranOut = false;
  readonly #bytes: Buffer;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** An error at the current position. */
  fail(problem: string): never {
    throw invalidCheckpoint(`The pickle is not valid at byte ${this.position}: ${problem}`);
  }

  #take(length: number): number {
    const start = this.position;
    if (!(length <= this.#bytes.length - start)) {
      this.ranOut = true;
      this.fail(
        `${length} bytes are needed and ${this.#bytes.length - start} are left. The file is truncated or damaged: ` +
          "download or copy it again.",
      );
    }
    this.position = start + length;
    return start;
  }

  uint8(): number {
    return this.#bytes.readUInt8(this.#take(1));
  }

  uint16(): number {
    return this.#bytes.readUInt16LE(this.#take(2));
  }

  int32(): number {
    return this.#bytes.readInt32LE(this.#take(4));
  }

  uint32(): number {
    return this.#bytes.readUInt32LE(this.#take(4));
  }

  uint64(): number {
    const start = this.#take(8);
    return this.#bytes.readUInt32LE(start) + this.#bytes.readUInt32LE(start + 4) * 2 ** 32;
  }

  float64BigEndian(): number {
    return this.#bytes.readDoubleBE(this.#take(8));
  }

  text(length: number, encoding: "utf8" | "latin1"): string {
    const start = this.#take(length);
    return this.#bytes.toString(encoding, start, start + length);
  }

  /** A copy of the next `length` bytes. */
  bytes(length: number): Uint8Array {
    const start = this.#take(length);
    return new Uint8Array(this.#bytes.subarray(start, start + length));
  }

  /** The text up to the next line feed, which is skipped. */
  line(): string {
    const start = this.position;
    const end = this.#bytes.subarray(start, start + MAX_LINE_BYTES).indexOf(10);
    if (end < 0) {
      this.ranOut = start + MAX_LINE_BYTES > this.#bytes.length;
      this.fail(`a line of text does not end within ${MAX_LINE_BYTES} bytes.`);
    }
    this.position = start + end + 1;
    return this.#bytes.toString("latin1", start, start + end);
  }
}
