// Detector: pictures in, boxes of objects out.

import { belongsToTile, type FoundObject, mergePasses } from "../detection/merge-tiles.ts";
import { pasteMask } from "../detection/paste-mask.ts";
import { HRNetError } from "../errors.ts";
import { inferenceGraph } from "../graph/inference.ts";
import { graphToModel } from "../graph/onnx.ts";
import { encodeModel } from "../graph/onnx-proto.ts";
import { type DecodeOptions, decodeImage, type ImageSource } from "../image/decode.ts";
import { resizeImage } from "../image/resize.ts";
import type { RgbImage } from "../image/rgb-image.ts";
import { type Tile, tilesOf } from "../image/tiles.ts";
import { type NormalizationTable, normalizationTable } from "../image/warp.ts";
import type { RunLengthMask } from "../masks/run-length.ts";
import type { ModelDescription } from "../model-file/description.ts";
import type { Model } from "../model-file/import-checkpoint.ts";
import { type LoadOptions, loadModel } from "../model-file/load-model.ts";
import { buildOpenDetector, DETECTOR_TEST, hasOpenSize, leastScore } from "../models/detector-network.ts";
import { findsObjects, inputMultiple } from "../models/network.ts";
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
   * Detections with a lower score are left out (FCOS: class times centreness). Default 0.3: for looking; figures are made with 0. Classes with
   * a probability below 0.05 are never looked at (HTC: 0.001).
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
  /**
   * `[height, width]` in pixels: pictures that are larger are looked at as a whole and once more in overlapping tiles of this size, at
   * their own resolution, so that small objects are found. Default: as a whole alone.
   */
  readonly tile?: readonly [number, number] | undefined;
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
  /** Its pixels, of networks with a mask head. */
  readonly mask?: RunLengthMask | undefined;
}

/** An object as the network gives it, in pixels of the picture. */
interface RawDetection extends FoundObject {
  /** Probabilities over the box that the mask head saw, which may reach beyond the picture. */
  readonly mask?: { readonly data: Float32Array; readonly box: FoundObject["box"] } | undefined;
}

/** What the network is shown of a picture. */
interface Shown {
  readonly input: Planes;
  /** `[height, width]` of the input that is picture. */
  readonly size: readonly [number, number];
  /** Of the input's corner, `[x, y]` in pixels of the picture, and pixels of the picture for one of the input. */
  readonly offset: readonly [number, number];
  readonly factor: readonly [number, number];
}

