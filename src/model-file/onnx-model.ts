// Models as one self-contained .onnx: written from weights, opened again.

import { HRNetError, messageOf } from "../errors.ts";
import { readFileWithin } from "../files/read-file.ts";
import { inferenceGraph } from "../graph/inference.ts";
import { graphToModel } from "../graph/onnx.ts";
import { decodeModelMetadata, encodeModel } from "../graph/onnx-proto.ts";
import { storeAsFloat16, toFloat16 } from "../graph/passes/to-float16.ts";
import {
  buildOpenDetector,
  DETECTOR_TEST,
  leastScore,
  type OpenDetector,
} from "../models/detector-network.ts";
import { buildNetwork, findsObjects } from "../models/network.ts";
import { formatDescription, METADATA_KEY, type ModelDescription, parseDescription } from "./description.ts";
import type { Model } from "./import-checkpoint.ts";

/** Precisions an .onnx can be written in. Inputs and outputs are float32 in both. */
export const PRECISIONS = ["fp32", "fp16"] as const;

/** One of {@link PRECISIONS}. */
export type Precision = (typeof PRECISIONS)[number];

/** Protobuf's limit on a message. */
const MAX_ONNX_BYTES = 2 ** 31 - 1;

/** What a session and an estimator need. */
export interface RunnableModel {
  readonly description: ModelDescription;
  /** The bytes of an .onnx file. */
  readonly onnx: Uint8Array;
}

/**
 * The model as an .onnx: batch normalisation folded, any batch size, description in its metadata. A detector takes one picture of any size
 * that is a multiple of 32, and gives detections as `buildDetector` has them.
 */
export function toOnnx({ description, weights }: Model, precision: Precision = "fp32"): RunnableModel {
  const { graph: built, openInputs } = exported(description);
  const graph = inferenceGraph(built, weights, openInputs !== undefined);
  const half = findsObjects(description.network) ? storeAsFloat16 : toFloat16;
  const model = graphToModel(precision === "fp16" ? half(graph) : graph, {
    name: description.name,
    metadata: { [METADATA_KEY]: formatDescription(description) },
    ...(openInputs && { openInputs }),
  });
  return { description, onnx: encodeModel(model) };
}

/** What is written of a model, and the input's sizes that are left open. */
function exported({ network: config, input }: ModelDescription): OpenDetector {
  if (!findsObjects(config)) return { graph: buildNetwork(config, input).graph };
  return buildOpenDetector(config, input, { ...DETECTOR_TEST, minScore: leastScore(config) });
}

/**
 * The bytes of an .onnx file.
 * @throws HRNetError `file-not-found`, `read-failed`, `limit-exceeded` from 2 GiB
 */
export async function readOnnxBytes(path: string): Promise<Uint8Array> {
  return readFileWithin(path, "model", MAX_ONNX_BYTES);
}

function metadataOf(onnx: Uint8Array, path: string): Record<string, string> {
  try {
    return decodeModelMetadata(onnx);
  } catch (cause) {
    throw new HRNetError("invalid-model", `Cannot load ${path}: ${messageOf(cause)}`, { cause });
  }
}

/**
 * Opens an .onnx that this library wrote.
 * @throws HRNetError `file-not-found`, `read-failed`; `invalid-model` when it is damaged or has no description.
 */
export async function readOnnxModel(path: string): Promise<RunnableModel> {
  const onnx = await readOnnxBytes(path);
  const text = metadataOf(onnx, path)[METADATA_KEY];
  if (text === undefined) {
    throw new HRNetError(
      "invalid-model",
      `${path} is an ONNX file without a description of preprocessing and keypoints. Make one with \`hrnet export\` from ` +
        "the checkpoint it came from, or run it on arrays with `hrnet forward`.",
    );
  }
  return { description: parseDescription(text, path), onnx };
}
