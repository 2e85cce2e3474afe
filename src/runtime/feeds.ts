// Checks what is fed to a model against the model's inputs, before the engine sees it.

import { HRNetError } from "../errors.ts";
import { elementCount, formatShape, type Tensor } from "../tensor/tensor.ts";
import type { ValueSpec } from "./session.ts";

/**
 * @throws HRNetError `invalid-shape` naming the input, what was given and what is expected.
 */
export function checkFeeds(inputs: readonly ValueSpec[], feeds: Readonly<Record<string, Tensor>>): void {
  const expected = inputs.map(describe).join(", ");
  for (const name of Object.keys(feeds)) {
    if (!inputs.some((input) => input.name === name)) {
      throw new HRNetError("invalid-shape", `The model has no input "${name}"; it expects ${expected}.`);
    }
  }
  for (const input of inputs) {
    const given = feeds[input.name];
    if (given === undefined) {
      throw new HRNetError(
        "invalid-shape",
        `Input "${input.name}" was not given; the model expects ${expected}.`,
      );
    }
    if (given.dtype !== input.dtype || !shapeFits(input.shape, given.shape)) {
      throw new HRNetError(
        "invalid-shape",
        `Input "${input.name}" was given as ${given.dtype} ${formatShape(given.shape)}; ` +
          `the model expects ${input.dtype} ${shapeText(input.shape)}.`,
      );
    }
    if (given.data.length !== elementCount(given.shape)) {
      throw new HRNetError(
        "invalid-shape",
        `Input "${input.name}" has ${given.data.length} elements; its shape ${formatShape(given.shape)} needs ` +
          `${elementCount(given.shape)}.`,
      );
    }
  }
}

/** The engine reports an input of unknown rank like a scalar, with an empty shape: that is left to the engine. */
function shapeFits(expected: ValueSpec["shape"], given: readonly number[]): boolean {
  if (expected.length === 0) return true;
  return (
    expected.length === given.length &&
    expected.every((size, axis) => typeof size === "string" || size === given[axis])
  );
}

/** Unnamed axes of any size are shown as `?`. */
function shapeText(shape: ValueSpec["shape"]): string {
  return formatShape(shape.map((size) => (size === "" ? "?" : size)));
}

function describe(input: ValueSpec): string {
  return `"${input.name}" (${input.dtype} ${shapeText(input.shape)})`;
}