const DEFAULT_MIN_SCORE = 0.3;
const KEPT_NETWORKS = 3;
/** Of a tile's shorter side: objects up to twice this are found whole in some tile, larger ones in the picture as a whole. */
const TILE_MARGIN = 1 / 8;
const TILE_SIDES = [128, 8192] as const;

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
    if (task !== "detection" || !classes || !findsObjects(network)) {
      throw new HRNetError(
        "invalid-model",
        `${name} is a ${task} network${task === "detection" ? " without a head that finds objects" : ""}; detection needs an FCOS, CenterNet or ` +
          "two-stage network (`hrnet models` lists them).",
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
    const { tile } = options;
    if (
      tile &&
      !tile.every((side) => Number.isInteger(side) && side >= TILE_SIDES[0] && side <= TILE_SIDES[1])
    ) {
      throw new HRNetError(
        "usage",
        `tile was given as ${tile.join("×")}; expected whole numbers from ${TILE_SIDES.join(" to ")}, height and width.`,
      );
    }
    return new Detector(model, classes, options);
  }

  /** Whether detections have masks. */
  get findsMasks(): boolean {
    const { network } = this.description;
    return network.family === "hrnet" && network.head.type === "rcnn" && network.head.masks !== "none";
  }

  /**
   * Objects of a picture, the best first.
   * @throws HRNetError as `decodeImage` and `openSession`; `aborted`; `usage` after `dispose`
   */
  async detect(source: ImageSource, { signal }: DetectOptions = {}): Promise<Detection[]> {
    if (this.#disposed) throw new HRNetError("usage", "The detector was disposed of; load it again.");
    const image = await decodeImage(source, { ...this.#options.decode, ...(signal && { signal }) });
    const whole = await this.#look(this.#whole(image), signal);
    const found = await this.#inTiles(image, whole, signal);
    const { minScore = DEFAULT_MIN_SCORE } = this.#options;
    return found.filter(({ score }) => score >= minScore).map((object) => this.#detection(object, image));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    await this.#sessions[Symbol.asyncDispose]();
  }

  /** With what tiles find besides, where the picture is larger than one. */
  async #inTiles(
    image: RgbImage,
    whole: readonly RawDetection[],
    signal: AbortSignal | undefined,
  ): Promise<readonly RawDetection[]> {
    const { tile } = this.#options;
    const { width, height } = image;
    if (!tile || (height <= tile[0] && width <= tile[1])) return whole;
    const found = [...whole];
    for (const part of tilesOf([height, width], tile, Math.floor(TILE_MARGIN * Math.min(...tile)))) {
      if (this.#disposed) throw new HRNetError("usage", "The detector was disposed of; load it again.");
      const objects = await this.#look(this.#part(image, part), signal);
      found.push(...objects.filter((object) => belongsToTile(object, part, [height, width])));
    }
    const { nms = DETECTOR_TEST.nms, most = DETECTOR_TEST.most } = this.#options;
    return mergePasses(found, nms, most);
  }

  /** Objects of what the network is shown, in pixels of the picture. */
  async #look(
    { input, size, offset, factor }: Shown,
    signal: AbortSignal | undefined,
  ): Promise<RawDetection[]> {
    const key = hasOpenSize(this.description.network) ? "any size" : `${input.height}×${input.width}`;
    const session = await this.#sessions.get(key, () => this.#network(input));
    const { height, width } = input;
    const outputs = await session.run(
      { input: tensor("float32", [1, 3, height, width], input.data) },
      { transfer: true, ...(signal && { signal }) },
    );
    const [x, y] = offset;
    const [fx, fy] = factor;
    const data = (name: string): Float32Array => outputs[name]!.data as Float32Array;
    const [boxes, scores, labels] = [data("boxes"), data("scores"), data("classes")];
    const pixels = outputs["masks"] ? data("masks").length / scores.length : 0;
    const last = this.#lastPixel;
    const inPicture = (x1: number, y1: number, x2: number, y2: number): FoundObject["box"] => [
      x + x1 * fx,
      y + y1 * fy,
      x + x2 * fx,
      y + y2 * fy,
    ];
    const found: RawDetection[] = [];
    for (let i = 0; i < scores.length && scores[i]! > 0; i++) {
      const [x1, y1] = [boxes[4 * i]!, boxes[4 * i + 1]!];
      const [x2, y2] = [boxes[4 * i + 2]! + last, boxes[4 * i + 3]! + last];
      const [right, bottom] = [Math.min(x2, size[1]), Math.min(y2, size[0])];
      // Within the frame, but not within the picture.
      if (!(right > x1 && bottom > y1)) continue;
      const mask = pixels > 0 && {
        data: data("masks").subarray(i * pixels, (i + 1) * pixels),
        box: inPicture(x1, y1, x2, y2),
      };
      found.push({
        box: inPicture(x1, y1, right, bottom),
        score: scores[i]!,
        class: labels[i]!,
        ...(mask && { mask }),
      });
    }
    return found;
  }

  /** What makes an edge of a box's lower right corner: 1 where that is its last pixel. */
  get #lastPixel(): number {
    const { network } = this.description;
    const pixels =
      network.family === "hrnet" && network.head.type === "rcnn" && network.head.extent === "pixels";
    return pixels ? 1 : 0;
  }

  #detection({ box, score, class: label, mask }: RawDetection, size: RgbImage): Detection {
    const [x1, y1, x2, y2] = box;
    return {
      box: [x1, y1, x2 - x1, y2 - y1],
      score,
      label: this.classes.classes[label]!,
      class: label,
      ...(mask && { mask: pasteMask(mask.data, mask.box, size) }),
    };
  }

  /** The picture at its size for the network. */
  #whole(image: RgbImage): Shown {
    const { input } = this.description;
    const [shorter, longer] = this.#options.sides ?? [Math.min(...input), Math.max(...input)];
    const factor = Math.min(
      shorter / Math.min(image.width, image.height),
      longer / Math.max(image.width, image.height),
    );
    const width = Math.max(1, Math.round(image.width * factor));
    const height = Math.max(1, Math.round(image.height * factor));
    const planes = normalizedPlanes(resizeImage(image, [width, height]), this.#normalization);
    return {
      input: this.#framed(planes),
      size: [height, width],
      offset: [0, 0],
      factor: [image.width / width, image.height / height],
    };
  }

  /** A tile of the picture, pixel by pixel. */
  #part(image: RgbImage, { x, y }: Tile): Shown {
    const region = { x: x.start, y: y.start, width: x.length, height: y.length };
    return {
      input: this.#framed(normalizedPlanes(image, this.#normalization, region)),
      size: [y.length, x.length],
      offset: [x.start, y.start],
      factor: [1, 1],
    };
  }

  /** In a frame of whole multiples. */
  #framed(planes: Planes): Planes {
    const multiple = inputMultiple(this.description.network);
    const fitting = (side: number): number => multiple * Math.ceil(side / multiple);
    return framedPlanes(planes, fitting(planes.height), fitting(planes.width));
  }

  #network({ height, width }: Planes): Uint8Array {
    const { network: config, name } = this.description;
    const {
      minScore = DEFAULT_MIN_SCORE,
      nms = DETECTOR_TEST.nms,
      most = DETECTOR_TEST.most,
    } = this.#options;
    const { graph, openInputs } = buildOpenDetector(config, [height, width], {
      minScore: Math.max(minScore, leastScore(config)),
      nms,
      most,
    });
    const finished = inferenceGraph(graph, this.#model.weights, openInputs !== undefined);
    return encodeModel(graphToModel(finished, { name, ...(openInputs && { openInputs }) }));
  }
}
