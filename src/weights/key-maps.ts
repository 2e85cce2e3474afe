// Names of weights in each code base, brought to the names of our networks (those of the official code).

import type { Tensor } from "../tensor/tensor.ts";

/** What a rule does with a key that it matches: a new name (with `$1` groups), or left out for a reason. */
type Rule = readonly [RegExp, string] | readonly [RegExp, { readonly ignored: string }];

/** How the weights of one code base are recognised and renamed. */
export interface KeyMap {
  /** `official pose`, `mmpose 1.x`, … */
  readonly codeBase: string;
  /** A name that, after wrappers are taken off, only this code base has. */
  readonly signature: RegExp;
  /** First match decides; a key that no rule matches keeps its name. */
  readonly rules: readonly Rule[];
}

/** State of training runs that some checkpoints hold beside the weights. */
const TRAINING_STATE: Rule = [/^(optimizer|ema_|loss[._]|criterion\.)/, { ignored: "training state" }];
const DETECTION_HEADS: Rule = [
  /^(roi_head|rpn_head|bbox_head|mask_head|semantic_head)\./,
  { ignored: "detection head" },
];

/** Code bases in the order they are tried; docs/weights.md has the table with sources. */
export const KEY_MAPS: readonly KeyMap[] = [
  { codeBase: "mmpose 0.x / Lite-HRNet", signature: /^keypoint_head\./, rules: [] },
  {
    codeBase: "mmpose 1.x",
    signature: /^head\.(final_layer|deconv_layers)\./,
    rules: [[/^head\./, "keypoint_head."]],
  },
  {
    codeBase: "mmdetection 2.x/3.x",
    signature: /^neck\.reduction_conv\.conv\./,
    rules: [
      [/^neck\.reduction_conv\.conv\./, "neck.reduction_conv.0."],
      [/^neck\.fpn_conv\.(\d+)\.conv\./, "neck.fpn_conv.$1."],
      DETECTION_HEADS,
    ],
  },
  {
    codeBase: "HRNet-Object-Detection / mmdetection 1.x",
    signature: /^neck\.reduction_conv\.0\./,
    rules: [DETECTION_HEADS],
  },
  {
    codeBase: "Lite-HRNet backbone",
    signature: /^(backbone\.)?stem\.conv1\.conv\.weight$/,
    rules: [[/^(?=stem\.|transition\d|stage\d|head_layer\.)/, "backbone."]],
  },
  { codeBase: "HRNet-Semantic-Segmentation", signature: /^(last_layer|aux_head)\./, rules: [] },
  { codeBase: "HRNet-Image-Classification / timm", signature: /^downsamp_modules\./, rules: [] },
  { codeBase: "timm features", signature: /^incre_modules\./, rules: [] },
  { codeBase: "SimpleBaseline", signature: /^deconv_layers\.\d+\.weight$/, rules: [] },
  { codeBase: "HRNet pose", signature: /^final_layers?\./, rules: [] },
  {
    codeBase: "ImageNet backbone",
    signature: /^(backbone\.)?(stage2\.0\.branches\.0\.0|layer4\.0)\.conv1\.weight$/,
    rules: [
      [/^(head|fc)\./, { ignored: "ImageNet classifier" }],
      [/^backbone\./, ""],
    ],
  },
];

/** Prefixes that wrappers put before every name: DataParallel, a module that holds model and loss, torch.compile, fp16. */
const WRAPPERS = ["module.", "model.", "_orig_mod.", "net.", "1."] as const;

/** What a checkpoint's names came to. */
export interface MappedWeights {
  readonly codeBase: string;
  /** Weights by canonical name. */
  readonly weights: ReadonlyMap<string, Tensor>;
  /** The name each canonical name had in the file. */
  readonly origin: ReadonlyMap<string, string>;
  readonly ignored: readonly { readonly name: string; readonly reason: string }[];
}

/** Names without the wrappers around them. Keys that belong to a loss beside the model do not count. */
function unwrap(names: readonly string[]): (name: string) => string {
  const stripped: string[] = [];
  let rest = names.filter((name) => !/^(module\.|_orig_mod\.)*(loss|criterion)\./.test(name));
  for (let found = rest.length > 0; found; ) {
    const prefix = WRAPPERS.find((wrapper) => rest.every((name) => name.startsWith(wrapper)));
    found = prefix !== undefined;
    if (prefix !== undefined) {
      stripped.push(prefix);
      rest = rest.map((name) => name.slice(prefix.length));
    }
  }
  // A loss beside the model carries the outer wrappers only.
  return (name) =>
    stripped.reduce((key, prefix) => (key.startsWith(prefix) ? key.slice(prefix.length) : key), name);
}

/** HRNet and SimpleBaseline inside mmpose carry prefixes that their official names lack. */
function dropPosePrefixes(names: ReadonlySet<string>): (name: string) => string {
  const official =
    names.has("backbone.stage2.0.branches.0.0.conv1.weight") || names.has("backbone.layer4.0.conv1.weight");
  if (!official || names.has("neck.reduction_conv.0.weight")) return (name) => name;
  return (name) => name.replace(/^(backbone|keypoint_head)\./, "");
}

/**
 * Recognises the code base of a state dict by its names and renames it; `undefined` when no code base of ours fits.
 * Values that are no weights of the network are listed with the reason.
 */
export function mapKeys(state: ReadonlyMap<string, Tensor>): MappedWeights | undefined {
  const strip = unwrap([...state.keys()]);
  const stripped = [...state].map(([name, tensor]) => ({ name, key: strip(name), tensor }));
  const keyMap = KEY_MAPS.find(({ signature }) => stripped.some(({ key }) => signature.test(key)));
  if (!keyMap) return undefined;
  const ignored: { name: string; reason: string }[] = [];
  const renamed: { name: string; key: string; tensor: Tensor }[] = [];
  for (const { name, key, tensor } of stripped) {
    const rule = [TRAINING_STATE, ...keyMap.rules].find(([pattern]) => pattern.test(key));
    const target = rule?.[1] ?? key;
    if (typeof target === "string") {
      renamed.push({ name, key: rule ? key.replace(rule[0], target) : key, tensor });
    } else {
      ignored.push({ name, reason: target.ignored });
    }
  }
  const drop = dropPosePrefixes(new Set(renamed.map(({ key }) => key)));
  const weights = new Map<string, Tensor>();
  const origin = new Map<string, string>();
  for (const { name, key, tensor } of renamed) {
    const canonical = drop(key);
    if (weights.has(canonical)) {
      ignored.push({ name, reason: `${canonical} was already given` });
      continue;
    }
    weights.set(canonical, tensor);
    origin.set(canonical, name);
  }
  return { codeBase: keyMap.codeBase, weights, origin, ignored };
}
