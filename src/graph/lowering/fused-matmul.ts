// Products of matrices seen transposed, where the device has only plain ones.

import { type Inputs, numberOf } from "../operator.ts";
import { scale } from "../ops/elementwise.ts";
import { matMul } from "../ops/linear.ts";
import { transpose } from "../ops/shape.ts";
import type { Node, Value } from "../value.ts";
import type { LoweringContext } from "./target.ts";

/** x with its last two axes exchanged. */
function exchanged(x: Value): Value {
  const rank = x.shape.length;
  const perm = Array.from({ length: rank }, (_, axis) => axis);
  return transpose(x, [...perm.slice(0, -2), rank - 1, rank - 2]);
}

/** FusedMatMul as MatMul on GPUs, which lack it. */
export function fusedMatMulForward(
  node: Node,
  inputs: Inputs,
  { target }: LoweringContext,
): readonly Value[] | undefined {
  if (target.kind !== "gpu") return undefined;
  const [a, b] = inputs as readonly [Value, Value];
  const seen = (x: Value, flag: string): Value =>
    numberOf(node.attributes, flag, 0) === 1 ? exchanged(x) : x;
  const product = matMul(seen(a, "transA"), seen(b, "transB"), node.name);
  const alpha = numberOf(node.attributes, "alpha", 1);
  return [alpha === 1 ? product : scale(product, alpha)];
}
