// What every checkpoint format is read into.

import type { Tensor } from "../tensor/tensor.ts";
import type { PickleValue } from "./pickle-values.ts";

/** The file formats checkpoints come in. */
export type CheckpointFormat = "pytorch-zip" | "pytorch-legacy" | "safetensors";

/** A checkpoint file, opened. */
export interface Checkpoint {
  readonly format: CheckpointFormat;
  /** Everything the pickle held, tensors as records that were not read; absent for safetensors. */
  readonly root?: PickleValue;
  /** The weights by the names the file gives them (prefixes such as `module.` kept), in the file's order. */
  readonly stateDict: ReadonlyMap<string, Tensor>;
  /** The keys that led from the root to the state dict, such as `["state_dict"]`; empty for a bare one. */
  readonly wrapper: readonly string[];
  /** Strings and numbers found beside the weights (`epoch`, `meta.mmpose_version`), or safetensors metadata. */
  readonly metadata: Readonly<Record<string, string>>;
}
