// Any model by name or file: the embedded one, published checkpoints, .pth, .safetensors.

import { access } from "node:fs/promises";
import { HRNetError } from "../errors.ts";
import { outputChannels } from "../models/find-variant.ts";
import { createHeatmapCodec } from "../pose/codecs/heatmap-codec.ts";
import { classTableByName } from "../segmentation/class-tables.ts";
import { skeletonByName } from "../skeleton/skeletons.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";
import { type DownloadOptions, downloadCheckpoint } from "../weights/download.ts";
import type { PublishedCheckpoint } from "../weights/published-checkpoint.ts";
import { readCheckpoint } from "../weights/read-checkpoint.ts";
import { findPublished } from "../weights/registry.ts";
import { writeSafetensors } from "../weights/safetensors.ts";
import { TRAINING_PREFIX } from "../weights/training-keys.ts";
import { formatDescription, METADATA_KEY, parseDescription } from "./description.ts";
import { embeddedModelPath } from "./embedded.ts";
import { type ImportOptions, type ImportReport, importStateDict, type Model } from "./import-checkpoint.ts";
import { type RunnableModel, readOnnxModel, toOnnx } from "./onnx-model.ts";
import { changeCodec, defaultCodec, skeletonForChannels } from "./pose-defaults.ts";

/** How a model is found and read. */
export interface LoadOptions extends ImportOptions {
  readonly download?: DownloadOptions | undefined;
}

/** A model with its weights, and what became of the file's names. */
export interface LoadedModel {
  readonly model: Model;
  readonly report: ImportReport;
}

/** Whether something looks like a path rather than the name of a published checkpoint. */
function looksLikePath(source: string): boolean {
  return /[\\/]/.test(source) || /\.(pth|pt|tar|bin|safetensors|onnx|ckpt)$/i.test(source);
}

/** Whether a source is a finished `.onnx`, which has a graph and no weights by name. */
export const isOnnxFile = (source: string): boolean => /\.onnx$/i.test(source);

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** What the registry knows of a checkpoint, as import options. */
function publishedOptions(entry: PublishedCheckpoint, sha256: string): ImportOptions {
  const provenance = { source: entry.name, url: entry.url, sha256, licence: entry.licence };
  if (entry.task === "backbone") return { provenance };
  if (entry.task === "segmentation" || entry.task === "detection") {
    const { input, score, classes } = entry;
    const text = `${score.metric} ${score.value} on ${score.dataset}, single scale`;
    return { input, classes: classTableByName(classes), provenance: { ...provenance, score: text } };
  }
  const { score, input, codec } = entry;
  const text = `${score.metric} ${score.value} on ${score.dataset}, boxes: ${score.boxes}${score.flipTest ? ", flip test" : ""}`;
  return {
    input,
    codec: defaultCodec(codec, input),
    skeleton: skeletonByName(entry.skeleton),
    provenance: { ...provenance, score: text },
  };
}

/** Defined fields of `options` over what is known of the file. */
function override(known: ImportOptions, options: ImportOptions): ImportOptions {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const { skeleton, classes, codec, config } = known;
  // A new head has other keypoints than those the file was trained for.
  const outputs = skeleton?.keypoints.length ?? classes?.classes.length;
  const replaced = options.outputs !== undefined && options.outputs !== outputs;
  // A network that is named takes the place of the file's; fields of a configuration change it.
  const network = options.arch === undefined ? { ...config, ...options.config } : options.config;
  return {
    ...known,
    skeleton: replaced ? undefined : skeleton,
    classes: replaced ? undefined : classes,
    ...given,
    config: network && Object.keys(network).length > 0 ? network : undefined,
    codec: codec?.name ? changeCodec({ ...codec, name: codec.name }, options.codec) : options.codec,
  };
}

/** A file of ours says what it is; anything else is recognised by its names. */
function modelOf(checkpoint: Checkpoint, path: string, options: ImportOptions): LoadedModel {
  const own = checkpoint.metadata[METADATA_KEY];
  if (checkpoint.format !== "safetensors" || own === undefined) {
    return importStateDict(checkpoint.stateDict, path, options);
  }
  const description = parseDescription(own, path);
  const { name, input, skeleton, classes, codec, provenance, preprocessing } = description;
  const known: ImportOptions = {
    input,
    skeleton,
    classes,
    codec,
    provenance,
    config: { ...description.network },
  };
  const weights = [...checkpoint.stateDict].filter(([name]) => !name.startsWith(TRAINING_PREFIX));
  const loaded = importStateDict(new Map(weights), path, override(known, options));
  const { model, report } = loaded;
  // With another network or head it is another model.
  const same = [options.arch, options.config, options.outputs].every((change) => change === undefined);
  return {
    model: { ...model, description: { ...model.description, ...(same && { name }), preprocessing } },
    report,
  };
}

/**
 * Reads a model's weights.
 * @param source a `.pth` or `.safetensors` file, the name of a model that comes with the package, or that of a published checkpoint (fetched once,
 * then cached)
 * @throws HRNetError as {@link importStateDict}, `readCheckpoint` and `downloadCheckpoint` do; `unknown-model` when
 * `source` is neither a file nor a known name.
 */
export async function loadModel(source: string, options: LoadOptions = {}): Promise<LoadedModel> {
  if (looksLikePath(source) || (await exists(source))) {
    return modelOf(await readCheckpoint(source), source, options);
  }
  const embedded = embeddedModelPath(source);
  if (embedded) return modelOf(await readCheckpoint(embedded), source, options);
  const entry = findPublished(source);
  const { path, sha256 } = await downloadCheckpoint(entry, options.download);
  return modelOf(await readCheckpoint(path), path, override(publishedOptions(entry, sha256), options));
}

/**
 * A finished `.onnx` has one network.
 * @throws HRNetError `usage` when another one, another head or another input size is asked for
 */
export function refuseNetworkChanges(source: string, options: ImportOptions): void {
  const { arch, config, outputs, input } = options;
  if ([arch, config, outputs, input].every((value) => value === undefined)) return;
  throw new HRNetError(
    "usage",
    `${source} is a finished model: its network, keypoints and input size cannot be changed. Start from its weights ` +
      "(.pth, .safetensors) to use --arch, --keypoints, --config or --input.",
  );
}

/**
 * A model ready to run, from anything {@link loadModel} reads or an `.onnx` that this library wrote.
 * @throws HRNetError as {@link loadModel} and {@link readOnnxModel} do.
 */
export async function loadRunnable(source: string, options: LoadOptions = {}): Promise<RunnableModel> {
  if (!isOnnxFile(source)) return toOnnx((await loadModel(source, options)).model);
  refuseNetworkChanges(source, options);
  const { description, onnx } = await readOnnxModel(source);
  const codec = description.codec && changeCodec(description.codec, options.codec);
  const channels = outputChannels(description.network);
  const keypoints = codec && channels && channels / createHeatmapCodec(codec).channelsPerKeypoint;
  const skeleton = keypoints && skeletonForChannels(keypoints, options.skeleton ?? description.skeleton);
  return { description: { ...description, ...(codec && { codec }), ...(skeleton && { skeleton }) }, onnx };
}

/** Writes a model as `.safetensors`: weights under their state-dict keys, description in the metadata. */
export async function saveModel(path: string, { description, weights }: Model): Promise<void> {
  await writeSafetensors(path, weights, { format: "pt", [METADATA_KEY]: formatDescription(description) });
}
