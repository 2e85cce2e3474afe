// Brings a training graph down to what a device runs: each operator of the training domain replaced by the formulation
// that is fastest there.

import { HRNetError } from "../../errors.ts";
import { type Graph, rewriteGraph } from "../graph.ts";
import { type Operator, TRAINING_DOMAIN } from "../operator.ts";
import { Conv, ConvInputGradient, ConvWeightGradient } from "../ops/conv.ts";
import { FusedMatMul } from "../ops/linear.ts";
import { BatchNormalizationGradient, BatchNormalizationTraining } from "../ops/normalization.ts";
import { MaxPoolGradient } from "../ops/pool.ts";
import { Resize, WindowSum } from "../ops/resize.ts";
import { Concat, Split } from "../ops/shape.ts";
import type { Value } from "../value.ts";
import { batchNormalizationGradient, batchNormalizationTraining } from "./batch-normalization.ts";
import { convForward } from "./conv-forward.ts";
import { convInputGradient } from "./conv-input-gradient.ts";
import { convWeightGradient } from "./conv-weight-gradient.ts";
import { fusedMatMulForward } from "./fused-matmul.ts";
import { maxPoolGradient, windowSum } from "./pooling.ts";
import { resizeForward } from "./resize.ts";
import { concatForward, splitForward } from "./split.ts";
import type { ForwardRule, LoweringContext, LoweringRule, Target } from "./target.ts";

const RULES: ReadonlyMap<Operator, LoweringRule> = new Map([
  [BatchNormalizationTraining, batchNormalizationTraining],
  [BatchNormalizationGradient, batchNormalizationGradient],
  [ConvInputGradient, convInputGradient],
  [ConvWeightGradient, convWeightGradient],
  [MaxPoolGradient, maxPoolGradient],
  [WindowSum, windowSum],
]);

/** Operators that have a faster form in training; `undefined` leaves them as they are. */
const FORWARD_RULES: ReadonlyMap<Operator, ForwardRule> = new Map([
  [Conv, convForward],
  [Resize, resizeForward],
  [Split, splitForward],
]);

/** Operators that not every device has in full. */
const FITTING_RULES: ReadonlyMap<Operator, ForwardRule> = new Map([
  [FusedMatMul, fusedMatMulForward],
  [Concat, concatForward],
]);

/**
 * The graph with every operator of the training domain in terms of ONNX operators that `target` has.
 * @throws HRNetError `invalid-config` for an operator nobody lowers.
 */
export function lower(graph: Graph, target: Target): Graph {
  let calls = 0;
  const made = new Map<string, Value>();
  const context: LoweringContext = {
    target,
    serial: () => ++calls,
    once(key, make) {
      const value = made.get(key) ?? make();
      made.set(key, value);
      return value;
    },
  };
  const lowered = rewriteGraph(graph, (node, inputs) => {
    const rule = RULES.get(node.operator);
    if (rule) return rule(node, inputs, context);
    const forward = FORWARD_RULES.get(node.operator);
    if (forward) return forward(node, inputs, context);
    if (node.operator.domain === TRAINING_DOMAIN)
      throw new HRNetError("invalid-config", `Nothing lowers ${node.operator.type}.`);
    return undefined;
  });
  // Gradients and rules write products of transposed matrices and long lists of parts without asking who can run them.
  return rewriteGraph(lowered, (node, inputs) => FITTING_RULES.get(node.operator)?.(node, inputs, context));
}
