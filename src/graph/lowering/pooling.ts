// Gradients of pooling and of nearest-neighbour enlargement.

import { elementCount, tensor } from "../../tensor/tensor.ts";
import { emit, emitOne, intsOf } from "../operator.ts";
import { conv, convTranspose } from "../ops/conv.ts";
import { less, mul, scale, where } from "../ops/elementwise.ts";
import { averagePool, MaxPool, MaxPoolWithIndices } from "../ops/pool.ts";
import { ScatterElements } from "../ops/scatter.ts";
import { reshape } from "../ops/shape.ts";
import { constant, type Node, type Value } from "../value.ts";
import type { LoweringRule } from "./target.ts";

/** A sum over windows is their mean times their size. */
export const windowSum: LoweringRule = (node, [x]) => {
  const window = intsOf(node.attributes, "window", [1, 1]) as readonly [number, number];
  return [scale(averagePool(x!, { kernel: window, strides: window }, node.name), window[0] * window[1])];
};

/**
 * CPU: the pooling once more, for the places of its maxima, onto which ∂L/∂Y is added. GPU: ONNX Runtime's WebGPU provider
 * does not give those places; they are found by comparison.
 */
export const maxPoolGradient: LoweringRule = (node, inputs, { target }) => {
  const [dy, x] = inputs as readonly [Value, Value];
  return [target.kind === "cpu" ? scattered(dy, x, node) : compared(dy, x, node)];
};

function scattered(dy: Value, x: Value, node: Node): Value {
  const [, indices] = emit(MaxPoolWithIndices, [x], node.attributes, node.name);
  const shape = x.shape as readonly number[];
  const zeros = constant(tensor("float32", [elementCount(shape)]));
  const sum = emitOne(ScatterElements, [zeros, reshape(indices!, [-1]), reshape(dy, [-1])], {
    axis: 0,
    reduction: "add",
  });
  return reshape(sum, shape);
}

/** A float32 constant of `shape` with `f` of each element's indices. */
function filled(shape: readonly number[], f: (...indices: number[]) => number): Value {
  const result = tensor("float32", shape);
  for (let i = 0; i < result.data.length; i++) {
    let rest = i;
    const indices = shape.map(() => 0);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      indices[axis] = rest % shape[axis]!;
      rest = Math.floor(rest / shape[axis]!);
    }
    result.data[i] = f(...indices);
  }
  return constant(result);
}

/**
 * The pixels that each of the T taps of a window meets as T channels, by a convolution; among them the first maximum; and
 * ∂L/∂Y from there back by the transposed convolution.
 */
function compared(dy: Value, x: Value, node: Node): Value {
  const [samples, channels, height, width] = x.shape as [number, number, number, number];
  const [, , rows, columns] = dy.shape as [number, number, number, number];
  const [kh, kw] = intsOf(node.attributes, "kernel_shape", []) as [number, number];
  const strides = intsOf(node.attributes, "strides", [1, 1]) as [number, number];
  const [top = 0, left = 0] = intsOf(node.attributes, "pads", []);
  const taps = kh * kw;
  /** Where a window's tap lies along an axis of `size` cells, and whether that is on the map. */
  const inside = (at: number, size: number): boolean => at >= 0 && at < size;
  // Windows may end before the map does, or (pads, rounding up) after it.
  const beyond = [
    (rows - 1) * strides[0] + kh - height - top,
    (columns - 1) * strides[1] + kw - width - left,
  ];
  const [bottom, right] = beyond.map((excess) => Math.max(excess, 0)) as [number, number];
  const [unreadRows, unreadColumns] = beyond.map((excess) => Math.max(-excess, 0)) as [number, number];
  const geometry = { strides, pads: [top, left, bottom, right] } as const;
  const oneHot = filled([taps, 1, kh, kw], (tap, _, i, j) => (tap === i * kw + j ? 1 : 0));
  const maps = reshape(x, [samples * channels, 1, height, width]);
  const met = conv(maps, oneHot, undefined, geometry); // NC×T×H'×W'
  const largest = reshape(maxPoolAs(x, node), [samples * channels, 1, rows, columns]);
  const onMap = filled([1, taps, rows, columns], (_, tap, i, j) => {
    const y = i * strides[0] - top + Math.floor(tap / kw);
    return inside(y, height) && inside(j * strides[1] - left + (tap % kw), width) ? 1 : 0;
  });
  const maximal = where(
    less(met, largest),
    filled([], () => 0),
    onMap,
  ); // NC×T×H'×W'
  const earlier = conv(
    maximal,
    filled([taps, taps, 1, 1], (tap, other) => (other < tap ? 1 : 0)),
    undefined,
  );
  const first = where(
    less(
      earlier,
      filled([], () => 0.5),
    ),
    maximal,
    filled([], () => 0),
  );
  const passed = mul(first, reshape(dy, [samples * channels, 1, rows, columns]));
  const options = { ...geometry, outputPadding: [unreadRows, unreadColumns] } as const;
  return reshape(convTranspose(passed, oneHot, undefined, options), [samples, channels, height, width]);
}

/** The maxima themselves, computed again: the engine shares them with the forward pass. */
const maxPoolAs = (x: Value, node: Node): Value => emitOne(MaxPool, [x], node.attributes, node.name);
