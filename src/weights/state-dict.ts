// Finds the weights inside what a training program saved, and what it says about them.

import { invalidCheckpoint } from "./byte-source.ts";
import { describeValue, isRecord, type PickleValue, type TensorRecord } from "./pickle-values.ts";

/**
 * Keys that wrap a state dict, most wanted first. The official pose trainer keeps its best epoch beside the last one,
 * so `best_state_dict` goes before `state_dict`. MMEngine stores the averaged weights as `state_dict` and the raw ones
 * as `ema_state_dict`, so the latter comes last.
 */
export const WRAPPER_KEYS = [
  "best_state_dict",
  "state_dict",
  "model_state_dict",
  "model_state",
  "model",
  "net",
  "network",
  "params",
  "weights",
  "state_dict_ema",
  "ema_state_dict",
  "model_ema",
] as const;

const MAX_WRAPPERS = 4;
const MAX_METADATA_CHARACTERS = 65_536;

/** A state dict and the keys that lead to it. */
export interface FoundStateDict {
  readonly wrapper: readonly string[];
  readonly tensors: ReadonlyMap<string, TensorRecord>;
}

function tensorsOf(dict: ReadonlyMap<PickleValue, PickleValue>): Map<string, TensorRecord> {
  const tensors = new Map<string, TensorRecord>();
  for (const [key, value] of dict) {
    if (typeof key === "string" && isRecord(value, "tensor")) tensors.set(key, value);
  }
  return tensors;
}

/** Looks into `value` and what wrapper keys lead to; `seen` keeps hostile cycles from being walked again and again. */
function search(
  value: PickleValue | undefined,
  wrapper: readonly string[],
  seen: Set<PickleValue>,
): FoundStateDict | undefined {
  if (!(value instanceof Map) || seen.has(value)) return undefined;
  seen.add(value);
  if (wrapper.length < MAX_WRAPPERS) {
    for (const key of WRAPPER_KEYS) {
      const inside = search(value.get(key), [...wrapper, key], seen);
      if (inside !== undefined) return inside;
    }
  }
  const tensors = tensorsOf(value);
  return tensors.size > 0 ? { wrapper, tensors } : undefined;
}

/** A dict under a key nobody foresaw, when it is the only one that holds tensors. */
function searchOnlyChild(root: PickleValue): FoundStateDict | undefined {
  if (!(root instanceof Map)) return undefined;
  const seen = new Set<PickleValue>();
  const found = [...root].flatMap(([key, value]) =>
    typeof key === "string" ? (search(value, [key], seen) ?? []) : [],
  );
  return found.length === 1 ? found[0] : undefined;
}

/**
 * The state dict in what a checkpoint's pickle held: the root itself, or what {@link WRAPPER_KEYS} lead to, nested up to
 * four deep. Entries of a state dict that are no tensors are left out.
 * @throws HRNetError `invalid-checkpoint` when there is none; the message names the keys that are there.
 */
export function findStateDict(root: PickleValue): FoundStateDict {
  const found = search(root, [], new Set()) ?? searchOnlyChild(root);
  if (found !== undefined) return found;
  const holds =
    root instanceof Map
      ? `a dict with the keys ${[...root.keys()].slice(0, 12).map(describeValue).join(", ") || "(none)"}`
      : describeValue(root);
  throw invalidCheckpoint(
    `No weights were found: the file holds ${holds}. Expected is a state dict (names to tensors), bare or under one of ` +
      `${WRAPPER_KEYS.join(", ")}. Save it with torch.save(model.state_dict(), "weights.pth").`,
  );
}

function addScalars(dict: PickleValue | undefined, prefix: string, into: Record<string, string>): void {
  if (!(dict instanceof Map)) return;
  for (const [key, value] of dict) {
    const scalar = typeof value === "string" || typeof value === "number" || typeof value === "boolean";
    if (typeof key !== "string" || !scalar) continue;
    const text = String(value);
    if (text.length <= MAX_METADATA_CHARACTERS) into[prefix + key] = text;
  }
}

/** Strings, numbers and booleans beside the weights: top-level ones by their key, those of `meta` as `meta.<key>`. */
export function checkpointMetadata(root: PickleValue): Record<string, string> {
  const metadata: Record<string, string> = Object.create(null) as Record<string, string>;
  if (root instanceof Map) {
    addScalars(root, "", metadata);
    addScalars(root.get("meta"), "meta.", metadata);
  }
  return metadata;
}
