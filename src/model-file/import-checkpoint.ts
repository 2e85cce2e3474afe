// From a checkpoint of any known code base to a model: architecture recognised, names mapped, everything accounted for.

import { basename } from "node:path";
import { HRNetError } from "../errors.ts";
import { IMAGENET_NORMALIZATION, type Normalization } from "../image/warp.ts";
import { findVariant, outputChannels, variantOf, withOutputChannels } from "../models/find-variant.ts";
import { inferNetworkConfig } from "../models/infer-config.ts";
import { buildNetwork, findsObjects, type NetworkConfig, parseNetworkConfig } from "../models/network.ts";
import type { Task } from "../models/variants.ts";
import { initialize } from "../nn/initialize.ts";
import { createHeatmapCodec, type HeatmapCodecName } from "../pose/codecs/heatmap-codec.ts";
import { normalRandom, uniformRandom } from "../random/random.ts";
import type { ClassTable } from "../segmentation/class-table.ts";
import type { Skeleton } from "../skeleton/skeleton.ts";
import { toFloat32 } from "../tensor/float16.ts";
import { formatShape, type Tensor, tensor } from "../tensor/tensor.ts";
import { withBackgroundLast } from "../weights/background-class.ts";
import { fromInPlaceAbn, isInPlaceAbn } from "../weights/inplace-abn.ts";
import { type MappedWeights, mapKeys } from "../weights/key-maps.ts";
import { describeWeights } from "./describe-weights.ts";
import type { ModelDescription, Provenance } from "./description.ts";
import {
  type CodecChange,
  changeCodec,
  codecInName,
  codecOfChannels,
  defaultCodec,
  skeletonForChannels,
} from "./pose-defaults.ts";
import { classesForChannels } from "./segmentation-defaults.ts";

/** A network with its weights: what can be saved, exported and run. */
export interface Model {
  readonly description: ModelDescription;
  /** By canonical state-dict key; float32, counters int64. */
  readonly weights: ReadonlyMap<string, Tensor>;
}

/** What became of every weight of a file. */
export interface ImportReport {
  readonly architecture: string;
  readonly codeBase: string;
  readonly loaded: number;
  /** Left out, with the reason. */
  readonly ignored: readonly { readonly name: string; readonly reason: string }[];
  /** Parts of the network that were initialised afresh because another head was asked for. */
  readonly initialized: readonly string[];
  /** Biases before a batch normalisation that the file's code base does without; they are 0. */
  readonly zeroed: readonly string[];
  /** Scales of normalisations that were trained as InPlace-ABN and became |scale| + 10⁻⁵. */
  readonly converted: readonly string[];
  /** Weights whose classes had the background first. */
  readonly reordered: readonly string[];
}

/** What may be said about a checkpoint that its names do not tell. */
export interface ImportOptions {
  /** Name of the network, instead of recognising it. */
  readonly arch?: string | undefined;
  /** A whole network configuration, or fields to change in the recognised one. */
  readonly config?: Readonly<Record<string, unknown>> | undefined;
  /** Height and width; by default from the file name (`256x192`) or the network's published size. */
  readonly input?: readonly [number, number] | undefined;
  /**
   * Number of keypoints or classes: a head with another number is initialised afresh. A codec with offset maps has three
   * channels per keypoint.
   */
  readonly outputs?: number | undefined;
  readonly skeleton?: Skeleton | undefined;
  /** What the channels of a segmentation network are. */
  readonly classes?: ClassTable | undefined;
  /** A codec, or what to change in the one that the file or its name tells. */
  readonly codec?: CodecChange | undefined;
  /**
   * Whether the file's normalisations are ordinary ones or InPlace-ABN's. By default segmentation files of the official names without
   * batch counters are taken for the latter.
   */
  readonly normalization?: "ordinary" | "inplace-abn" | undefined;
  readonly provenance?: Partial<Provenance> | undefined;
}

/** What networks of a code base take where it is not ImageNet's usual normalisation. */
const PREPROCESSING: Readonly<Record<string, Normalization>> = {
  // The zoo was trained on BGR pixels with the RGB-ordered statistics.
  SimpleBaseline: { ...IMAGENET_NORMALIZATION, channelOrder: "bgr" },
  // BGR pixels with the statistics of these channels. Source: `img_norm_cfg` of mmdetection's FCOS configurations for HRNet.
  "mmdetection FCOS": {
    mean: [0.406, 0.456, 0.485],
    std: [0.225, 0.224, 0.229],
    channelOrder: "bgr",
  },
};

