// 1×1 convolutions of enlarged maps: convolved first, enlarged then.

import { type Graph, rewriteGraph } from "../graph.ts";
import { emit, intsOf, numberOf } from "../operator.ts";
import { Conv, conv } from "../ops/conv.ts";
import { add } from "../ops/elementwise.ts";
import { Resize } from "../ops/resize.ts";
import { Concat, split } from "../ops/shape.ts";
import type { Node, Value } from "../value.ts";

/** Whether a convolution works on each place by itself. */
function isPointwise({ operator, inputs, attributes }: Node): boolean {
  return (
    operator === Conv &&
    inputs[1]!.shape[2] === 1 &&
    inputs[1]!.shape[3] === 1 &&
    numberOf(attributes, "group", 1) === 1 &&
    intsOf(attributes, "strides", [1]).every((stride) => stride === 1) &&
    intsOf(attributes, "pads", [0]).every((pad) => pad === 0)
  );
}

/** A node that interpolates linearly over height and width: the same at every channel, with weights whose sum is 1. */
const isBilinear = (node: Node | undefined): node is Node =>
  node?.operator === Resize && node.attributes["mode"] === "linear";

/**
 * conv₁ₓ₁(concat(x₀, up(x₁), …)) as conv₁ₓ₁(x₀) + up(conv₁ₓ₁(x₁)) + …, each with its part of the weights: both are linear, and the
 * one mixes channels, the other places. Done where it leaves fewer numbers to enlarge, as in pyramid necks of few channels.
 */
export function enlargeLast(graph: Graph): Graph {
  return rewriteGraph(graph, (node, inputs) => {
    const joined = inputs[0]?.producer;
    if (!isPointwise(node) || joined?.operator !== Concat || numberOf(joined.attributes, "axis", 0) !== 1)
      return undefined;
    const [, weight, bias] = inputs as readonly [Value, Value, Value?];
    const parts = joined.inputs as readonly Value[];
    const enlarged = parts.filter((part) => isBilinear(part.producer));
    const channels = (value: Value): number => value.shape[1] as number;
    const before = enlarged.reduce((sum, part) => sum + channels(part), 0);
    const out = weight.shape[0] as number;
    if (enlarged.length === 0 || out * enlarged.length >= before) return undefined;
    const weights = split(weight, 1, parts.map(channels));
    // The bias goes with a map that is not enlarged, if there is one: any will do, its weights sum up to 1.
    const plain = Math.max(
      0,
      parts.findIndex((part) => !isBilinear(part.producer)),
    );
    const terms = parts.map((part, index) => {
      const own = index === plain ? bias : undefined;
      const name = `${node.name}.${index}`;
      const { producer } = part;
      if (!isBilinear(producer)) return conv(part, weights[index]!, own, {}, name);
      const [small, ...sizes] = producer.inputs as readonly [Value, ...(Value | undefined)[]];
      const mixed = conv(small, weights[index]!, own, {}, name);
      return emit(Resize, [mixed, ...sizes], producer.attributes, producer.name)[0]!;
    });
    return [terms.reduce((sum, term) => add(sum, term))];
  });
}
