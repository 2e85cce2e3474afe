// A source of samples that are their own index and one random number; some of them may be broken in a chosen way.
import type { OpenSampleSource } from "../../src/data/sample-source.ts";
import { HRNetError } from "../../src/errors.ts";

/** What the source does. */
export interface NumberSettings {
  readonly length: number;
  /** Samples that cannot be had. */
  readonly broken?: readonly number[];
  /** The sample at which something else happens. */
  readonly at?: number;
  readonly what?: "bug" | "exit" | "hang";
  /** Milliseconds a sample takes. */
  readonly delay?: number;
  /** Opening fails. */
  readonly closed?: boolean;
}

export const openSampleSource: OpenSampleSource = (settings) => {
  const { length, broken = [], at, what, delay = 0, closed } = settings as NumberSettings;
  if (closed) throw new HRNetError("invalid-config", "the source is closed");
  return {
    fields: [
      { name: "value", dtype: "float32", shape: [2] },
      { name: "byte", dtype: "uint8", shape: [] },
      { name: "id", dtype: "int64", shape: [1], purpose: "note" },
    ],
    length,
    async fill(index, random, into) {
      const value = into["value"] as Float32Array;
      value[0] = index;
      (into["byte"] as Uint8Array)[0]! += 1; // 1 in a fresh array, also where the sample then turns out to be broken
      await new Promise((resolve) => setTimeout(resolve, delay * (1 + (index % 3))));
      if (index === at && what === "bug") throw new TypeError("x is undefined");
      if (index === at && what === "exit") process.exit(3);
      if (index === at && what === "hang") await new Promise(() => setInterval(() => {}, 1000));
      if (broken.includes(index)) throw new HRNetError("invalid-image", `picture-${index}.jpg is damaged`);
      value[1] = random();
      (into["id"] as BigInt64Array)[0] = BigInt(index);
    },
  };
};
