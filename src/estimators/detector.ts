// Detector: pictures in, boxes of objects out.

import {
  decodeFcos,
  FCOS_DECODING,
  type FcosDecoding,
  type FcosDetection,
  type FcosOutputs,
  fcosLevels,
} from "../detection/fcos-places.ts";
import { HRNetError } from "../errors.ts";
import { inferenceGraph } from "../graph/inference.ts";
import { graphToModel } from "../graph/onnx.ts";
import { encodeModel } from "../graph/onnx-proto.ts";
import { type DecodeOptions, decodeImage, type ImageSource } from "../image/decode.ts";
import { resizeImage } from "../image/resize.ts";
import type { RgbImage } from "../image/rgb-image.ts";
import { type NormalizationTable, normalizationTable } from "../image/warp.ts";
import type { ModelDescription } from "../model-file/description.ts";
import type { Model } from "../model-file/import-checkpoint.ts";
import { type LoadOptions, loadModel } from "../model-file/load-model.ts";
import { buildNetwork, inputMultiple } from "../models/network.ts";
import type { ClassTable } from "../segmentation/class-table.ts";
import { framedPlanes, type Planes } from "../tensor/resize-planes.ts";
import { tensor } from "../tensor/tensor.ts";
import { normalizedPlanes } from "./normalized-planes.ts";
import { type SizedSessionOptions, SizedSessions } from "./sized-sessions.ts";

/** How a {@link Detector} works. */
export interface DetectorOptions
  extends Omit<LoadOptions, "outputs" | "provenance" | "codec" | "skeleton">,
    Omit<SizedSessionOptions, "kept"> {
  /**
   * Detections with a lower score, class times centreness, are left out. Default 0.3: for looking; figures are made with 0. Classes with a
   * probability below 0.05 are never looked at.
   */
  readonly minScore?: number | undefined;
  /** Detections of a picture at most. Default 100. */
  readonly most?: number | undefined;
  /** IoU above which the weaker of two boxes of a class goes. Default 0.5. */
  readonly nms?: number | undefined;
  /**
   * The shorter and the longer side that pictures are brought to, whichever is reached first, in pixels. Default: those of the model's
   * input.
   */
  readonly sides?: readonly [shorter: number, longer: number] | undefined;
  /** How pictures are decoded. */
  readonly decode?: DecodeOptions | undefined;
}

/** Options of one call. */
export interface DetectOptions {
  /** Cancels; the promise is rejected with `aborted`. */
  readonly signal?: AbortSignal | undefined;
}

/** A detected object. */
export interface Detection {
  /** `[x, y, width, height]` in pixels of the picture. */
  readonly box: readonly [number, number, number, number];
  /** 0 … 1. */
  readonly score: number;
  /** Name of its class, and its number. */
  readonly label: string;
  readonly class: number;
}

const DEFAULT_MIN_SCORE = 0.3;
const KEPT_NETWORKS = 3;
/** Levels of a detector. */
const LEVELS = 5;

/**
 * Finds objects.
 *
 * ```ts
 * await using detector = await Detector.load("runs/cells/best.safetensors");
 * for (const { label, box, score } of await detector.detect("cells.jpg")) console.log(label, score, box);
 * ```
 */
export class Detector implements AsyncDisposable {
  readonly description: ModelDescription;
  readonly classes: ClassTable;
  readonly #model: Model;
  readonly #options: DetectorOptions;
  readonly #normalization: NormalizationTable;
  readonly #sessions: SizedSessions;
  #disposed = false;

  private constructor(model: Model, classes: ClassTable, options: DetectorOptions) {
    const { device, threads, spinning, onLog } = options;
    this.description = model.description;
    this.classes = classes;
    this.#model = model;
    this.#options = options;
    this.#normalization = normalizationTable(model.description.preprocessing);
    this.#sessions = new SizedSessions({ device, threads, spinning, onLog, kept: KEPT_NETWORKS });
  }

