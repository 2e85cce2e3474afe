// Running maxima along rows and columns of maps, and the pooling of corners and centres that is made of them.
// Law & Deng 2018 (arXiv:1808.01244), §3.5; Duan et al. 2019 (arXiv:1904.08189), §3.2.

import { add, max } from "../graph/ops/elementwise.ts";
import { concat, slice } from "../graph/ops/shape.ts";
import type { Value } from "../graph/value.ts";
import { convBn } from "./blocks.ts";
import { type Conv2dOptions, channelsOf, relu } from "./layers.ts";
import type { Scope } from "./scope.ts";

/** Where the maximum is taken from: everything to the right of a cell and itself, and so on. */
export type Towards = "right" | "left" | "below" | "above";

/**
 * The maximum of each cell and all beyond it in one direction, in ⌈log₂ n⌉ steps: after step s each cell knows the 2^s next ones.
 * N×C×H×W → the same shape.
 */
export function runningMaximum(x: Value, towards: Towards): Value {
  const axis = towards === "right" || towards === "left" ? 3 : 2;
  const size = x.shape[axis] as number;
  const forward = towards === "right" || towards === "below";
  let y = x;
  for (let step = 1; step < size; step *= 2) {
    // Cells at the end look at themselves.
    const shifted = forward
      ? [slice(y, axis, step, size), slice(y, axis, size - step, size)]
      : [slice(y, axis, 0, step), slice(y, axis, 0, size - step)];
    y = max(y, concat(shifted, axis));
  }
  return y;
}

/** conv → BN → ReLU: modules 0, 1, 2. */
const unit = (scope: Scope, x: Value, options: Conv2dOptions): Value =>
  relu(scope.child(2), convBn(scope, x, options));

/** What comes after the pooling: the sum of the pooled maps, a shortcut, a convolution. N×pooled → N×channels of x. */
function merged(scope: Scope, x: Value, pooled: Value): Value {
  const out = channelsOf(x);
  const y = convBn(scope.child("pooled"), pooled, { out, kernel: 3 });
  const shortcut = convBn(scope.child("shortcut"), x, { out });
  return unit(scope.child("last"), relu(scope.child("relu"), add(y, shortcut)), { out, kernel: 3 });
}

/**
 * Cascade corner pooling: along each border a cell sees the largest response beyond it, after it has looked inside the object. For top-left
 * corners borders are looked for `right` and `below`, for bottom-right ones `left` and `above`.
 * @param pooled channels of the maps that are pooled
 */
export function cascadeCornerPooling(
  scope: Scope,
  x: Value,
  pooled: number,
  [along, across]: readonly [Towards, Towards],
): Value {
  const branch = (name: string, border: Towards, inside: Towards): Value => {
    const part = scope.child(name);
    const first = unit(part.child("first"), x, { out: pooled, kernel: 3 });
    const look = runningMaximum(unit(part.child("look"), x, { out: pooled, kernel: 3 }), inside);
    return runningMaximum(convBn(part.child("joined"), add(first, look), { out: pooled, kernel: 3 }), border);
  };
  return merged(scope, x, add(branch("vertical", across, along), branch("horizontal", along, across)));
}

/** Centre pooling: the largest response of a cell's whole row and of its whole column. */
export function centerPooling(scope: Scope, x: Value, pooled: number): Value {
  const whole = (name: string, [to, back]: readonly [Towards, Towards]): Value =>
    runningMaximum(runningMaximum(unit(scope.child(name), x, { out: pooled, kernel: 3 }), to), back);
  return merged(scope, x, add(whole("vertical", ["below", "above"]), whole("horizontal", ["right", "left"])));
}
