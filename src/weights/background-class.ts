// Heads of regions with the background as their first class, brought to the order that has it last.

import { toFloat32 } from "../tensor/float16.ts";
import { type Tensor, tensor } from "../tensor/tensor.ts";

/** The rows of a weight or bias from `start` on; with `wrap` those before come behind. */
function rowsFrom(weight: Tensor, start: number, wrap: boolean): Tensor {
  const [rows, ...rest] = weight.shape as [number, ...number[]];
  const data = toFloat32(weight);
  const each = data.length / rows;
  const kept = wrap ? rows : rows - start;
  const result = new Float32Array(kept * each);
  result.set(data.subarray(start * each));
  if (wrap) result.set(data.subarray(0, start * each), (rows - start) * each);
  return tensor("float32", [kept, ...rest], result);
}

/**
 * Weights of mmdetection 1.x and HRNet-Object-Detection in the order of 2.x: class rows 0, 1 … K (background first) become 1 … K, 0;
 * boxes and masks of the background, which are never used, go. Source: `docs/en/compatibility.md` and
 * `tools/model_converters/upgrade_model_version.py` of mmdetection.
 * @param weights by canonical name
 */
export function withBackgroundLast(weights: ReadonlyMap<string, Tensor>): {
  readonly weights: ReadonlyMap<string, Tensor>;
  /** Names of the weights that changed. */
  readonly reordered: readonly string[];
} {
  const result = new Map(weights);
  const reordered: string[] = [];
  const change = (name: string, weight: Tensor): void => {
    result.set(name, weight);
    reordered.push(name);
  };
  const classes = [...weights].find(([name]) => name.endsWith(".fc_cls.bias"))?.[1].shape[0] ?? 0;
  for (const [name, weight] of weights) {
    const rows = weight.shape[0];
    if (/^roi_head\.bbox_head\..*fc_cls\./.test(name)) change(name, rowsFrom(weight, 1, true));
    else if (/^roi_head\.bbox_head\..*fc_reg\./.test(name) && rows === 4 * classes)
      change(name, rowsFrom(weight, 4, false));
    else if (/^roi_head\.mask_head\..*conv_logits\./.test(name) && rows === classes)
      change(name, rowsFrom(weight, 1, false));
  }
  return { weights: result, reordered };
}
