// From a checkpoint of any known code base to a model: architecture recognised, names mapped, everything accounted for.

import { basename } from "node:path";
import { HRNetError } from "../errors.ts";
import { IMAGENET_NORMALIZATION } from "../image/warp.ts";
import { findVariant, outputChannels, variantOf, withOutputChannels } from "../models/find-variant.ts";
import { inferNetworkConfig } from "../models/infer-config.ts";
import { buildNetwork, type NetworkConfig, parseNetworkConfig } from "../models/network.ts";
import type { Task } from "../models/variants.ts";
import { initialize, normalRandom, uniformRandom } from "../nn/initialize.ts";
import { createHeatmapCodec, type HeatmapCodecOptions } from "../pose/codecs/heatmap-codec.ts";
import type { Skeleton } from "../skeleton/skeleton.ts";
import { toFloat32 } from "../tensor/float16.ts";
import { formatShape, type Tensor, tensor } from "../tensor/tensor.ts";
import { type MappedWeights, mapKeys } from "../weights/key-maps.ts";
import type { ModelDescription, Provenance } from "./description.ts";
import { skeletonForChannels } from "./pose-defaults.ts";

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
}

/** What may be said about a checkpoint that its names do not tell. */
export interface ImportOptions {
  /** Name of the network, instead of recognising it. */
  readonly arch?: string | undefined;
  /** A whole network configuration, or fields to change in the recognised one. */
  readonly config?: Readonly<Record<string, unknown>> | undefined;
  /** Height and width; by default from the file name (`256x192`) or the network's published size. */
  readonly input?: readonly [number, number] | undefined;
  /** Number of keypoints or classes: a head with another number is initialised afresh. */
  readonly outputs?: number | undefined;
  readonly skeleton?: Skeleton | undefined;
  readonly codec?: HeatmapCodecOptions | undefined;
  readonly provenance?: Partial<Provenance> | undefined;
}

const TASK_OF_HEAD: Readonly<Record<string, Task>> = {
  v2: "segmentation",
  v1h: "segmentation",
  ocr: "segmentation",
  classification: "classification",
  features: "classification",
  fpn: "detection",
};

/** What a network with that head is for. */
function taskOf(config: NetworkConfig): Task {
  return config.family === "hrnet" ? (TASK_OF_HEAD[config.head.type] ?? "pose") : "pose";
}

/** A few names from a state dict, for messages. */
function sample(names: Iterable<string>, count = 4): string {
  const list = [...names];
  const shown = list.slice(0, count).join(", ");
  return list.length > count ? `${shown}, … (${list.length} in all)` : shown;
}

const shapesOf = (weights: ReadonlyMap<string, Tensor>): Map<string, readonly number[]> =>
  new Map([...weights].map(([name, { shape }]) => [name, shape]));

/** The network the options ask for, or the one the weights are of. */
function chooseConfig(mapped: MappedWeights, source: string, options: ImportOptions): NetworkConfig {
  const { arch, config, outputs } = options;
  const asked = arch === undefined ? undefined : parseNetworkConfig(findVariant(arch).config);
  const recognised = inferNetworkConfig(shapesOf(mapped.weights));
  if (config && "family" in config) return parseNetworkConfig(config);
  const base = asked ?? recognised;
  if (!base) {
    throw new HRNetError(
      "weights-mismatch",
      `${source} looks like a file of ${mapped.codeBase}, but has no head that is known (its weights: ` +
        `${sample(mapped.weights.keys())}). Name the network with --arch and the number of outputs with --keypoints.`,
    );
  }
  const given = recognised && outputChannels(recognised);
  const channels = outputs ?? given ?? outputChannels(base);
  const sized = channels === undefined ? base : withOutputChannels(base, channels);
  return config ? parseNetworkConfig({ ...sized, ...config }) : sized;
}

/** Whether a parameter belongs to the layer whose size is the number of outputs. */
function isOutputLayer(config: NetworkConfig, name: string): boolean {
  const layers = [
    "final_layer.",
    "keypoint_head.final_layer.",
    "last_layer.3.",
    "aux_head.3.",
    "cls_head.",
    "classifier.",
  ];
  const classification = config.family === "hrnet" && config.head.type === "classification";
  return (
    layers.some((layer) => name.startsWith(layer)) && !(classification && name.startsWith("final_layer."))
  );
}