const TASK_OF_HEAD: Readonly<Record<string, Task>> = {
  segmentation: "segmentation",
  v2: "segmentation",
  v1h: "segmentation",
  ocr: "segmentation",
  classification: "classification",
  features: "classification",
  fpn: "detection",
  fcos: "detection",
  rcnn: "detection",
  centernet: "detection",
};

/** What a network with that head is for. */
function taskOf(config: NetworkConfig): Task {
  return "type" in config.head ? (TASK_OF_HEAD[config.head.type] ?? "pose") : "pose";
}

/** A few names from a state dict, for messages. */
function sample(names: Iterable<string>, count = 4): string {
  const list = [...names];
  const shown = list.slice(0, count).join(", ");
  return list.length > count ? `${shown}, … (${list.length} in all)` : shown;
}

const shapesOf = (weights: ReadonlyMap<string, Tensor>): Map<string, readonly number[]> =>
  new Map([...weights].map(([name, { shape }]) => [name, shape]));

/** The network to fill, and how its outputs are read. */
interface Choice {
  readonly config: NetworkConfig;
  /** Name of the codec, for pose networks. */
  readonly codec: HeatmapCodecName;
  /** What starts afresh: nothing, the last layer for another number of outputs, or a head the file has nothing of. */
  readonly freshHead: "none" | "outputs" | "whole";
}

/** The network the options ask for, or the one the weights are of. */
function chooseNetwork(mapped: MappedWeights, source: string, options: ImportOptions): Choice {
  const { arch, outputs } = options;
  const config = mapped.config || options.config ? { ...mapped.config, ...options.config } : undefined;
  const asked = arch === undefined ? undefined : parseNetworkConfig(findVariant(arch).config);
  const whole = config && "family" in config ? parseNetworkConfig(config) : undefined;
  const recognised = inferNetworkConfig(shapesOf(mapped.weights));
  const base = whole ?? asked ?? recognised;
  if (!base) {
    throw new HRNetError(
      "weights-mismatch",
      `${source} ${describeWeights(mapped.weights.keys())} and has no head that is known. To start a pose network ` +
        "from its backbone, name the network with --arch and the number of keypoints with --keypoints.",
    );
  }
  // Only a head of the same kind says something about the number of outputs.
  const given = recognised && sameHead(recognised, base) ? outputChannels(recognised) : undefined;
  const codec = options.codec?.name ?? codecInName(source) ?? codecOfChannels(given, options);
  const perKeypoint = taskOf(base) === "pose" ? createHeatmapCodec(codec).channelsPerKeypoint : 1;
  const wanted = outputs === undefined ? undefined : outputs * perKeypoint;
  const channels = wanted ?? (whole ? undefined : given);
  const sized = channels === undefined ? base : withOutputChannels(base, channels);
  return {
    config: whole ? sized : parseNetworkConfig(changed(sized, mapped.head, config)),
    codec,
    freshHead: wanted === undefined || wanted === given ? "none" : given === undefined ? "whole" : "outputs",
  };
}

/** A configuration with fields of its head and of itself replaced; head fields that are not of this kind of head do not count. */
function changed(
  base: NetworkConfig,
  head: Readonly<Record<string, unknown>> = {},
  fields: Readonly<Record<string, unknown>> = {},
): unknown {
  const known = Object.entries(head).filter(([name]) => name in base.head);
  return { ...base, head: { ...base.head, ...Object.fromEntries(known) }, ...fields };
}

/** Whether two networks have the same kind of head. */
function sameHead(a: NetworkConfig, b: NetworkConfig): boolean {
  const kind = ({ head }: NetworkConfig): string | undefined => ("type" in head ? head.type : undefined);
  return a.family === b.family && kind(a) === kind(b);
}

/** Layers whose size is the number of outputs. */
const OUTPUT_LAYER =
  /^(final_layers?|keypoint_head\.final_layer|decode_head\.conv_seg|last_layer\.3|aux_head\.3|cls_head|classifier|bbox_head\.conv_cls|roi_head\.bbox_head\.(\d\.)?fc_(cls|reg)|roi_head\.mask_head\.(\d\.)?conv_logits)\./;
