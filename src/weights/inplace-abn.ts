// Normalisations trained as InPlace-ABN, whose scale is |weight| + ε.

import { toFloat32 } from "../tensor/float16.ts";
import { type Tensor, tensor } from "../tensor/tensor.ts";

/** ε of InPlaceABNSync, which the torch-0.4 branch of HRNet-Semantic-Segmentation uses. */
const EPSILON = 1e-5;

/** Names of the normalisations' scales: those with running statistics beside them. */
const scalesOf = (names: ReadonlySet<string>): string[] =>
  [...names].filter((name) => name.endsWith(".weight") && names.has(name.replace(/weight$/, "running_var")));

/**
 * Whether a segmentation file was trained with InPlace-ABN: it has normalisations but none of the counters that PyTorch's own have
 * since 0.4.1. The branch for PyTorch 0.4, which has InPlace-ABN throughout, is the only published one that such files are of.
 */
export function isInPlaceAbn(names: ReadonlySet<string>): boolean {
  return scalesOf(names).length > 0 && ![...names].some((name) => name.endsWith(".num_batches_tracked"));
}

/**
 * The weights with every normalisation's scale replaced by |scale| + ε, which an ordinary batch normalisation multiplies by.
 * Source: `inplace_abn` 0.x (`abn_cuda.cu`); loading such files without it costs 5 points of mIoU
 * (HRNet-Semantic-Segmentation, issues 59 and 112).
 */
export function fromInPlaceAbn(weights: ReadonlyMap<string, Tensor>): {
  readonly weights: ReadonlyMap<string, Tensor>;
  /** Names of the scales. */
  readonly converted: readonly string[];
} {
  const converted = scalesOf(new Set(weights.keys()));
  const result = new Map(weights);
  for (const name of converted) {
    const { shape } = weights.get(name)!;
    const scale = toFloat32(weights.get(name)!);
    result.set(
      name,
      tensor(
        "float32",
        shape,
        scale.map((value) => Math.abs(value) + EPSILON),
      ),
    );
  }
  return { weights: result, converted };
}