/** Weights of the network, taken from the file or initialised; and the report. */
function fill(
  mapped: MappedWeights,
  config: NetworkConfig,
  input: readonly [number, number],
  source: string,
  freshHead: boolean,
): { weights: Map<string, Tensor>; report: Omit<ImportReport, "architecture"> } {
  const network = buildNetwork(config, input);
  const weights = new Map<string, Tensor>();
  const missing: string[] = [];
  const mismatched: string[] = [];
  const initialized: string[] = [];
  const ignored = [...mapped.ignored];
  let loaded = 0;
  const normal = normalRandom(uniformRandom(1));
  for (const [name, info] of network.parameters) {
    const given = mapped.weights.get(name);
    const shape = info.value.shape as readonly number[];
    const fits = given !== undefined && formatShape(given.shape) === formatShape(shape);
    if (fits) {
      loaded += 1;
      weights.set(name, info.value.dtype === "int64" ? given : tensor("float32", shape, toFloat32(given)));
    } else if (freshHead && isOutputLayer(config, name)) {
      initialized.push(name);
      weights.set(name, initialize(info, normal));
      if (given) ignored.push({ name: mapped.origin.get(name)!, reason: "head replaced" });
    } else if (given) {
      mismatched.push(
        `${name} is ${formatShape(given.shape)} in the file, ${formatShape(shape)} in the network`,
      );
    } else if (name.endsWith(".num_batches_tracked")) {
      weights.set(name, initialize(info, normal)); // absent from files of torch 0.4
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
      `${source} (${mapped.codeBase}) does not fit the network: ${problems.join("; ")}. ` +
        "Leave --arch out to have the network recognised, or give --keypoints to start a new head.",
    );
  }
  for (const [name] of mapped.weights) {
    if (!network.parameters.has(name)) {
      ignored.push({ name: mapped.origin.get(name)!, reason: "not in this network" });
    }
  }
  return { weights, report: { codeBase: mapped.codeBase, loaded, ignored, initialized } };
}

/** Height and width in a published file's name: `…_256x192-….pth`. */
function inputInName(source: string): [number, number] | undefined {
  const match = /(?<!\d)(\d{2,4})x(\d{2,4})(?!\d)/.exec(basename(source));
  return match ? [Number(match[1]), Number(match[2])] : undefined;
}

/** What the published files' names say of their codec; the first that matches. */
const CODEC_IN_NAME = [
  [/udp[-_]regress/i, "udp-combined"],
  [/udp/i, "udp"],
  [/dark/i, "dark"],
] as const;

/** σ of the targets the published networks were trained with: 3 heatmap cells for 384×288, else 2 (their yaml files). */
function defaultCodec(input: readonly [number, number], source: string): HeatmapCodecOptions {
  const file = basename(source);
  const name = CODEC_IN_NAME.find(([pattern]) => pattern.test(file))?.[1] ?? "quarter-offset";
  return input[0] >= 384 ? { name, sigma: 3 } : { name };
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
  const mapped = mapKeys(state);
  if (!mapped) {
    throw new HRNetError(
      "weights-mismatch",
      `${source} holds ${state.size} weights, none named as in a network of this family. They look like: ` +
        `${sample(state.keys())}. Supported are the checkpoints that docs/weights.md lists.`,
    );
  }
  const config = chooseConfig(mapped, source, options);
  const variant = variantOf(config);
  const input = options.input ?? inputInName(source) ?? variant?.input ?? [256, 192];
  const recognised = inferNetworkConfig(shapesOf(mapped.weights));
  const given = recognised && outputChannels(recognised);
  const freshHead = options.outputs !== undefined && options.outputs !== given;
  const { weights, report } = fill(mapped, config, input, source, freshHead);
  const task = taskOf(config);
  const channels = outputChannels(config);
  const codec = options.codec ?? defaultCodec(input, source);
  const keypoints = (channels ?? 0) / createHeatmapCodec(codec).channelsPerKeypoint;
  const description: ModelDescription = {
    version: 1,
    name: variant?.name ?? `${config.family} (custom)`,
    task,
    network: config,
    input,
    // The SimpleBaseline zoo was trained on BGR pixels with the RGB-ordered statistics.
    preprocessing:
      mapped.codeBase === "SimpleBaseline"
        ? { ...IMAGENET_NORMALIZATION, channelOrder: "bgr" }
        : IMAGENET_NORMALIZATION,
    ...(task === "pose" && { codec, skeleton: skeletonForChannels(keypoints, options.skeleton) }),
    provenance: { source: basename(source), codeBase: mapped.codeBase, ...options.provenance },
  };
  return { model: { description, weights }, report: { architecture: description.name, ...report } };
}
