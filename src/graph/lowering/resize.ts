// Enlargement in training, as this CPU does it fastest.

import { emitOne, type Inputs } from "../operator.ts";
import { BlockedUpsample, ReorderInput, ReorderOutput } from "../ops/blocked.ts";
import { matMul } from "../ops/linear.ts";
import { bilinearMatrices, nearestFactors } from "../ops/resize.ts";
import { reshape } from "../ops/shape.ts";
import type { Node, Value } from "../value.ts";
import type { LoweringContext } from "./target.ts";

/** Factor from which on enlarging blocks of channels pays for making them. */
const FAR = 4;

/** Resize as this CPU does it fastest; `undefined` where it stays as it is. */
export function resizeForward(
  node: Node,
  inputs: Inputs,
  { target }: LoweringContext,
): readonly Value[] | undefined {
  const x = inputs[0]!;
  if (target.kind !== "cpu" || x.dtype !== "float32") return undefined;
  const matrices = bilinearMatrices(node);
  if (matrices) return [matMul(matrices.rows, matMul(x, matrices.columns))];
  const factors = nearestFactors(node);
  const [samples, channels, height, width] = x.shape as [number, number, number, number];
  const all = samples * channels;
  const block = target.channelBlock;
  if (!factors || block === 1 || all % block !== 0 || factors[0] * factors[1] < FAR * FAR) return undefined;
  const blocked = emitOne(ReorderInput, [reshape(x, [1, all, height, width])], {});
  const enlarged = emitOne(
    BlockedUpsample,
    [blocked],
    { scales: [1, 1, ...factors], mode: "nearest" },
    node.name,
  );
  const result = emitOne(ReorderOutput, [enlarged], { channels: all });
  return [reshape(result, [samples, channels, height * factors[0], width * factors[1]])];
}
