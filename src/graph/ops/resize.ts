// Resize over height and width: nearest by whole factors, bilinear to a size.

import { type Tensor, tensor } from "../../tensor/tensor.ts";
import { axisOf, defineOperator, emitOne, intsOf, shapeError, TRAINING_DOMAIN } from "../operator.ts";
import { constant, type Dim, type Node, type Value } from "../value.ts";
import { knownShape } from "./broadcast.ts";
import { matMul } from "./linear.ts";
import { transpose } from "./shape.ts";

/** ONNX Resize with `scales` (input 2, all axes) or `sizes` (input 3, the axes of attribute `axes`). */
export const Resize = defineOperator({
  type: "Resize",
  attributeKinds: {
    axes: "ints",
    mode: "string",
    coordinate_transformation_mode: "string",
    nearest_mode: "string",
  },
  infer(inputs, attributes) {
    const x = inputs[0]!;
    const axes = intsOf(
      attributes,
      "axes",
      x.shape.map((_, axis) => axis),
    );
    const scales = inputs[2]?.data;
    const sizes = inputs[3]?.data;
    if (!scales && !sizes) throw shapeError("Resize", inputs, "scales or sizes must be constants");
    if ((sizes ?? scales)!.data.length !== axes.length) {
      throw shapeError("Resize", inputs, `expected ${axes.length} sizes or scales, one per axis`);
    }
    const shape: Dim[] = [...x.shape];
    axes.forEach((at, index) => {
      const axis = axisOf("Resize", inputs, at, x.shape.length);
      const size = x.shape[axis]!;
      if (sizes) {
        shape[axis] = Number(sizes.data[index]);
      } else {
        const scale = Number(scales!.data[index]);
        if (typeof size === "number") shape[axis] = Math.floor(size * scale);
        else if (scale !== 1) throw shapeError("Resize", inputs, "an axis of unknown size cannot be scaled");
      }
    });
    return [{ dtype: x.dtype, shape }];
  },
  gradient({ node, gradients: [dy] }) {
    const factors = nearestFactors(node);
    if (factors) return [emitOne(WindowSum, [dy], { window: factors }, node.name)];
    const matrices = bilinearMatrices(node);
    if (!matrices)
      throw shapeError("Resize", node.inputs, "has a gradient for whole factors or bilinear only");
    return [matMul(transpose(matrices.rows, [1, 0]), matMul(dy!, transpose(matrices.columns, [1, 0])))];
  },
});

/** Sums over windows of height and width that tile N×C×H×W: the adjoint of nearest enlargement. To be lowered. */
export const WindowSum = defineOperator({
  type: "WindowSum",
  domain: TRAINING_DOMAIN,
  attributeKinds: { window: "ints" },
  infer(inputs, attributes) {
    const [n, c, h, w] = inputs[0]!.shape as [Dim, Dim, number, number];
    const [rows, columns] = intsOf(attributes, "window", [1, 1]) as [number, number];
    return [{ dtype: inputs[0]!.dtype, shape: [n, c, h / rows, w / columns] }];
  },
});

/**
 * Linear interpolation from `from` to `to` cells as a matrix (to×from), by the coordinates of ONNX Resize:
 * `align_corners` o·(from−1)/(to−1), `half_pixel` (o + ½)·from/to − ½, clamped to the first and last cell.
 */
function interpolation(from: number, to: number, alignCorners: boolean): Tensor<"float32"> {
  const matrix = tensor("float32", [to, from]);
  for (let o = 0; o < to; o++) {
    const at = alignCorners ? (to === 1 ? 0 : (o * (from - 1)) / (to - 1)) : ((o + 0.5) * from) / to - 0.5;
    const clamped = Math.min(Math.max(at, 0), from - 1);
    const low = Math.min(Math.floor(clamped), from - 1);
    const high = Math.min(low + 1, from - 1);
    matrix.data[o * from + low]! += 1 - (clamped - low);
    matrix.data[o * from + high]! += clamped - low;
  }
  return matrix;
}

/**
 * A bilinear resize of N×C×h×w as products: rows (H×h) · x · columns (w×W); `undefined` for any other node.
 */
export function bilinearMatrices(node: Node): { readonly rows: Value; readonly columns: Value } | undefined {
  if (node.operator !== Resize || node.attributes["mode"] !== "linear") return undefined;
  const [, , height, width] = knownShape("Resize", node.inputs[0]!) as [number, number, number, number];
  const [, , tall, wide] = node.outputs[0]!.shape as [number, number, number, number];
  const alignCorners = node.attributes["coordinate_transformation_mode"] === "align_corners";
  const rows = constant(interpolation(height, tall, alignCorners));
  const columns = constant(interpolation(width, wide, alignCorners));
  return { rows, columns: transpose(columns, [1, 0]) };
}

/**
 * Nearest-neighbour enlargement by a whole factor, or one for height and one for width: cell (y, x) of the output copies
 * (⌊y/f⌋, ⌊x/f⌋).
 */
export function upsampleNearest(x: Value, factor: number | readonly [number, number], name = ""): Value {
  const [rows, columns] = typeof factor === "number" ? [factor, factor] : factor;
  const scales = constant(tensor("float32", [4], Float32Array.of(1, 1, rows, columns)));
  const attributes = { mode: "nearest", coordinate_transformation_mode: "asymmetric", nearest_mode: "floor" };
  return emitOne(Resize, [x, undefined, scales], attributes, name);
}

/** The whole factors [rows, columns] of a node made by {@link upsampleNearest}, or `undefined` for any other node. */
export function nearestFactors(node: Node | undefined): readonly [number, number] | undefined {
  if (node?.operator !== Resize || node.inputs.length !== 3) return undefined;
  const { mode, coordinate_transformation_mode: coordinates, nearest_mode: rounding } = node.attributes;
  const scales = Array.from(node.inputs[2]?.data?.data ?? [], Number);
  const whole = scales.length === 4 && scales.every(Number.isInteger) && scales[0] === 1 && scales[1] === 1;
  const floors = mode === "nearest" && coordinates === "asymmetric" && rounding === "floor";
  return whole && floors ? [scales[2]!, scales[3]!] : undefined;
}

/**
 * Bilinear resampling to [height, width], as torch's `interpolate(mode="bilinear")`: with `alignCorners` corner cells
 * keep their places, without it pixel areas do. x itself when the size is already right.
 */
export function resizeBilinear(
  x: Value,
  size: readonly [number, number],
  alignCorners: boolean,
  name = "",
): Value {
  if (x.shape[2] === size[0] && x.shape[3] === size[1]) return x;
  const sizes = constant(tensor("int64", [2], BigInt64Array.from(size, BigInt)));
  const mode = alignCorners ? "align_corners" : "half_pixel";
  const attributes = { axes: [2, 3], mode: "linear", coordinate_transformation_mode: mode };
  return emitOne(Resize, [x, undefined, undefined, sizes], attributes, name);
}

/** Bilinear enlargement by a whole factor: {@link resizeBilinear} without aligned corners, for maps whose size is not written down. */
export function upsampleBilinear(x: Value, factor: number): Value {
  if (factor === 1) return x;
  const scales = constant(tensor("float32", [4], Float32Array.of(1, 1, factor, factor)));
  return emitOne(Resize, [x, undefined, scales], {
    mode: "linear",
    coordinate_transformation_mode: "half_pixel",
  });
}
