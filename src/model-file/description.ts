// What travels with weights in every model file of ours: network, input, preprocessing, skeleton, codec, provenance.

import { z } from "zod";
import { HRNetError, messageOf } from "../errors.ts";
import type { Normalization } from "../image/warp.ts";
import { type NetworkConfig, parseNetworkConfig } from "../models/network.ts";
import type { Task } from "../models/variants.ts";
import { createHeatmapCodec, type HeatmapCodecOptions } from "../pose/codecs/heatmap-codec.ts";
import { type ClassTable, defineClassTable } from "../segmentation/class-table.ts";
import { defineSkeleton, type Skeleton } from "../skeleton/skeleton.ts";

/** Where model files keep the description: a `metadata_props` entry of ONNX, a `__metadata__` entry of safetensors. */
export const METADATA_KEY = "hrnet";

/** Where weights come from. */
export interface Provenance {
  /** File or published checkpoint they were read from. */
  readonly source: string;
  readonly codeBase: string;
  /** Hex digest of that file, where known. */
  readonly sha256?: string | undefined;
  readonly url?: string | undefined;
  readonly licence?: string | undefined;
  /** The score recorded for them, in words: metric, value, data set, box source. */
  readonly score?: string | undefined;
}

/** Everything needed to run a model beside its weights. */
export interface ModelDescription {
  readonly version: 1;
  readonly name: string;
  readonly task: Task;
  readonly network: NetworkConfig;
  /** Height and width in pixels. */
  readonly input: readonly [number, number];
  /** How 8-bit RGB pixels become the input. */
  readonly preprocessing: Normalization;
  /** Pose models. */
  readonly codec?: HeatmapCodecOptions;
  readonly skeleton?: Skeleton;
  /** Segmentation models, and detectors. */
  readonly classes?: ClassTable;
  readonly provenance: Provenance;
}

const triple = z.tuple([z.number(), z.number(), z.number()]);

const schema = z.object({
  version: z.literal(1),
  name: z.string().max(200),
  task: z.enum(["pose", "segmentation", "classification", "detection"]),
  network: z.unknown(),
  input: z.tuple([z.int().min(1).max(16384), z.int().min(1).max(16384)]),
  preprocessing: z.strictObject({
    mean: triple,
    std: triple,
    channelOrder: z.enum(["rgb", "bgr"]).default("rgb"),
  }),
  codec: z.record(z.string(), z.unknown()).optional(),
  skeleton: z.record(z.string(), z.unknown()).optional(),
  classes: z.record(z.string(), z.unknown()).optional(),
  provenance: z.object({
    source: z.string(),
    codeBase: z.string(),
    sha256: z.string().optional(),
    url: z.string().optional(),
    licence: z.string().optional(),
    score: z.string().optional(),
  }),
});

/** The text of a description for a model file. */
export function formatDescription(description: ModelDescription): string {
  return JSON.stringify(description);
}

/**
 * A description read from a model file, checked.
 * @throws HRNetError `invalid-model` that says what is wrong and with which file.
 */
export function parseDescription(text: string, file: string): ModelDescription {
  try {
    const { network, codec, skeleton, classes, ...rest } = schema.parse(JSON.parse(text));
    // Each part is checked by its owner, not by a copy of its rules here.
    if (codec) createHeatmapCodec(codec as unknown as HeatmapCodecOptions);
    return {
      ...rest,
      network: parseNetworkConfig(network),
      ...(codec && { codec: codec as unknown as HeatmapCodecOptions }),
      ...(skeleton && { skeleton: defineSkeleton(skeleton as unknown as Skeleton) }),
      ...(classes && { classes: defineClassTable(classes as unknown as ClassTable) }),
    };
  } catch (error) {
    const problem =
      error instanceof z.ZodError
        ? error.issues.map(({ path, message }) => `${path.join(".") || "(top)"}: ${message}`).join("; ")
        : messageOf(error);
    throw new HRNetError("invalid-model", `The description inside ${file} is not valid: ${problem}`, {
      cause: error,
    });
  }
}
