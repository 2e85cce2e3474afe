// Any model by name or file: published checkpoints, .pth, .safetensors.

import { access } from "node:fs/promises";
import { HRNetError } from "../errors.ts";
import { skeletonByName } from "../skeleton/skeletons.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";
import { type DownloadOptions, downloadCheckpoint } from "../weights/download.ts";
import type { PublishedCheckpoint } from "../weights/published.ts";
import { readCheckpoint } from "../weights/read-checkpoint.ts";
import { findPublished } from "../weights/registry.ts";
import { writeSafetensors } from "../weights/safetensors.ts";
import { formatDescription, METADATA_KEY, parseDescription } from "./description.ts";
import { type ImportOptions, type ImportReport, importStateDict, type Model } from "./import-checkpoint.ts";
import { type RunnableModel, readOnnxModel, toOnnx } from "./onnx-model.ts";

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

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** What the registry knows of a checkpoint, as import options. */
function publishedOptions(entry: PublishedCheckpoint, sha256: string): ImportOptions {
  const provenance = { source: entry.name, url: entry.url, sha256, licence: entry.licence };
  if (entry.task !== "pose") return { provenance };
  const { score, input, codec } = entry;
  const text = `${score.metric} ${score.value} on ${score.dataset}, boxes: ${score.boxes}${score.flipTest ? ", flip test" : ""}`;
  return {
    input,
    // Targets of 384×288 networks have σ 3, all others σ 2 (their published configurations).
    codec: input[0] >= 384 ? { name: codec, sigma: 3 } : { name: codec },
    skeleton: skeletonByName(entry.skeleton),
    provenance: { ...provenance, score: text },
  };
}

/** Defined fields of `options` over those of `base`. */
function override(base: ImportOptions, options: ImportOptions): ImportOptions {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  return { ...base, ...given };
}

/** A file of ours says what it is; anything else is recognised by its names. */
function modelOf(checkpoint: Checkpoint, path: string, options: ImportOptions): LoadedModel {
  const own = checkpoint.metadata[METADATA_KEY];
  if (checkpoint.format !== "safetensors" || own === undefined) {
    return importStateDict(checkpoint.stateDict, path, options);
  }
  const description = parseDescription(own, path);
  const { input, skeleton, codec, provenance } = description;
  const known: ImportOptions = { input, skeleton, codec, provenance, config: { ...description.network } };
  return importStateDict(checkpoint.stateDict, path, override(known, options));
}

/**
 * Reads a model's weights.
 * @param source a `.pth` or `.safetensors` file, or the name of a published checkpoint (fetched once, then cached)
 * @throws HRNetError as {@link importStateDict}, `readCheckpoint` and `downloadCheckpoint` do; `unknown-model` when
 * `source` is neither a file nor a known name.
 */
export async function loadModel(source: string, options: LoadOptions = {}): Promise<LoadedModel> {
  if (looksLikePath(source) || (await exists(source))) {
    return modelOf(await readCheckpoint(source), source, options);
  }
  const entry = findPublished(source);
  const { path, sha256 } = await downloadCheckpoint(entry, options.download);
  return modelOf(await readCheckpoint(path), path, override(publishedOptions(entry, sha256), options));
}

/**
 * A model ready to run, from anything {@link loadModel} reads or an `.onnx` that this library wrote.
 * @throws HRNetError as {@link loadModel} and {@link readOnnxModel} do.
 */
export async function loadRunnable(source: string, options: LoadOptions = {}): Promise<RunnableModel> {
  if (!/\.onnx$/i.test(source)) return toOnnx((await loadModel(source, options)).model);
  if (options.arch !== undefined || options.config !== undefined || options.outputs !== undefined) {
    throw new HRNetError(
      "usage",
      `${source} is a finished model; its network cannot be changed. Start from its weights.`,
    );
  }
  const { description, onnx } = await readOnnxModel(source);
  const { codec = description.codec, skeleton = description.skeleton } = options;
  return { description: { ...description, ...(codec && { codec }), ...(skeleton && { skeleton }) }, onnx };
}

/** Writes a model as `.safetensors`: weights under their state-dict keys, description in the metadata. */
export async function saveModel(path: string, { description, weights }: Model): Promise<void> {
  await writeSafetensors(path, weights, { format: "pt", [METADATA_KEY]: formatDescription(description) });
}
