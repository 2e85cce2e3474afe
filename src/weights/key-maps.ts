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
  /** What the network has otherwise than the official code, which names do not tell: fields of its configuration. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** The same, of its head. */
  readonly head?: Readonly<Record<string, unknown>>;
  /** Its classifiers of regions have the background first; ours have it last. */
  readonly backgroundFirst?: true;
}

/** State of training runs that some checkpoints hold beside the weights. */
const TRAINING_STATE: Rule = [/^(optimizer|ema_|loss[._]|criterion\.)/, { ignored: "training state" }];
/** Heads of detectors that are none of ours, such as RetinaNet's. */
const OTHER_HEADS: Rule = [/^(rpn_head|bbox_head|mask_head)\./, { ignored: "detection head" }];
/** The neck as mmdetection names it. */
const MMDETECTION_NECK: readonly Rule[] = [
  [/^neck\.reduction_conv\.conv\./, "neck.reduction_conv.0."],
  [/^neck\.fpn_conv\.(\d+)\.conv\./, "neck.fpn_conv.$1."],
];
const MMDETECTION_1 = "HRNet-Object-Detection / mmdetection 1.x";

/** conv, normalisation and their like of mmcv's ConvModule, at `to` where the official code has a Sequential. */
const convModule = (from: string, conv: string, norm: string): Rule[] => [
  [new RegExp(`^${from}\\.conv\\.`), `${conv}.`],
  [new RegExp(`^${from}\\.bn\\.`), `${norm}.`],
];

/** A projection of OCR's context block: one or two ConvModules. */
function projection(theirs: string, ours: string, count: 1 | 2): Rule[] {
  const from = `decode_head\\.1\\.object_context_block\\.${theirs}`;
  const to = `ocr_distri_head.object_context_block.${ours}`;
  if (count === 1) return convModule(from, `${to}.0`, `${to}.1.0`);
  return [
    ...convModule(`${from}\\.0`, `${to}.0`, `${to}.1.0`),
    ...convModule(`${from}\\.1`, `${to}.2`, `${to}.3.0`),
  ];
}

/** Code bases in the order they are tried; docs/weights.md has the table with sources. */
export const KEY_MAPS: readonly KeyMap[] = [
  { codeBase: "mmpose 0.x / Lite-HRNet", signature: /^keypoint_head\./, rules: [] },
  {
    codeBase: "mmpose 1.x",
    signature: /^head\.(final_layer|deconv_layers)\./,
    rules: [[/^head\./, "keypoint_head."]],
  },
  {
    codeBase: "mmsegmentation OCR",
    signature: /^decode_head\.1\.object_context_block\./,
    rules: [
      [/^backbone\./, ""],
      ...convModule("decode_head\\.0\\.convs\\.0", "aux_head.0", "aux_head.1"),
      [/^decode_head\.0\.conv_seg\./, "aux_head.3."],
      ...convModule("decode_head\\.1\\.bottleneck", "conv3x3_ocr.0", "conv3x3_ocr.1"),
      ...projection("query_project", "f_pixel", 2),
      ...projection("key_project", "f_object", 2),
      ...projection("value_project", "f_down", 1),
      ...projection("out_project", "f_up", 1),
      ...convModule(
        "decode_head\\.1\\.object_context_block\\.bottleneck",
        "ocr_distri_head.conv_bn_dropout.0",
        "ocr_distri_head.conv_bn_dropout.1.0",
      ),
      [/^decode_head\.1\.conv_seg\./, "cls_head."],
    ],
    config: { upsample: "bilinear" },
  },
  {
    codeBase: "mmsegmentation FCN",
    signature: /^decode_head\.convs\.0\.conv\./,
    rules: [
      [/^backbone\./, ""],
      ...convModule("decode_head\\.convs\\.0", "last_layer.0", "last_layer.1"),
      [/^decode_head\.conv_seg\./, "last_layer.3."],
      [/^auxiliary_head\./, { ignored: "auxiliary head" }],
    ],
    config: { upsample: "bilinear" },
  },
  {
    codeBase: "mmdetection FCOS",
    signature: /^bbox_head\.(conv_centerness|fcos_centerness)\./,
    rules: [
      ...MMDETECTION_NECK,
      [/^bbox_head\.fcos_(cls|reg|centerness)\./, "bbox_head.conv_$1."], // before 2.0
    ],
  },
  {
    codeBase: MMDETECTION_1,
    signature: /^bbox_head\.(\d+\.)?fc_cls\./,
    rules: [...MMDETECTION_NECK, [/^(bbox_head|mask_head|semantic_head)\./, "roi_head.$1."]],
    head: { extent: "pixels" },
    backgroundFirst: true,
  },
  { codeBase: "mmdetection 2.x/3.x", signature: /^roi_head\./, rules: MMDETECTION_NECK },
  {
    codeBase: "mmdetection 2.x/3.x",
    signature: /^neck\.reduction_conv\.conv\./,
    rules: [...MMDETECTION_NECK, OTHER_HEADS],
  },
  { codeBase: MMDETECTION_1, signature: /^neck\.reduction_conv\.0\./, rules: [OTHER_HEADS] },
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
  /** Fields of the network's configuration that the code base has otherwise than the official one. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** The same, of its head. */
  readonly head?: Readonly<Record<string, unknown>>;
  readonly backgroundFirst?: true;
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
  const { codeBase, config, head, backgroundFirst } = keyMap;
  return {
    codeBase,
    weights,
    origin,
    ignored,
    ...(config && { config }),
    ...(head && { head }),
    ...(backgroundFirst && { backgroundFirst }),
  };
}