  /**
   * Opens a model.
   * @param source a checkpoint (`.pth`, `.safetensors`), the name of a published one, or a model in memory
   * @throws HRNetError as `loadModel`; `invalid-model` when it is no detector; `usage` for sides that are none
   */
  static async load(source: string | Model, options: DetectorOptions = {}): Promise<Detector> {
    const model = typeof source === "string" ? (await loadModel(source, options)).model : source;
    const { task, classes, name, network } = model.description;
    if (task !== "detection" || !classes || network.family !== "hrnet" || network.head.type !== "fcos") {
      throw new HRNetError(
        "invalid-model",
        `${name} is a ${task} network${task === "detection" ? " without a head that finds objects" : ""}; detection needs an FCOS network ` +
          "(`hrnet models` lists them).",
      );
    }
    const { sides } = options;
    if (
      sides &&
      !(sides.every((side) => Number.isInteger(side) && side >= 32 && side <= 8192) && sides[0] <= sides[1])
    ) {
      throw new HRNetError(
        "usage",
        `sides were given as ${sides.join(" and ")}; expected whole numbers from 32 to 8192, the shorter one first.`,
      );
    }
    return new Detector(model, classes, options);
  }

  /**
   * Objects of a picture, the best first.
   * @throws HRNetError as `decodeImage` and `openSession`; `aborted`; `usage` after `dispose`
   */
  async detect(source: ImageSource, { signal }: DetectOptions = {}): Promise<Detection[]> {
    if (this.#disposed) throw new HRNetError("usage", "The detector was disposed of; load it again.");
    const image = await decodeImage(source, { ...this.#options.decode, ...(signal && { signal }) });
    const { input, size } = this.#input(image);
    const session = await this.#sessions.get(`${input.height}×${input.width}`, () => this.#network(input));
    const { height, width, data } = input;
    const outputs = await session.run(
      { input: tensor("float32", [1, 3, height, width], data) },
      { transfer: true, ...(signal && { signal }) },
    );
    const maps = (kind: keyof FcosOutputs): Float32Array[] =>
      Array.from({ length: LEVELS }, (_, l) => outputs[`${kind}${l}`]!.data as Float32Array);
    const found = decodeFcos(
      { classes: maps("classes"), distances: maps("distances"), centerness: maps("centerness") },
      fcosLevels(height, width),
      size,
      this.#decoding(),
    );
    const [fx, fy] = [image.width / size[1], image.height / size[0]];
    const { minScore = DEFAULT_MIN_SCORE } = this.#options;
    return found
      .filter(({ score }) => score >= minScore)
      .map((detection) => this.#detection(detection, fx, fy));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    await this.#sessions[Symbol.asyncDispose]();
  }

  #decoding(): FcosDecoding {
    const {
      minScore = DEFAULT_MIN_SCORE,
      most = FCOS_DECODING.most,
      nms = FCOS_DECODING.nms,
    } = this.#options;
    return { ...FCOS_DECODING, minScore, most, nms };
  }

  #detection(
    { box: [x1, y1, x2, y2], score, class: label }: FcosDetection,
    fx: number,
    fy: number,
  ): Detection {
    const box = [x1 * fx, y1 * fy, (x2 - x1) * fx, (y2 - y1) * fy] as const;
    return { box, score, label: this.classes.classes[label]!, class: label };
  }

  /** The picture at its size for the network, `[height, width]`, and normalised in a frame of whole multiples. */
  #input(image: RgbImage): { input: Planes; size: readonly [number, number] } {
    const { input, network } = this.description;
    const [shorter, longer] = this.#options.sides ?? [Math.min(...input), Math.max(...input)];
    const factor = Math.min(
      shorter / Math.min(image.width, image.height),
      longer / Math.max(image.width, image.height),
    );
    const width = Math.max(1, Math.round(image.width * factor));
    const height = Math.max(1, Math.round(image.height * factor));
    const planes = normalizedPlanes(resizeImage(image, [width, height]), this.#normalization);
    const multiple = inputMultiple(network);
    const fitting = (side: number): number => multiple * Math.ceil(side / multiple);
    return { input: framedPlanes(planes, fitting(height), fitting(width)), size: [height, width] };
  }

  #network({ height, width }: Planes): Uint8Array {
    const { network: config, name } = this.description;
    const { graph } = buildNetwork(config, [height, width], 1);
    return encodeModel(graphToModel(inferenceGraph(graph, this.#model.weights), { name }));
  }
}