/** Everything that stands on a backbone. */
const HEAD =
  /^(keypoint_head|decode_head|deconv_layers|final_layers?|last_layer|aux_head|conv3x3_ocr|ocr_distri_head|cls_head|incre_modules|downsamp_modules|classifier|neck|bbox_head|rpn_head|roi_head)\./;

/** The parameters that a new head initialises: its last layer, or all of it on a backbone without one of its kind. */
function freshPart(config: NetworkConfig, kind: Choice["freshHead"]): (name: string) => boolean {
  if (kind === "none") return () => false;
  if (kind === "whole") return (name) => HEAD.test(name);
  // A classification network has a final_layer before its classifier.
  const classification = config.family === "hrnet" && config.head.type === "classification";
  return (name) => OUTPUT_LAYER.test(name) && !(classification && name.startsWith("final_layer."));
}

/** Convolutions before a batch normalisation whose biases some code bases leave out (timm's `_ssld`, mmsegmentation). */
const OPTIONAL_BIAS = /^(downsamp_modules\.\d+|final_layer|last_layer|aux_head|conv3x3_ocr)\.0\.bias$/;

/** A batch counter as int64, whatever it was stored as; `undefined` for what is none. */
function counter(given: Tensor | undefined): Tensor | undefined {
  if (given?.data.length !== 1) return undefined;
  return tensor("int64", [], BigInt64Array.of(BigInt(Math.trunc(toFloat32(given)[0]!))));
}

/** The network that the weights are of, by name where it has one, or what they look like. */
function describeMapped(mapped: MappedWeights): string {
  const recognised = inferNetworkConfig(shapesOf(mapped.weights));
  const outputs = recognised && outputChannels(recognised);
  if (!recognised) return describeWeights(mapped.weights.keys());
  const name = variantOf(recognised)?.name ?? `${recognised.family} network`;
  return `(${mapped.codeBase}) looks like ${name}${outputs === undefined ? "" : ` with ${outputs} outputs`}`;
}

/** Weights of the network, taken from the file or initialised; and the report. */
function fill(
  mapped: MappedWeights,
  config: NetworkConfig,
  input: readonly [number, number],
  source: string,
  freshHead: Choice["freshHead"],
): { weights: Map<string, Tensor>; report: Omit<ImportReport, "architecture" | "converted" | "reordered"> } {
  const network = buildNetwork(config, input);
  const weights = new Map<string, Tensor>();
  const missing: string[] = [];
  const mismatched: string[] = [];
  const initialized: string[] = [];
  const zeroed: string[] = [];
  const ignored = [...mapped.ignored];
  let loaded = 0;
  const isFresh = freshPart(config, freshHead);
  const normal = normalRandom(uniformRandom(1));
  for (const [name, info] of network.parameters) {
    const given = mapped.weights.get(name);
    const shape = info.value.shape as readonly number[];
    if (info.value.dtype === "int64") {
      const count = counter(given);
      if (count) loaded += 1;
      weights.set(name, count ?? initialize(info, normal)); // files of torch 0.4 have none
    } else if (given !== undefined && formatShape(given.shape) === formatShape(shape)) {
      loaded += 1;
      weights.set(name, tensor("float32", shape, toFloat32(given)));
    } else if (isFresh(name)) {
      initialized.push(name);
      weights.set(name, initialize(info, normal));
      if (given) ignored.push({ name: mapped.origin.get(name)!, reason: "head replaced" });
    } else if (given) {
      mismatched.push(
        `${name} is ${formatShape(given.shape)} in the file, ${formatShape(shape)} in the network`,
      );
    } else if (OPTIONAL_BIAS.test(name) && mapped.weights.has(name.replace(/bias$/, "weight"))) {
      zeroed.push(name);
      weights.set(name, initialize(info, normal)); // biases start at 0
    } else {
      missing.push(name);
    }
  }
  if (mismatched.length > 0 || missing.length > 0) {
    const problems = [
      ...(mismatched.length > 0 ? [`shapes disagree: ${sample(mismatched, 3)}`] : []),
      ...(missing.length > 0 ? [`missing: ${sample(missing)}`] : []),
    ];
    throw new HRNetError(
      "weights-mismatch",
      `${source} ${describeMapped(mapped)} and does not fit the network: ${problems.join("; ")}. ` +
        "Leave --arch out to have the network recognised, or give --keypoints to start a new head.",
    );
  }
  for (const [name] of mapped.weights) {
    if (!network.parameters.has(name)) {
      ignored.push({ name: mapped.origin.get(name)!, reason: "not in this network" });
    }
  }
  return { weights, report: { codeBase: mapped.codeBase, loaded, ignored, initialized, zeroed } };
}

