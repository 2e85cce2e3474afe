// The weights that a run starts from.

import { HRNetError } from "../errors.ts";
import type { ImportOptions, Model } from "../model-file/import-checkpoint.ts";
import { loadModel } from "../model-file/load-model.ts";
import type { Network, NetworkConfig } from "../models/network.ts";
import { initialize } from "../nn/initialize.ts";
import { normalRandom, uniformRandom } from "../random/random.ts";
import type { Recipe } from "../recipe/schema.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** Weights as every parameter's initialiser wants them, from a seed. */
export function freshWeights(network: Network, seed: number): Map<string, Tensor> {
  const normal = normalRandom(uniformRandom(seed));
  return new Map([...network.parameters].map(([name, info]) => [name, initialize(info, normal)]));
}

/**
 * The model that the recipe starts from, fitted to its network.
 * @param options what its head gives: keypoints or classes
 * @throws HRNetError as `loadModel`; `weights-mismatch` for another head where the recipe is strict
 */
export async function initialModel(
  { initialize: start, input }: Pick<Recipe, "initialize" | "input">,
  config: NetworkConfig,
  onLog: (line: string) => void,
  options: Pick<ImportOptions, "outputs" | "skeleton" | "codec" | "classes">,
): Promise<Model | undefined> {
  if (start === null) return undefined;
  const { from, strict } = start;
  const { model, report } = await loadModel(from, { ...options, config: { ...config }, input });
  onLog(`${report.loaded} weights loaded from ${from} (${report.codeBase})`);
  const fresh = report.initialized.join(", ");
  if (fresh !== "" && strict) {
    throw new HRNetError(
      "weights-mismatch",
      `${from} does not hold ${fresh} as the network of this recipe has them: its head is of another kind or number of ` +
        "outputs. With initialize.strict=false they start anew.",
    );
  }
  if (fresh !== "") onLog(`the head of ${from} is of another kind or number of outputs: ${fresh} start anew`);
  if (report.ignored.length > 0) {
    const reasons = [...new Set(report.ignored.map(({ reason }) => reason))].join(", ");
    onLog(`${report.ignored.length} weights of ${from} were left out (${reasons})`);
  }
  return model;
}
