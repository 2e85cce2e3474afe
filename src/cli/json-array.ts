// One JSON array on a stream, element by element, so that any number of elements takes the same memory.

import { once } from "node:events";
import type { Writable } from "node:stream";

/** An array being written. */
export interface JsonArrayWriter {
  /** Writes an element; waits when the reader is slower than the writer. */
  write(element: unknown): Promise<void>;
  /** Closes the array, so that what was written is valid JSON. */
  end(): void;
}

/** Starts an array on a stream; the stream stays open afterwards. */
export function jsonArrayWriter(stream: Writable): JsonArrayWriter {
  let count = 0;
  return {
    async write(element) {
      const text = `${count++ === 0 ? "[" : ","}\n${JSON.stringify(element)}`;
      if (!stream.write(text)) await once(stream, "drain");
    },
    end() {
      stream.write(count === 0 ? "[]\n" : "\n]\n");
    },
  };
}