/** Height and width in a published file's name: `…_256x192-….pth`. */
function inputInName(source: string): [number, number] | undefined {
  const match = /(?<!\d)(\d{2,4})x(\d{2,4})(?!\d)/.exec(basename(source));
  return match ? [Number(match[1]), Number(match[2])] : undefined;
}

/**
 * A model from a state dict.
 * @param source what to call the file in messages
 * @throws HRNetError `weights-mismatch` when nothing matched (says what the file looks like), or weights are missing or
 * of other shapes; `unknown-model` for an unknown `arch`; `invalid-config` for a bad `config`.
 */
export function importStateDict(
  state: ReadonlyMap<string, Tensor>,
  source: string,
  options: ImportOptions = {},
): { model: Model; report: ImportReport } {
  const named = mapKeys(state);
  if (!named) {
    throw new HRNetError(
      "weights-mismatch",
      `${source} ${describeWeights(state.keys())}: ${state.size} weights, none named as in a network of this family. ` +
        "Supported are the checkpoints that docs/weights.md lists.",
    );
  }
  const { mapped: ordinary, converted } = ordinaryNormalization(named, options.normalization);
  const { mapped, reordered } = backgroundLast(ordinary);
  const { config, codec: codecName, freshHead } = chooseNetwork(mapped, source, options);
  const variant = variantOf(config);
  const input = options.input ?? inputInName(source) ?? variant?.input ?? [256, 192];
  const { weights, report } = fill(mapped, config, input, source, freshHead);
  const task = taskOf(config);
  const codec = changeCodec(defaultCodec(codecName, input), options.codec);
  const keypoints = (outputChannels(config) ?? 0) / createHeatmapCodec(codec).channelsPerKeypoint;
  const { score, ...provenance } = options.provenance ?? {};
  const description: ModelDescription = {
    version: 1,
    name: variant?.name ?? `${config.family} (custom)`,
    task,
    network: config,
    input,
    preprocessing: PREPROCESSING[mapped.codeBase] ?? IMAGENET_NORMALIZATION,
    ...(task === "pose" && { codec, skeleton: skeletonForChannels(keypoints, options.skeleton) }),
    ...((task === "segmentation" || findsObjects(config)) && {
      classes: classesForChannels(outputChannels(config)!, mapped.codeBase, options.classes),
    }),
    provenance: {
      source: basename(source),
      codeBase: mapped.codeBase,
      ...provenance,
      ...(score !== undefined && report.initialized.length === 0 && { score }), // it was another head's
    },
  };
  return {
    model: { description, weights },
    report: { architecture: description.name, ...report, converted, reordered },
  };
}

/** The weights for ordinary batch normalisations, and the scales that were changed for that. */
function ordinaryNormalization(
  mapped: MappedWeights,
  given: ImportOptions["normalization"],
): { mapped: MappedWeights; converted: readonly string[] } {
  const inPlace =
    given === undefined
      ? mapped.codeBase === "HRNet-Semantic-Segmentation" && isInPlaceAbn(new Set(mapped.weights.keys()))
      : given === "inplace-abn";
  if (!inPlace) return { mapped, converted: [] };
  const { weights, converted } = fromInPlaceAbn(mapped.weights);
  return { mapped: { ...mapped, weights }, converted };
}

/** The weights with the background as the last class of regions, and those that were changed for that. */
function backgroundLast(mapped: MappedWeights): { mapped: MappedWeights; reordered: readonly string[] } {
  if (!mapped.backgroundFirst) return { mapped, reordered: [] };
  const { weights, reordered } = withBackgroundLast(mapped.weights);
  return { mapped: { ...mapped, weights }, reordered };
}
